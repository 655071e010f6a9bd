"""Commands, arguments and events that a QEMU still knows and a later one may not."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from reactor.errors import Code, Place, Problem, Severity
from reactor.policyfile.calls import Ask, Call, Heard, Read, To
from reactor.policyfile.nodes import Dictionary
from reactor.policyfile.targets import Target
from reactor.qapi.facts import facts


def outdated(asks: Iterable[Ask], targets: Sequence[Target]) -> Iterator[Problem]:
    """A note for each thing that one of these targets calls deprecated.

    Args:
        asks: those of ``Loaded``.
        targets: at least one; each tells for itself what it means to drop.
    """
    for ask in asks:
        match ask:
            case Call(to=To.QEMU):
                yield from _of_command(ask, targets)
            case Call() | Read():
                pass
            case Heard():
                yield from _of_events(ask, targets)


def _of_command(call: Call, targets: Sequence[Target]) -> Iterator[Problem]:
    having = [one for one in targets if call.command in one.schema.commands]
    old = [one.name for one in having if one.schema.commands[call.command].deprecated]
    if old:
        known = facts().commands.get(call.command)
        after = known.replaced_by if known is not None else ""
        yield _note(call.place, f"`{call.command}`", old, after, f"{call.path}/qmp")
    for name in call.value if isinstance(call.value, Mapping) else ():
        members = [one.schema.record(_arguments(call, one)).members for one in having]
        old = [
            one.name
            for one, known in zip(having, members, strict=True)
            if name in known and known[name].deprecated
        ]
        if old:
            names = {other for known in members for other in known}
            after = next((one for one in (f"{name}-node", "id") if one in names), "")
            place, path = _place(call, name), f"{call.path}/args/{name}"
            yield _note(place, f"`{name}` of `{call.command}`", old, after, path)


def _arguments(call: Call, target: Target) -> str:
    return target.schema.commands[call.command].arguments


def _place(call: Call, name: str) -> Place:
    if isinstance(call.args, Dictionary):
        return call.args.entries[name].key_place
    return call.place


def _of_events(heard: Heard, targets: Sequence[Target]) -> Iterator[Problem]:
    """The events of a list that does not name their successors as well."""
    names = {name.event for name in heard.names}
    for name in heard.names:
        old = [
            one.name
            for one in targets
            if name.event in one.schema.events and one.schema.events[name.event].deprecated
        ]
        known = facts().events.get(name.event)
        after = known.replaced_by if known is not None else ""
        if old and after not in names:
            yield _note(name.place, f"`{name.event}`", old, after, name.path)


def _note(place: Place, what: str, old: Sequence[str], after: str, path: str) -> Problem:
    problem = f"{what} is deprecated in {' and '.join(old)}"
    fix = (
        f"use `{after}`" if after else "look in QEMU's list of deprecated features for another way"
    )
    return Problem(place, Code.OUTDATED, problem, fix, Severity.NOTE, path=path)
