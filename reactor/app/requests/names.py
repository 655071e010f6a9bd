"""Names in a topic: a guest by its name or its slug, a device by its id or its slug."""

from collections.abc import Callable

from reactor.core.guest import Guest
from reactor.core.order_checks import OrderRefused, known_policy
from reactor.core.text import slug
from reactor.core.world import World


class Refused(Exception):  # noqa: N818 - an answer to who asked, not an error of ours
    """A request cannot be understood, or may not be carried out; with what to do about it."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.fix = fix


class Names:
    """Finds what is meant among what there is now.

    What nobody has stays as it is: the engine says so, with what was probably meant.
    """

    def __init__(self, world: Callable[[], World]) -> None:
        self._world = world

    def guest(self, level: str) -> str:
        """The guest of this name, or whose name has this slug.

        Raises:
            Refused: several have it.
        """
        guests = self._world().guests
        if level in guests:
            return level
        found = [name for name, guest in guests.items() if _is_there(guest) and slug(name) == level]
        if len(found) > 1:
            names = ", ".join(map(repr, sorted(found)[:5]))
            fix = "give the guests names that differ in letters, digits, `.`, `_` and `-`"
            raise Refused(f"{len(found)} guests are called {level!r} in a topic: {names}", fix)
        return found[0] if found else level

    def policy(self, level: str) -> None:
        """Pass where a policy of this name is loaded.

        Raises:
            Refused: none is.
        """
        try:
            known_policy(self._world(), level)
        except OrderRefused as refused:
            raise Refused(str(refused), refused.fix) from None

    def device(self, level: str, device: str | None) -> str:
        """The id of a device: as the payload says it, else as the topic does.

        Raises:
            Refused: the two do not belong together.
        """
        if device is None or device == level:
            return level
        if slug(device) != level:
            fix = f"publish to the topic with {slug(device)!r}, or leave `device` out"
            raise Refused(f"`device` is {device!r}, and the topic says {level!r}", fix)
        return device

    def marked(self, guest: str, kind: str, level: str, device: str | None) -> str:
        """The id of a device that has a mark, by its id or its slug.

        Raises:
            Refused: the payload names another one.
        """
        if device is not None:
            return self.device(level, device)
        ids = {mark.id for mark in self._world().marks.of(guest) if mark.kind == kind}
        return _only(level, ids)

    def word(self, guest: str, kind: str, device: str, level: str) -> str:
        """The word of a mark on a device, by itself or its slug."""
        marks = self._world().marks.of(guest)
        words = {mark.word for mark in marks if mark.kind == kind and mark.id == device}
        return _only(level, words)


def _is_there(guest: Guest) -> bool:
    return not guest.forgotten


def _only(level: str, known: set[str]) -> str:
    """The one of these that is meant by a level; the level itself where none or several are."""
    found = [one for one in known if slug(one) == level]
    return found[0] if level not in known and len(found) == 1 else level
