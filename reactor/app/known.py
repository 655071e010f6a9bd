"""Names that an operator asked about and nobody has: said, not answered with an empty list."""

from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase

from reactor.adapters.journal import Reader
from reactor.core.text import closest

NAMES_MAX = 5000
"""Names among which a near one is looked for: that takes its time."""

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name that nobody has: what is wrong, and what to write instead."""

    problem: str
    fix: str


def unknown(kind: str, name: str | None, known: Collection[str]) -> Unknown | None:
    """What is wrong with the name; None where it is one of these, or none was asked for.

    Args:
        kind: ``policy`` or ``guest``.
    """
    if name is None or name in known:
        return None
    return Unknown(f"no {kind} is called {name!r}", instead(kind, name, known))


def unmatched(kind: str, glob: str, known: Collection[str]) -> Unknown | None:
    """What is wrong with the glob; None where it matches one of these, or all are meant."""
    if glob == "*" or any(fnmatchcase(name, glob) for name in known):
        return None
    return Unknown(f"no {kind} matches {glob!r}", instead(kind, glob, known))


def instead(kind: str, name: str, known: Collection[str]) -> str:
    """The name that was probably meant, else some of those that there are."""
    guess = closest(name, known) if len(known) <= NAMES_MAX else None
    if guess is not None:
        return f"write {guess!r}"
    if not known:
        return f"there is no {kind} at all: is it the right journal?"
    some = ", ".join(sorted(known)[:SHOWN])
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return f"write one of: {some}{more}"


def of_journal(
    reader: Reader,
    policy: str | None,
    guest: str | None,
    *,
    policies: Collection[str] = (),
    guests: Collection[str] = (),
) -> Unknown | None:
    """The first of these names that a journal does not know.

    Args:
        policies: those that are known besides.
        guests: those that are known besides.

    Raises:
        JournalError: the journal cannot be read.
    """
    old_policies, old_guests = reader.names(NAMES_MAX + 1)
    found = unknown("policy", policy, {*old_policies, *policies})
    return found or unknown("guest", guest, {*old_guests, *guests})
