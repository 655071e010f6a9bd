"""Whether the guests of one policy are guests of another."""

from fnmatch import fnmatchcase

from reactor.core.policy import Selector

_GLOB = frozenset("*?[")


def covers(one: Selector, other: Selector) -> bool:
    """Whether every guest that the other selects is selected here, as far as is known."""
    names_fit = not one.names or (
        bool(other.names) and all(_fits(name, one.names) for name in other.names)
    )
    given = dict(other.labels)
    labels_fit = all(
        bool(given.get(label)) and all(_fits(value, globs) for value in given[label])
        for label, globs in one.labels
    )
    left_out = one.excludes
    are_kept = left_out is None or left_out == other.excludes or _apart(left_out, other)
    return names_fit and labels_fit and are_kept


def _fits(pattern: str, globs: tuple[str, ...]) -> bool:
    """Whether all that this name or glob means is meant by one of the globs."""
    if _GLOB.isdisjoint(pattern):
        return any(fnmatchcase(pattern, glob) for glob in globs)
    return pattern in globs or "*" in globs


def _apart(left_out: Selector, other: Selector) -> bool:
    """Whether no guest of the other is left out, as far as plain names and values tell."""
    if left_out.names and other.names and _differ(left_out.names, other.names):
        return True
    given = dict(other.labels)
    return any(label in given and _differ(globs, given[label]) for label, globs in left_out.labels)


def _differ(globs: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    return all(
        _GLOB.isdisjoint(pattern) and not any(fnmatchcase(pattern, glob) for glob in globs)
        for pattern in patterns
    )
