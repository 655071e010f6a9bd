"""Slugs, globs, durations, sizes and values as text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.text import (
    clip,
    closest,
    glob,
    parse_duration,
    parse_size,
    render_duration,
    render_size,
    render_text,
    slug,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("web-1", "web-1", id="stays as it is"),
        pytest.param("Web_1.kdump", "Web_1.kdump", id="capitals, underscores and dots stay"),
        pytest.param("a b/c", "a-b-c", id="spaces and slashes become dashes"),
        pytest.param("a+b#c$d", "a-b-c-d", id="what MQTT keeps for itself"),
        pytest.param("größe", "gr--e", id="letters that are not ASCII"),
        pytest.param("../../etc/passwd", "etc-passwd", id="no way up"),
        pytest.param("-rf", "rf", id="no option of a command"),
        pytest.param(".hidden", "hidden", id="no hidden file"),
        pytest.param("", "xe3b0c442", id="nothing"),
        pytest.param("..", "x5ec1f7e7", id="nothing left"),
        pytest.param("\ud800", "x91a681b9", id="half of a surrogate pair"),
        pytest.param("a" * 100, "a" * 100, id="as long as it may be"),
        pytest.param("a" * 101, "a" * 91 + "-9d079339", id="one character too long"),
    ],
)
def test_a_slug_is_safe_in_files_and_topics(text: str, expected: str) -> None:
    """Whatever is not a letter, digit, dot, underscore or dash is replaced."""
    assert slug(text) == expected


@given(st.text(max_size=200))
def test_every_slug_is_one_safe_part_of_a_path(text: str) -> None:
    """It is never empty, never long, never starts with a dot or dash, and is its own slug."""
    made = slug(text)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", made)
    assert slug(made) == made


def test_two_names_may_have_one_slug() -> None:
    """A slug is no identity."""
    assert slug("a b") == slug("a/b") == "a-b"


@pytest.mark.parametrize(
    ("text", "pattern", "fits"),
    [
        pytest.param("web-1", "web-*", True, id="star"),
        pytest.param("web-", "web-*", True, id="star for nothing"),
        pytest.param("web-1", "WEB-*", False, id="capitals matter"),
        pytest.param("web-1", "web-?", True, id="question mark"),
        pytest.param("web-12", "web-?", False, id="question mark is one character"),
        pytest.param("web-1", "web-[0-4]", True, id="one of"),
        pytest.param("web-5", "web-[!0-4]", True, id="none of"),
        pytest.param("web-1", "eb-", False, id="the whole text"),
        pytest.param("a\nb", "a*b", True, id="over lines"),
        pytest.param("[", "[", True, id="a bracket alone is itself"),
    ],
)
def test_a_glob_fits_the_whole_text(text: str, pattern: str, fits: bool) -> None:
    """Stars, question marks and sets, as a shell knows them."""
    assert glob(text, pattern) is fits


@pytest.mark.parametrize(
    ("text", "pattern", "allowed"),
    [
        pytest.param(65_536, 1, True, id="the longest text"),
        pytest.param(65_537, 1, False, id="a longer text"),
        pytest.param(1, 256, True, id="the longest pattern"),
        pytest.param(1, 257, False, id="a longer pattern"),
    ],
)
def test_a_glob_has_bounds(text: int, pattern: int, allowed: bool) -> None:
    """Beyond them it is an error, not a long wait."""
    if allowed:
        assert glob("a" * text, "b" * pattern) is False
    else:
        with pytest.raises(ValueError, match=r"^glob\(\) takes at most 65536 characters of text"):
            glob("a" * text, "b" * pattern)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        pytest.param("dat", "data", id="a letter is missing"),
        pytest.param("GUEST", "guest", id="capitals"),
        pytest.param("xyz", None, id="nothing like it"),
    ],
)
def test_the_closest_word_is_what_was_meant(word: str, expected: str | None) -> None:
    """Only a word that is near is offered."""
    assert closest(word, ["guest", "data"]) == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("500ms", 0.5, id="milliseconds"),
        pytest.param("30s", 30.0, id="seconds"),
        pytest.param("10m", 600.0, id="minutes"),
        pytest.param("2h", 7200.0, id="hours"),
        pytest.param("1d", 86_400.0, id="days"),
        pytest.param("1h30m", 5400.0, id="two units"),
        pytest.param("1d2h3m4s5ms", 93_784.005, id="all units"),
        pytest.param("1.5h", 5400.0, id="a fraction"),
        pytest.param("0s", 0.0, id="nothing"),
        pytest.param("36500d", 3_153_600_000.0, id="the longest"),
    ],
)
def test_a_duration_is_seconds(text: str, seconds: float) -> None:
    """All units, alone and together."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(
            "", "'' is not a duration: write 500ms, 30s, 10m, 2h, 1d or 1h30m", id="empty"
        ),
        pytest.param(
            "soon", "'soon' is not a duration: write 500ms, 30s, 10m, 2h, 1d or 1h30m", id="a word"
        ),
        pytest.param(
            "-5s", "'-5s' is not a duration: write 500ms, 30s, 10m, 2h, 1d or 1h30m", id="negative"
        ),
        pytest.param("5 s", "'5 s' is not a duration: write 5s", id="a space"),
        pytest.param("1 Hour", "'1 Hour' is not a duration: write 1h", id="in words"),
        pytest.param("00:05:00", "'00:05:00' is not a duration: write 5m", id="as a clock has it"),
        pytest.param("1:30", "'1:30' is not a duration: write 1h30m", id="without seconds"),
        pytest.param(
            "2hours 5weeks",
            "'2hours 5weeks' is not a duration: write 500ms, 30s, 10m, 2h, 1d or 1h30m",
            id="a unit that nobody has",
        ),
        pytest.param(
            "5weeks",
            "'5weeks' has an unknown unit 'weeks': the units are d, h, m, s, ms",
            id="a unit that nobody has, alone",
        ),
        pytest.param("30", "'30' has no unit: write 30s, 30m or 30h", id="no unit"),
        pytest.param("5min", "'5min' has an unknown unit 'min': write 5m", id="min"),
        pytest.param(
            "30m1h",
            "'30m1h' mixes up its units: the largest comes first, each once",
            id="the wrong way round",
        ),
        pytest.param(
            "1h1h", "'1h1h' mixes up its units: the largest comes first, each once", id="twice"
        ),
        pytest.param("36501d", "'36501d' is longer than 100 years", id="longer than the longest"),
        pytest.param("9" * 400 + "s", f"'{'9' * 400}s' is longer than 100 years", id="absurd"),
    ],
)
def test_a_wrong_duration_says_how_to_write_it(text: str, problem: str) -> None:
    """The whole sentence."""
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(0.0, "0s", id="nothing"),
        pytest.param(0.0004, "0s", id="less than a millisecond"),
        pytest.param(0.5, "500ms", id="milliseconds"),
        pytest.param(180.0, "3m", id="minutes"),
        pytest.param(5400.0, "1h30m", id="two units"),
        pytest.param(86_461.25, "1d1m1s250ms", id="units in between are left out"),
        pytest.param(-90.0, "-1m30s", id="negative"),
    ],
)
def test_a_duration_is_written_as_people_do(seconds: float, text: str) -> None:
    """Units without a number are left out."""
    assert render_duration(seconds) == text


@given(st.integers(0, 36_500 * 86_400_000))
def test_a_written_duration_is_read_back(milliseconds: int) -> None:
    """What the engine writes, it also reads."""
    assert parse_duration(render_duration(milliseconds / 1000)) == milliseconds / 1000


@pytest.mark.parametrize(
    ("text", "size"),
    [
        pytest.param("0B", 0, id="nothing"),
        pytest.param("7B", 7, id="bytes"),
        pytest.param("1KiB", 1024, id="KiB"),
        pytest.param("512MiB", 536_870_912, id="MiB"),
        pytest.param("4GiB", 4_294_967_296, id="GiB"),
        pytest.param("1TiB", 1_099_511_627_776, id="TiB"),
        pytest.param("1.5GiB", 1_610_612_736, id="a fraction"),
        pytest.param("9007199254740993B", 9_007_199_254_740_993, id="exact where floats are not"),
        pytest.param("8192PiB", 1 << 63, id="the largest"),
    ],
)
def test_a_size_is_bytes(text: str, size: int) -> None:
    """Powers of 1024, exactly."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "'' is not a size: write 512MiB or 4GiB", id="empty"),
        pytest.param("big", "'big' is not a size: write 512MiB or 4GiB", id="a word"),
        pytest.param("1GiB2MiB", "'1GiB2MiB' is not a size: write 512MiB or 4GiB", id="two"),
        pytest.param("4", "'4' has no unit: write 4B, 4MiB or 4GiB", id="no unit"),
        pytest.param("4GB", "'4GB' has an unknown unit 'GB': write 4GiB", id="a power of ten"),
        pytest.param("4m", "'4m' has an unknown unit 'm': write 4MiB", id="a small letter"),
        pytest.param("4bytes", "'4bytes' has an unknown unit 'bytes': write 4B", id="a long word"),
        pytest.param("0.3B", "'0.3B' is not a whole number of bytes", id="a part of a byte"),
        pytest.param("8193PiB", "'8193PiB' is larger than 8 EiB", id="larger than the largest"),
        pytest.param("9" * 400 + "B", f"'{'9' * 400}B' is larger than 8 EiB", id="absurd"),
    ],
)
def test_a_wrong_size_says_how_to_write_it(text: str, problem: str) -> None:
    """The whole sentence."""
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        pytest.param(0, "0B", id="nothing"),
        pytest.param(1023, "1023B", id="just below"),
        pytest.param(1024, "1KiB", id="at"),
        pytest.param(1536 << 20, "1.5GiB", id="a tenth"),
        pytest.param(5 << 50, "5PiB", id="the largest unit"),
    ],
)
def test_a_size_is_written_for_people(size: int, text: str) -> None:
    """In the largest unit that it reaches."""
    assert render_size(size) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("a b", "a b", id="a text as it is"),
        pytest.param(None, "", id="null is nothing"),
        pytest.param(True, "true", id="true"),
        pytest.param(7, "7", id="a whole number"),
        pytest.param(1.5, "1.5", id="a fraction"),
        pytest.param([1, "ü"], '[1,"ü"]', id="a list"),
        pytest.param({"a": None}, '{"a":null}', id="a map"),
    ],
)
def test_a_value_stands_in_a_text_as_compact_json(value: object, text: str) -> None:
    """Only texts and null are themselves."""
    assert render_text(value) == text


def test_an_infinite_number_is_no_text() -> None:
    """JSON has no such number, so none is made up."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        render_text(float("inf"))


@pytest.mark.parametrize(
    ("value", "clipped"),
    [
        pytest.param(None, None, id="null"),
        pytest.param(True, True, id="true"),
        pytest.param(1.5, 1.5, id="a fraction"),
        pytest.param(float("inf"), "inf", id="what JSON cannot say"),
        pytest.param("a" * 10, "a" * 10, id="as long as allowed"),
        pytest.param("a" * 11, "a" * 9 + "…", id="one too long"),
        pytest.param([1, 2], [1, 2], id="a short list stays a list"),
        pytest.param(list(range(9)), "[0,1,2,3,…", id="a long list becomes text"),
    ],
)
def test_long_values_are_cut_for_the_trace(value: object, clipped: object) -> None:
    """Short ones keep their type."""
    assert clip(value, 10) == clipped
