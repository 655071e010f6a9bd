"""The grammar of limits: ``N per DURATION per SCOPE`` and ``N at once per SCOPE``."""

import re

from reactor.core.policy import Limit, LimitScope
from reactor.core.text import parse_duration
from reactor.policyfile.mistakes import brief

LIMIT_PATTERN = r"^[1-9][0-9]{0,5} (at once|per [0-9a-z.]+) per (guest|key|host)$"
_LIMIT = re.compile(r"(?P<count>[0-9]+) (?:at once|per (?P<window>\S+)) per (?P<scope>\S+)")
_FORM = "write it as `3 per 1h per guest` or `1 at once per host`"
_SCOPES = tuple(scope.value for scope in LimitScope)


class LimitError(ValueError):
    """The text is no limit; ``is_unbuilt`` when the language has it for later."""

    def __init__(self, problem: str, fix: str, *, is_unbuilt: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.fix = fix
        self.is_unbuilt = is_unbuilt


def parse_limit(text: object) -> Limit:
    """The limit that this text says, for policies and for the settings.

    Raises:
        LimitError: with the problem and the fix.
    """
    found = _LIMIT.fullmatch(text) if isinstance(text, str) else None
    if not isinstance(text, str) or found is None:
        raise LimitError(f"`{brief(str(text))}` is no limit", _FORM)
    if found["scope"] == "fleet":
        problem = "`per fleet` is part of the language but not built yet"
        raise LimitError(problem, "use `per host`", is_unbuilt=True)
    if found["scope"] not in _SCOPES:
        problem = f"`{brief(found['scope'])}` is no scope of a limit"
        raise LimitError(problem, f"write one of: {', '.join(_SCOPES)}")
    count = int(found["count"][:9])
    if not 1 <= count <= 999_999:
        raise LimitError("a limit counts from 1 to 999999", _FORM)
    return Limit(count, _window(found["window"]), LimitScope(found["scope"]), text)


def _window(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = parse_duration(text)
    except ValueError:
        raise LimitError(f"`{brief(text)}` is no duration", _FORM) from None
    if not 0 < seconds <= 366 * 86400:
        raise LimitError("the window of a limit is above zero and at most a year", _FORM)
    return seconds
