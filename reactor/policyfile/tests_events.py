"""The data of an event that a test lets happen, held against what QEMU sends.

A condition that reads misspelt data is false, and what is then expected not to be done is not
done for that reason alone: the test passes, and proves nothing.
"""

from collections.abc import Iterator

from reactor.errors import Code, Problem, Severity
from reactor.policyfile.nodes import Broken, Dictionary, Node, Scalar, Sequence, find, key_place
from reactor.qapi.shipped import schema_of, versions
from reactor.qapi.values import Hole, Misfit, Value, Wrong, fit_event


def never_sent(entry: Dictionary, path: str) -> Iterator[Problem]:
    """What no QEMU sends of the data of an event; members may be left out, as most tests do.

    Of versions that differ it is told only where none of them sends it.

    Args:
        entry: an entry of the timeline.
        path: the way to it.
    """
    event, data = entry.get("event"), entry.get("data")
    if not (isinstance(event, Scalar) and isinstance(data, Dictionary)):
        return
    schemas = [one for one in map(schema_of, versions()) if event.value in one.events]
    told = [_told(fit_event(one, str(event.value), value_of(data)).misfits) for one in schemas]
    for key in told[0] if told else ():
        if all(key in one for one in told):
            misfit = told[-1][key]
            way = misfit.way
            is_key = misfit.wrong is Wrong.UNKNOWN
            place = key_place(entry, way) if is_key else find(entry, way).place
            problem = f"QEMU never sends this: {misfit.problem}"
            at = "/".join((path, *map(str, way)))
            yield Problem(place, Code.CALL, problem, misfit.fix, Severity.WARNING, path=at)


def value_of(node: Node) -> Value:
    """The node as a value; what was complained about already may be anything."""
    match node:
        case Scalar(_, _, value):
            return value
        case Sequence(_, items):
            return [value_of(item) for item in items]
        case Dictionary(_, entries):
            return {key: value_of(entry.value) for key, entry in entries.items()}
        case Broken():
            return Hole()


def _told(misfits: tuple[Misfit, ...]) -> dict[tuple[object, ...], Misfit]:
    """By what is the same in all versions, without what is missing."""
    return {(one.way, one.wrong): one for one in misfits if one.wrong is not Wrong.MISSING}
