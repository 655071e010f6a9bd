"""What is wrong with a `test:` document beyond its form: names that lead nowhere.

The tree is looked at, and not the models: so all is told in one pass, whatever else is wrong.
"""

from collections.abc import Collection, Iterable, Iterator

from reactor.core import catalog
from reactor.core.text import closest
from reactor.errors import Code, Problem, Severity
from reactor.policyfile.event_names import no_such_event
from reactor.policyfile.mistakes import brief
from reactor.policyfile.nodes import Dictionary, Node, Scalar, items_of, mappings_of
from reactor.policyfile.tests_events import never_sent

ALL = "*"
"""What stands for all guests where one could be named."""

_GUESTS = ("guest", "disconnect", "connect", "crash", "hold", "release")
_POLICIES = ("approve", "deny", "cancel", "trigger")
_OF_ONE_GUEST = frozenset({"event", "mark", "clear", *_POLICIES})


def unknown_names(root: Dictionary, policies: Collection[str]) -> Iterator[Problem]:
    """Policies, guests, events with their data and commands that are not there.

    Args:
        policies: the names of all policies that were found, sound or not.
    """
    names = _Names(root)
    yield from names.policies(policies)
    for entry, path in mappings_of(root.get("timeline"), "timeline"):
        yield from names.entry(entry, path)
        yield from never_sent(entry, path)
    for expected, path in mappings_of(root.get("expect"), "expect"):
        yield from names.effect(expected, path)
        yield from names.effect(expected.inner("not"), f"{path}/not")


class _Names:
    def __init__(self, root: Dictionary) -> None:
        self._guests = root.inner("guests").entries
        self._policies = list(_texts(items_of(root.get("policies"), "policies")))

    def policies(self, known: Collection[str]) -> Iterator[Problem]:
        """The policies under test, of those that were found."""
        for name, node, path in self._policies:
            if name not in known:
                fix = _meant(name, known, "name its file or folder, too")
                yield _wrong(node, path, f"there is no policy `{brief(name)}` here", fix)

    def entry(self, entry: Dictionary, path: str) -> Iterator[Problem]:
        """What happens to whom."""
        for key, keyed in entry.entries.items():
            for name, node, at in _texts([(keyed.value, f"{path}/{key}")]):
                if key in _GUESTS and name != ALL:
                    yield from self._guest(name, node, at)
                elif key in _POLICIES:
                    yield from self._policy(name, node, at)
                elif key == "event" and (wrong := _no_event(name)):
                    place = node.place
                    yield Problem(place, Code.UNKNOWN_NAME, *wrong, Severity.WARNING, path=at)
        if len(self._guests) > 1 and "guest" not in entry.entries and _is_of_one_guest(entry):
            fix = f"add `guest:` with one of: {', '.join(self._guests)}"
            yield _wrong(entry, path, "the test has several guests, and none is named here", fix)

    def effect(self, expected: Dictionary, path: str) -> Iterator[Problem]:
        """Of whom what is expected."""
        for key, keyed in expected.entries.items():
            for name, node, at in _texts([(keyed.value, f"{path}/{key}")]):
                if key == "target":
                    yield from self._guest(name, node, at)
                elif key == "run":
                    yield from self._policy(name, node, at)
                elif key == "qmp":
                    yield from _command(name, node, at, "QEMU", catalog.known_commands())
                elif key == "agent":
                    yield from _command(name, node, at, "guest agent", catalog.agent_commands())

    def _guest(self, name: str, node: Node, path: str) -> Iterator[Problem]:
        if self._guests and name not in self._guests:
            fix = _meant(name, self._guests, "add it to `guests`")
            problem = f"the guest `{brief(name)}` is none of this test's `guests`"
            yield _wrong(node, path, problem, fix)

    def _policy(self, name: str, node: Node, path: str) -> Iterator[Problem]:
        tested = [name for name, _, _ in self._policies]
        if tested and name not in tested:
            fix = _meant(name, tested, "add it to `policies`")
            problem = f"the policy `{brief(name)}` is none of this test's `policies`"
            yield _wrong(node, path, problem, fix)


def _command(
    name: str, node: Node, path: str, whose: str, known: Collection[str]
) -> Iterator[Problem]:
    """A command that nobody has is never sent: what expects it not to be sent proves nothing."""
    if name not in known and not name.startswith("__"):
        problem = f"no {whose} up to 11.1 has the command `{brief(name)}`"
        fix = _meant(name, known, "look it up in its reference")
        yield Problem(node.place, Code.UNKNOWN_NAME, problem, fix, Severity.WARNING, path=path)


def _no_event(name: str) -> tuple[str, str] | None:
    """What is wrong with the name, where the model has not said so already."""
    return None if name.startswith("REACTOR_") else no_such_event(name)


def _is_of_one_guest(entry: Dictionary) -> bool:
    changes = entry.inner("set").entries
    return not _OF_ONE_GUEST.isdisjoint(entry.entries) or bool(changes.keys() - {"free"})


def _texts(nodes: Iterable[tuple[Node, str]]) -> Iterator[tuple[str, Node, str]]:
    for node, path in nodes:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            yield node.value, node, path


def _wrong(node: Node, path: str, problem: str, fix: str) -> Problem:
    return Problem(node.place, Code.WRONG_VALUE, problem, fix, path=path)


def _meant(name: str, known: Iterable[str], otherwise: str) -> str:
    guess = closest(name, known)
    return f"did you mean `{guess}`?" if guess else otherwise
