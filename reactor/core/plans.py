"""What an event of one name could do: triggers found by the values that they ask for.

A plan serves one event name. Triggers whose ``where`` holds an equality of event
data stand in tables and are found by a hash look-up, the others are always tried.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from reactor.core.event import Event
from reactor.core.expr import Expression
from reactor.core.policy import EventTrigger, Policy

Literal = str | int | float | bool
Check = tuple[tuple[str, ...], Literal]
"""A path below ``data``, and what must stand there."""

_ABSENT = object()
_NOBODY: list["Candidate"] = []


class Part(Enum):
    """What the event would be for the trigger."""

    OPENS = "the event that it is about"
    FOLLOWS = "the second event"
    CANCELS = "an event of `cancel_on`"


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A trigger, and the part that an event could have in it.

    ``where`` is taken apart: ``checks`` must all hold, then ``residue``, which is
    left for CEL. ``events`` and ``by`` are those of this part. ``name`` is the
    trigger's for what is kept about it. ``roots`` are the variables that the residue
    and ``by`` read.
    """

    policy: Policy
    index: int
    trigger: EventTrigger
    name: str
    events: tuple[str, ...]
    checks: tuple[Check, ...]
    residue: Expression | None
    by: Expression | None = None
    part: Part = Part.OPENS
    roots: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Table:
    """The triggers of one event name that ask for one member first, by its value.

    ``first`` is that member as QEMU most likely spells it; where it is not
    there, lies deeper, or ``rival`` is there too, the whole ``path`` is looked up.
    """

    path: tuple[str, ...]
    first: str
    rival: str
    rows: dict[object, list[Candidate]]

    def find(self, data: Mapping[str, object]) -> list[Candidate]:
        """Those whose value the event has, as far as Python's own equality tells."""
        value = data.get(self.first, _ABSENT)
        if value is _ABSENT or self.rival in data:
            value = look_up(data, self.path)
        try:
            return self.rows.get(value, _NOBODY)
        except TypeError:  # a list or a map equals no literal, and has no hash
            return _NOBODY


@dataclass(slots=True)
class Plan:
    """What to do with one event name.

    ``rest`` are the triggers without an equality: they are always candidates.
    ``member`` None: for every such event; else only for those whose data has it.
    ``sequels`` are the triggers for which the event may be a second one or a
    cancelling one, ``below`` plans of the same name that others share.
    """

    tables: list[Table] = field(default_factory=list)
    rest: list[Candidate] = field(default_factory=list)
    member: str | None = None
    sequels: "Plan | None" = None
    below: tuple["Plan", ...] = ()

    def candidates(self, event: Event) -> list[Candidate]:
        """The triggers whose equalities hold for this event, in no special order."""
        found, data = self.rest, event.data
        for table in self.tables:
            if rows := table.find(data):
                found = found + [row for row in rows if _all_hold(row, data)]
        if self.below:
            for plan in self.below:
                if plan.member is None or plan.member in data:
                    found = found + plan.candidates(event)
        return found


def make_plan(candidates: Iterable[Candidate], member: str | None = None) -> Plan | None:
    """The plan of these candidates, in their order; None of none."""
    opening: list[Candidate] = []
    later: list[Candidate] = []
    # A trigger may name the event twice ("RESET" and "RES*"): it matches once.
    for candidate in dict.fromkeys(candidates):
        (opening if candidate.part is Part.OPENS else later).append(candidate)
    if not opening and not later:
        return None
    plan = _tabled(opening, member)
    plan.sequels = _tabled(later, member) if later else None
    return plan


def joined(plans: Sequence[Plan | None]) -> Plan | None:
    """One plan for what several say of one event name; what they hold is shared."""
    some = [plan for plan in plans if plan is not None]
    if len(some) < 2 and not any(plan.member for plan in some):
        return some[0] if some else None
    later = tuple(plan.sequels for plan in some if plan.sequels is not None)
    return Plan(below=tuple(some), sequels=Plan(below=later) if later else None)


def _tabled(candidates: list[Candidate], member: str | None) -> Plan:
    plan = Plan(member=member)
    tables: dict[tuple[str, ...], dict[object, list[Candidate]]] = {}
    sharing = Counter(check for candidate in candidates for check in candidate.checks)
    paths = Counter(path for candidate in candidates for path, _ in candidate.checks)
    for candidate in candidates:
        if not candidate.checks:
            plan.rest.append(candidate)
            continue
        # What fewest ask for tells most; among equals the path of most makes one table.
        path, literal = min(candidate.checks, key=lambda check: (sharing[check], -paths[check[0]]))
        tables.setdefault(path, {}).setdefault(literal, []).append(candidate)
    plan.tables = [Table(path, *_spelling(path), rows) for path, rows in tables.items()]
    return plan


_NO_NAME = "\0"
"""A name that no QMP member has."""


def _spelling(path: tuple[str, ...]) -> tuple[str, str]:
    """How QEMU most likely writes a member, and the spelling that would win over it.

    QMP's own names have hyphens; what lies deeper has no name of its own.
    """
    if len(path) > 1:
        return _NO_NAME, _NO_NAME
    hyphens = path[0].replace("_", "-")
    return hyphens, path[0] if path[0] != hyphens else _NO_NAME


def look_up(data: Mapping[str, object], path: tuple[str, ...]) -> object:
    """The member at a path of underscored names, or an object that equals nothing."""
    value: object = data
    for name in path:
        # Of QEMU's data every map is a dict, and that is known at once.
        if value.__class__ is not dict and not isinstance(value, Mapping):
            return _ABSENT
        value = value[name] if name in value else _member(value, name)
    return value


def _member(data: Mapping[str, object], name: str) -> object:
    if "_" not in name:
        return _ABSENT
    hyphens = name.replace("_", "-")
    if hyphens in data:
        return data[hyphens]
    return next((v for key, v in data.items() if key.replace("-", "_") == name), _ABSENT)


def _all_hold(candidate: Candidate, data: Mapping[str, object]) -> bool:
    return all(_same(look_up(data, path), literal) for path, literal in candidate.checks)


def _same(value: object, literal: Literal) -> bool:
    # In Python True equals 1; in CEL it does not.
    return value == literal and isinstance(value, bool) == isinstance(literal, bool)
