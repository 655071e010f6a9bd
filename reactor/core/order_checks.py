"""What every order is checked for: known names, sensible times, texts of a sensible length."""

import shlex
from collections.abc import Collection, Mapping

from reactor.core.guest import Guest
from reactor.core.policy import Policy
from reactor.core.text import closest
from reactor.core.world import World

TEXT_MAX = 1000
"""Characters of a comment or reason."""

WORD_MAX = 256
"""Characters of a glob, of a mark's id and of its word."""

SECONDS_MAX = 10 * 366 * 86_400.0
"""Seconds for which an order may hold: ten years."""

_GUESSES_MAX = 5000
"""Names among which a near one is looked for: that takes its time."""

Answer = tuple[str, Mapping[str, object]]
"""What was done, as a sentence and as data for programs."""


class OrderRefused(Exception):  # noqa: N818 - an answer to the operator, not an error of ours
    """The order cannot be carried out; the text is the sentence that says why.

    ``data`` is what programs are told with it, ``fix`` what to do about it.
    """

    def __init__(
        self, text: str, data: Mapping[str, object] | None = None, *, fix: str = ""
    ) -> None:
        super().__init__(text)
        self.data = data or {}
        self.fix = fix


def known_guest(world: World, name: str) -> Guest:
    """The guest of this name.

    Raises:
        OrderRefused: nobody names such a guest.
    """
    guest = world.guests.get(name)
    if guest is None or guest.forgotten:
        names = [other.name for other in world.guests.values() if not other.forgotten]
        text = f"no guest is called {name!r}{did_you_mean(name, names)}"
        raise OrderRefused(text, fix="`reactor guests` lists them")
    return guest


def known_policy(world: World, name: str) -> Policy:
    """The loaded policy of this name.

    Raises:
        OrderRefused: none is.
    """
    policy = world.index.policies.get(name)
    if policy is None:
        guess = did_you_mean(name, world.index.policies)
        text = f"no policy is called {name!r}{guess}"
        raise OrderRefused(text, fix="`reactor status` lists them")
    return policy


def did_you_mean(word: str, known: Collection[str]) -> str:
    """``; did you mean 'web-1'?``, or nothing where no name is near."""
    guess = closest(word, known) if len(known) <= _GUESSES_MAX else None
    return "" if guess is None else f"; did you mean {guess!r}?"


def quoted(name: str) -> str:
    """The name as a shell reads it, for a command line that somebody may copy."""
    return shlex.quote(name)


def end_of(world: World, seconds: float) -> float:
    """When an order ends that holds for so long.

    Raises:
        OrderRefused: it would end at once, or in more than ten years.
    """
    if not 0 < seconds <= SECONDS_MAX:
        text = f"{seconds:g} s is no time to set: more than 0, and at most ten years"
        raise OrderRefused(text, fix="write such as 30m, 2h or 1d")
    return world.now + seconds


def check_text(what: str, text: str) -> None:
    """Refuse a comment or reason that is too long.

    Raises:
        OrderRefused: it is.
    """
    if len(text) > TEXT_MAX:
        problem = f"the {what} has {len(text)} characters; at most {TEXT_MAX} fit"
        raise OrderRefused(problem, fix="make it shorter")


def check_word(what: str, word: str) -> None:
    """Refuse a name or glob that is empty or too long.

    Raises:
        OrderRefused: it is.
    """
    if not 0 < len(word) <= WORD_MAX:
        problem = f"the {what} has {len(word)} characters; 1 to {WORD_MAX} are allowed"
        raise OrderRefused(problem, fix=f"name the {what}" if not word else "make it shorter")
