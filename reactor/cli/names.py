"""Names that an operator wrote and nobody has."""

from collections.abc import Collection

from reactor.core.text import closest

SHOWN = 5

GUESSES_MAX = 5000
"""Names among which a near one is looked for: that takes its time."""


def known_names(kind: str, name: str, known: Collection[str]) -> str:
    """How to mend it: the name that was probably meant, else some of those that there are."""
    guess = closest(name, known) if len(known) <= GUESSES_MAX else None
    if guess is not None:
        return f"write {guess!r}"
    if not known:
        return f"there is no {kind} at all: is it the right file?"
    some = ", ".join(sorted(known)[:SHOWN])
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return f"write one of: {some}{more}"
