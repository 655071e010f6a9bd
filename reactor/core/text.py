"""Small words and numbers: slugs, globs, durations, sizes, values as text."""

import difflib
import hashlib
import json
import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

SLUG_MAX = 100
"""Characters of the longest slug."""

GLOB_TEXT_MAX = 65_536
GLOB_PATTERN_MAX = 256

_NOT_SLUG = re.compile(r"[^A-Za-z0-9._-]")
_HASH = 8

_MILLISECONDS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_DURATION_MAX = 100 * 365 * 86_400
_PART = re.compile(r"(\d+(?:\.\d+)?)([a-zA-Z]*)", re.ASCII)

_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "PiB": 1 << 50}
_SIZE_MAX = 1 << 63


def slug(text: str) -> str:
    """The text as a name that is safe as one part of a file name or an MQTT topic.

    Letters, digits, ``.``, ``_`` and ``-`` stay, every other character becomes
    ``-``; dots and dashes at the start go (``..``, hidden files, options of
    commands). Nothing left: ``x`` and a hash. Longer than 100 characters: cut,
    with a hash at the end. Two different texts may give one slug (``a b`` and
    ``a/b``): who needs a name that is unique adds a part that is.
    """
    cleaned = _NOT_SLUG.sub("-", text).lstrip(".-")
    if not cleaned:
        return "x" + _hash(text)
    if len(cleaned) > SLUG_MAX:
        return f"{cleaned[: SLUG_MAX - _HASH - 1]}-{_hash(text)}"
    return cleaned


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_HASH]


def glob(text: str, pattern: str) -> bool:
    """Whether the whole text fits the pattern of ``*``, ``?``, ``[ab]``, ``[!a-z]``.

    Capital letters matter. The time grows with both lengths, never faster:
    Python translates a glob to a regular expression that does not go back.

    Raises:
        ValueError: the text or the pattern is longer than a glob may be.
    """
    if len(text) > GLOB_TEXT_MAX or len(pattern) > GLOB_PATTERN_MAX:
        raise ValueError(
            f"glob() takes at most {GLOB_TEXT_MAX} characters of text"
            f" and {GLOB_PATTERN_MAX} of pattern"
        )
    return fnmatchcase(text, pattern)


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant; None when none is near."""
    words = sorted(known)
    lowered = {known_word.lower(): known_word for known_word in words}
    if word.lower() in lowered:
        return lowered[word.lower()]
    return next(iter(difflib.get_close_matches(word, words, n=1, cutoff=0.6)), None)


_UNITS_OF_OTHERS = {
    **dict.fromkeys(("days", "day"), "d"),
    **dict.fromkeys(("hours", "hour", "hrs", "hr"), "h"),
    **dict.fromkeys(("minutes", "minute", "mins", "min"), "m"),
    **dict.fromkeys(("seconds", "second", "secs", "sec"), "s"),
    **dict.fromkeys(("milliseconds", "millis", "msecs", "msec"), "ms"),
}
_CLOCK = re.compile(r"(\d\d?):(\d\d)(?::(\d\d))?", re.ASCII)


def _duration_meant(text: str) -> str:
    """The duration of `5 min`, `1 hour` and `00:05:00` as it is written; empty for all else."""
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return render_duration(hours * 3600 + minutes * 60 + seconds)
    parts = _parts("".join(text.lower().split()))
    units = [_UNITS_OF_OTHERS.get(unit, unit) for _, unit in parts]
    if any(unit not in _MILLISECONDS for unit in units):
        return ""
    return "".join(number + unit for (number, _), unit in zip(parts, units, strict=True))


def parse_duration(text: str) -> float:
    """Seconds of ``500ms``, ``30s``, ``10m``, ``2h``, ``1d``, ``1h30m``, ``1.5h``.

    Raises:
        ValueError: it is not a duration; the message is a sentence for people.
    """
    parts = _parts(text)
    if not parts:
        example = _duration_meant(text) or "500ms, 30s, 10m, 2h, 1d or 1h30m"
        raise ValueError(f"{text!r} is not a duration: write {example}")
    order = list(_MILLISECONDS)
    total = 0.0
    last = -1
    for number, unit in parts:
        if not unit:
            raise ValueError(f"{text!r} has no unit: write {text}s, {text}m or {text}h")
        if unit not in _MILLISECONDS:
            meant = _duration_meant(text)
            fix = f"write {meant}" if meant else "the units are d, h, m, s, ms"
            raise ValueError(f"{text!r} has an unknown unit {unit!r}: {fix}")
        if order.index(unit) <= last:
            raise ValueError(f"{text!r} mixes up its units: the largest comes first, each once")
        last = order.index(unit)
        total += float(number) * _MILLISECONDS[unit]
    seconds = total / 1000
    if seconds > _DURATION_MAX:
        raise ValueError(f"{text!r} is longer than 100 years")
    return seconds


def render_duration(seconds: float) -> str:
    """The duration as a person writes it (``1h30m``, ``500ms``), to the millisecond."""
    left = round(abs(seconds) * 1000)
    text = ""
    for unit, size in _MILLISECONDS.items():
        count, left = divmod(left, size)
        if count:
            text += f"{count}{unit}"
    if not text:
        return "0s"
    return f"-{text}" if seconds < 0 else text


def render_time(seconds: float) -> str:
    """A time (seconds since the epoch) as people and programs read it, in UTC, to the second."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=round(seconds))
    return moment.isoformat().replace("+00:00", "Z")


def parse_size(text: str) -> int:
    """Bytes of ``512MiB``, ``4GiB``, ``1.5GiB``.

    Raises:
        ValueError: it is not a size; the message is a sentence for people.
    """
    parts = _parts(text)
    if len(parts) != 1:
        raise ValueError(f"{text!r} is not a size: write 512MiB or 4GiB")
    number, unit = parts[0]
    if not unit:
        raise ValueError(f"{text!r} has no unit: write {text}B, {text}MiB or {text}GiB")
    if unit not in _BYTES:
        guess = closest(unit[:1] + "iB", _BYTES) if unit[:1].upper() in "KMGTP" else "B"
        raise ValueError(f"{text!r} has an unknown unit {unit!r}: write {number}{guess}")
    size = float(number) * _BYTES[unit]
    if size > _SIZE_MAX:
        raise ValueError(f"{text!r} is larger than 8 EiB")
    if size != int(size):
        raise ValueError(f"{text!r} is not a whole number of bytes")
    return int(number) * _BYTES[unit] if number.isdigit() else int(size)


def render_size(size_bytes: int) -> str:
    """The size as people read it, to a tenth of the unit: ``1.5GiB``, ``512MiB``, ``17B``."""
    unit = next(unit for unit in reversed(_BYTES) if size_bytes >= _BYTES[unit] or unit == "B")
    return f"{size_bytes / _BYTES[unit]:.1f}".removesuffix(".0") + unit


def _parts(text: str) -> list[tuple[str, str]]:
    """The numbers and units that the text is made of; empty when it is anything else."""
    parts = _PART.findall(text)
    return parts if "".join(number + unit for number, unit in parts) == text else []


def render_json(value: object) -> str:
    """The value as compact JSON.

    Raises:
        ValueError: a number in it is infinite or not a number.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def render_text(value: object) -> str:
    """A value as it stands inside a longer text.

    Strings as they are, null as nothing, anything else as compact JSON.

    Raises:
        ValueError: a number in it is infinite or not a number.
    """
    if isinstance(value, str):
        return str(value)
    if value is None:
        return ""
    return render_json(value)


def clip(value: object, limit: int = 200) -> object:
    """The value itself if it is short; else its text, cut to ``limit`` characters."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    text = render_text(value)
    if len(text) > limit:
        return text[: limit - 1] + "…"
    return value
