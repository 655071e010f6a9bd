"""What keeps a policy from doing all it says on a guest, told before the event comes.

A lack refuses nothing: the run that comes in spite of it is done as ever. Whether a policy
may act on a guest at all is decided by its `arm` alone (``reactor.core.readiness``).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase

from reactor.core.catalog import RENAMED, STORAGE_DAEMON
from reactor.core.equipment import Absence, Equipment, absence
from reactor.policyfile.looks import Look, Without
from reactor.policyfile.members_read import lacks_member, none_has
from reactor.policyfile.needs import Awaited, Deed, Needs, Spark
from reactor.qapi.types import Schema
from reactor.qapi.values import fit_call

OWN_PREFIXES = ("REACTOR_", "__")
"""Of the engine's own events, and of those of vendors: no schema need know them."""

NO_AGENT = "the settings name no agent of this guest (`agent:` beside its monitor)"


class LackKind(StrEnum):
    """What a lack means; the value is what an operator reads."""

    BLIND = "cannot fire"
    FAILS = "fails"
    UNREAD = "cannot read"
    IDLE = "nothing to watch"


@dataclass(frozen=True, slots=True)
class Lack:
    """One thing that a policy needs and a guest has not.

    ``path`` is the trigger, where another one can fire, or the step; empty: the whole policy.
    """

    kind: LackKind
    path: str
    text: str

    @property
    def reason(self) -> str:
        """What is lacking, and where."""
        return f"{self.path}: {self.text}" if self.path else self.text

    @property
    def sentence(self) -> str:
        """The whole of it, for a line by itself."""
        at = f" at {self.path}" if self.path else ""
        return f"{self.kind.value}{at}: {self.text}"

    @property
    def is_harmless(self) -> bool:
        """Whether nobody need do anything about it."""
        return self.kind is LackKind.IDLE

    @property
    def hinders(self) -> bool:
        """Whether the policy cannot do what it is for."""
        return self.kind in {LackKind.BLIND, LackKind.FAILS}


NOT_ASKED = Equipment()


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a guest: many guests have the same.

    ``schema`` is None until its QEMU has told it, ``digest`` what tells it from others;
    ``qemu`` is its version. ``agent`` is why its guest agent cannot be asked, empty where it
    can, or nobody knows.
    """

    kind: str = "vm"
    qemu: str = ""
    equipment: Equipment = NOT_ASKED
    agent: str = ""
    digest: str = ""
    schema: Schema | None = field(default=None, compare=False, repr=False)


def lacks(needs: Needs, guest: Standing) -> tuple[Lack, ...]:
    """What of its needs the policy lacks on that guest, what it is blind for in front.

    A policy that cannot fire at all has no other lacks: its steps are never reached.
    """
    sparks = [(spark, _why_dark(spark, guest)) for spark in needs.sparks]
    dark = [(spark, found) for spark, found in sparks if found is not None]
    if len(dark) == len(sparks):
        unseen = [found for _, found in dark if found.unseen]
        kind = LackKind.BLIND if unseen else LackKind.IDLE
        texts = dict.fromkeys(found.text for found in unseen or [found for _, found in dark])
        return (Lack(kind, "", "; ".join(texts)),)
    unread = [lack for look in needs.looks for lack in _of_look(look, guest)]
    if never := [lack for lack in unread if lack.kind is LackKind.BLIND]:
        return tuple(never)
    lit = [spark for spark, found in sparks if found is None]
    unread += [lack for spark in lit for look in spark.looks for lack in _of_look(look, guest)]
    return (
        *(Lack(LackKind.BLIND, spark.path, found.text) for spark, found in dark if found.unseen),
        *(lack for deed in needs.deeds for lack in _of_deed(deed, guest)),
        *dict.fromkeys(unread),
        *(Lack(LackKind.IDLE, spark.path, found.text) for spark, found in dark if not found.unseen),
    )


def _why_dark(spark: Spark, guest: Standing) -> Absence | None:
    """Why the trigger cannot fire, or None."""
    never = next((why for part in spark.parts if (why := _why_none(part, guest))), None)
    if never is not None:
        return never
    unread = [lack for look in spark.looks for lack in _of_look(look, guest)]
    texts = dict.fromkeys(lack.text for lack in unread if lack.kind is LackKind.BLIND)
    return Absence("; ".join(texts), unseen=True) if texts else None


_WITHOUT = {
    Without.NEVER_RUNS: LackKind.BLIND,
    Without.FAILS: LackKind.FAILS,
    Without.GOES_ON: LackKind.UNREAD,
}


def _of_look(look: Look, guest: Standing) -> Iterator[Lack]:
    """The members that an expression reads and this QEMU has not; what comes of that.

    Where the rest of the expression may decide without them the policy may do all it says.
    """
    if guest.schema is None:
        return
    lacking = [seen for seen in look.expression.seen if lacks_member(guest.schema, seen)]
    if not lacking:
        return
    is_lost = look.is_lost({seen.shown for seen in lacking})
    kind = _WITHOUT[look.without] if is_lost else LackKind.UNREAD
    for seen in lacking:
        yield Lack(kind, look.path, f"QEMU {guest.qemu}: {none_has(seen)}")


def _why_none(part: Awaited, guest: Standing) -> Absence | None:
    """Why none of these events can come, or None where one can, or may."""
    known: dict[Absence, None] = {}
    unknown: dict[Absence, None] = {}
    for pattern in part.events:
        names = list(_sent(pattern, guest.schema))
        if not names:
            unknown[_unknown(pattern, guest)] = None
        for name in names:
            why = absence(name, part.ports, guest.equipment)
            if why is None:
                return None
            # Behind a storage daemon is no guest that anything could be added to.
            known[replace(why, unseen=why.unseen and guest.kind != STORAGE_DAEMON)] = None
    # Beside a name that this QEMU knows, the others are those of other versions.
    told = list(known or unknown)
    unseen = [one for one in told if one.unseen]
    return Absence("; ".join(one.text for one in unseen or told), unseen=bool(unseen))


def _sent(pattern: str, schema: Schema | None) -> Iterable[str]:
    """The events of that name or glob that QEMU may send; without a schema, the name itself."""
    if schema is None or pattern.startswith(OWN_PREFIXES):
        return (pattern,)
    other = RENAMED.get(pattern)
    wanted = (pattern,) if other is None else (pattern, other.name)
    return [name for name in schema.events if any(fnmatchcase(name, one) for one in wanted)]


def _unknown(pattern: str, guest: Standing) -> Absence:
    if guest.kind == STORAGE_DAEMON:
        # Not a thing to mend: there is no guest behind it.
        return Absence(f"a storage daemon sends no {pattern}", unseen=False)
    return Absence(f"QEMU {guest.qemu} has no event {pattern}", unseen=True)


def _refused(deed: Deed, command: str, schema: Schema, qemu: str) -> Iterator[Lack]:
    """What this QEMU would refuse of the arguments, as far as they are known."""
    for misfit in fit_call(schema, command, deed.given).misfits:
        path = "/".join((deed.path, "args", *map(str, misfit.way)))
        yield Lack(LackKind.FAILS, path, f"QEMU {qemu}: {misfit.problem}")


def _of_deed(deed: Deed, guest: Standing) -> Iterator[Lack]:
    if guest.schema is not None:
        for command in dict.fromkeys(deed.commands):
            if command not in guest.schema.commands:
                who = "a storage daemon" if guest.kind == STORAGE_DAEMON else f"QEMU {guest.qemu}"
                yield Lack(LackKind.FAILS, deed.path, f"{who} has no command {command}")
            elif deed.given is not None:
                yield from _refused(deed, command, guest.schema, guest.qemu)
        if deed.wait and not any(name for one in deed.wait for name in _sent(one, guest.schema)):
            names = " or ".join(deed.wait)
            yield Lack(LackKind.FAILS, deed.path, f"QEMU {guest.qemu} has no event {names}")
    if deed.agent and guest.agent:
        yield Lack(LackKind.FAILS, deed.path, guest.agent)
