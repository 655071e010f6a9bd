"""What policies ask of QEMU, held against the schemas of those that they are meant for.

What all of them refuse is an error; what some refuse is a warning that names them; a
command that nobody knows is a warning too, since it may be newer than we are.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from reactor.core.catalog import RENAMED
from reactor.core.text import closest
from reactor.errors import Code, Place, Problem, Severity
from reactor.policyfile.calls import Ask, Call, Heard, Read, To
from reactor.policyfile.members_read import members_lacking
from reactor.policyfile.nodes import find, key_place
from reactor.qapi.agent import agent_schema
from reactor.qapi.facts import facts
from reactor.qapi.shipped import schema_of, versions
from reactor.qapi.types import Schema
from reactor.qapi.values import Misfit, Way, Wrong, fit_call


@dataclass(frozen=True, slots=True)
class Target:
    """A QEMU that policies are held against; ``name`` is what sentences call it.

    ``is_shipped``: its schema is of one build, and other builds of the version have more.
    """

    name: str
    schema: Schema
    is_shipped: bool = False

    def lacks(self, command: str) -> bool | None:
        """Whether it has not this command; None where that cannot be told."""
        known = facts().commands.get(command)
        return self._lacks(command in self.schema.commands, known.present if known else ())

    def is_silent(self, event: str) -> bool | None:
        """Whether it never sends this event; None where that cannot be told."""
        names = {event, RENAMED[event].name} if event in RENAMED else {event}
        known = facts().events.get(event)
        is_there = not names.isdisjoint(self.schema.events)
        return self._lacks(is_there, known.present if known else ())

    def _lacks(self, is_there: bool, present: Sequence[str]) -> bool | None:
        if is_there:
            return False
        return None if self.is_shipped and self.schema.version in present else True


@functools.cache
def shipped_target(version: str) -> Target:
    """The target of a version whose schema is shipped.

    Raises:
        LookupError: it is none of them.
    """
    return Target(f"QEMU {version}", schema_of(version), is_shipped=True)


def shipped_targets() -> tuple[Target, ...]:
    """Every version whose schema is shipped, the oldest first."""
    return tuple(map(shipped_target, versions()))


_Same = tuple[Way | None, Wrong, str]


@dataclass(frozen=True, slots=True)
class _Finding:
    """What one target refuses; ``way`` is None where it is the command itself."""

    way: Way | None
    wrong: Wrong
    problem: str
    fix: str

    @property
    def same(self) -> _Same:
        """What it has in common with that of another target: they are told as one.

        Of one map several keys may be missing, and only the sentence tells them apart.
        """
        return self.way, self.wrong, self.problem if self.wrong is Wrong.MISSING else ""


def held_against(asks: Iterable[Ask], targets: Sequence[Target]) -> Iterator[Problem]:
    """What these targets refuse of the calls, and which events they never send.

    Args:
        asks: those of ``Loaded``.
        targets: at least one.
    """
    for ask in asks:
        match ask:
            case Call():
                yield from _of_call(ask, targets)
            case Heard():
                yield from _of_events(ask, targets)
            case Read():
                yield from members_lacking(ask, [(one.name, one.schema) for one in targets])


def _of_call(call: Call, targets: Sequence[Target]) -> Iterator[Problem]:
    if call.to is To.AGENT:
        yield from _of_agent(call)
    elif not _is_unknown(call.command, targets):
        yield from _of_command(call, targets)
    elif not call.command.startswith("__"):
        yield _unknown(call)


def _of_command(call: Call, targets: Sequence[Target]) -> Iterator[Problem]:
    told = {one.name: found for one in targets if (found := _refused(call, one)) is not None}
    severity = Severity.ERROR if all(told.values()) else Severity.WARNING
    groups: dict[_Same, list[str]] = {}
    last: dict[_Same, _Finding] = {}
    for name, findings in told.items():
        for finding in findings:
            key = finding.same
            groups.setdefault(key, []).append(name)
            last[key] = finding
    for key, names in groups.items():
        yield _problem(call, last[key], _whose(names, told), severity)


def _whose(names: Sequence[str], all_of_them: Iterable[str]) -> str:
    """The beginning of a sentence that is not true of all targets."""
    return "" if len(names) == len(list(all_of_them)) else f"{' and '.join(names)}: "


def _refused(call: Call, target: Target) -> list[_Finding] | None:
    """What the target refuses of the call; None where that cannot be told."""
    match target.lacks(call.command):
        case None:
            return None
        case True:
            return [_no_command(call.command)]
        case False:
            misfits = fit_call(target.schema, call.command, call.value).misfits
            return [_finding(one) for one in misfits]


def _finding(one: Misfit) -> _Finding:
    return _Finding(one.way, one.wrong, one.problem, one.fix)


def _no_command(command: str) -> _Finding:
    known = facts().commands.get(command)
    fix = f"use `{known.replaced_by}`" if known and known.replaced_by else ""
    problem = f"there is no command `{command}`"
    return _Finding(None, Wrong.VALUE, problem, fix or "take the step out, or ask another QEMU")


def _is_unknown(command: str, targets: Sequence[Target]) -> bool:
    is_there = any(command in one.schema.commands for one in targets)
    return not is_there and command not in facts().commands


def _unknown(call: Call) -> Problem:
    guess = closest(call.command, facts().commands)
    fix = f"did you mean `{guess}`?" if guess else "`reactor docs` lists all commands"
    problem = f"no QEMU from 5.2 to 11.1 has the command `{call.command}`"
    path = f"{call.path}/{call.to.value}"
    return Problem(call.place, Code.UNKNOWN_NAME, problem, fix, Severity.WARNING, path=path)


def _of_agent(call: Call) -> Iterator[Problem]:
    """What agents refuse; a command that none of them has is told by the lints."""
    schema = agent_schema()
    if call.command in schema.commands:
        for one in fit_call(schema, call.command, call.value).misfits:
            yield _problem(call, _finding(one), "", Severity.ERROR)


def _problem(call: Call, finding: _Finding, whose: str, severity: Severity) -> Problem:
    way = finding.way
    problem = f"{whose}{finding.problem}"
    if way is None:
        path = f"{call.path}/{call.to.value}"
        return Problem(call.place, Code.CALL, problem, finding.fix, severity, path=path)
    path = "/".join((call.path, "args", *map(str, way)))
    place = _place(call, way, finding.wrong)
    return Problem(place, Code.CALL, problem, finding.fix, severity, path=path)


def _place(call: Call, way: Way, wrong: Wrong) -> Place:
    if call.args is None:
        return call.place
    if wrong is Wrong.UNKNOWN:
        return key_place(call.args, way)
    return find(call.args, way).place


def _of_events(heard: Heard, targets: Sequence[Target]) -> Iterator[Problem]:
    """The events of a list that a target never sends, where it sends none of the others."""
    deaf = [
        one.name
        for one in targets
        if heard.names and all(one.is_silent(name.event) for name in heard.names)
    ]
    is_known = all(
        name.event in facts().events or any(name.event in one.schema.events for one in targets)
        for name in heard.names
    )
    if not deaf or not is_known:
        return
    everywhere = len(deaf) == len(targets)
    severity = Severity.ERROR if everywhere else Severity.WARNING
    whose = "the targets" if everywhere and len(targets) > 1 else " and ".join(deaf)
    for name in heard.names:
        after = facts().events[name.event].replaced_by if name.event in facts().events else ""
        fix = f"use `{after}`" if after else "take it out, or name others beside it"
        verb = "sends" if len(deaf) == 1 else "send"
        problem = f"{whose} never {verb} `{name.event}`"
        yield Problem(name.place, Code.CALL, problem, fix, severity, path=name.path)
