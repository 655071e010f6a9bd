"""Which part of a policy's selector does not fit a guest."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from reactor.core.policy import Selector


def selection(selector: Selector, name: str, labels: Mapping[str, str]) -> tuple[bool, str]:
    """Whether the guest is selected, and the sentence that says by what it is, or is not."""
    if misfit := _misfit(selector, name, labels):
        return False, f"the policy does not select this guest: {misfit}"
    if selector.excludes is not None and not _misfit(selector.excludes, name, labels):
        return False, f"`guests.except` excludes this guest: {_fit(selector.excludes, labels)}"
    fit = _fit(selector, labels)
    return (
        True,
        f"the policy selects this guest: {fit}" if fit else "the policy selects every guest",
    )


def _misfit(selector: Selector, name: str, labels: Mapping[str, str]) -> str:
    """The first part that does not fit; empty when all do."""
    if selector.names and not any(fnmatchcase(name, glob) for glob in selector.names):
        return f"its name is none of {_listed(selector.names)}"
    for label, globs in selector.labels:
        value = labels.get(label)
        if value is None:
            has = f" (its labels: {_shown(labels)})" if labels else " (it has none)"
            return f"it has no label `{label}`, which must be {_listed(globs)}{has}"
        if not any(fnmatchcase(value, glob) for glob in globs):
            return f"its label `{label}` is {value!r}, not {_listed(globs)}"
    return ""


def _fit(selector: Selector, labels: Mapping[str, str]) -> str:
    parts = [f"its name is one of {_listed(selector.names)}"] if selector.names else []
    parts += [f"its label `{label}` is {labels[label]!r}" for label, _ in selector.labels]
    return ", ".join(parts)


def _listed(globs: tuple[str, ...]) -> str:
    return " or ".join(f"`{glob}`" for glob in globs)


def _shown(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{label}={value}" for label, value in sorted(labels.items()))
