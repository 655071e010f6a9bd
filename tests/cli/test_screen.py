"""Text and colour, and who gets which."""

import io
import json

import pytest

from reactor.cli.screen import Screen, has_colour, to_json


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.mark.parametrize(
    ("stream", "no_color", "term", "colour"),
    [
        pytest.param(Terminal(), "", "xterm", True, id="terminal"),
        pytest.param(Terminal(), "1", "xterm", False, id="NO_COLOR"),
        pytest.param(Terminal(), "", "dumb", False, id="a terminal without colours"),
        pytest.param(io.StringIO(), "", "xterm", False, id="file or pipe"),
    ],
)
def test_colour_is_for_people_at_terminals(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, no_color: str, term: str, colour: bool
) -> None:
    """Who did not ask to be spared."""
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", term)
    assert has_colour(stream) is colour


def test_a_terminal_gets_the_same_text_in_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is wrapped, however narrow it is."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    Screen(stream).line(("bold", "bold"), " and [red]plain[/red] " + "x" * 40)
    text = stream.getvalue()
    assert "\x1b[1mbold\x1b[0m" in text
    assert text.replace("\x1b[1m", "").replace("\x1b[0m", "") == (
        "bold and [red]plain[/red] " + "x" * 40 + "\n"
    )


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()], ids=["terminal", "file"])
def test_text_from_outside_cannot_steer_a_terminal(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO
) -> None:
    """Nor break a line in two."""
    monkeypatch.setenv("TERM", "xterm")
    Screen(stream).line("a\x1b[2Jb\nc", ("\x9b31m", "bold"))
    text = stream.getvalue()
    assert "\x1b[2J" not in text
    assert "\x9b" not in text
    assert "a\\x1b[2Jb\\nc" in text
    assert text.count("\n") == 1


def test_json_is_readable_for_people_only_where_nothing_can_happen() -> None:
    """On a terminal everything beyond ASCII is an escape; both are the same value."""
    value = {"name": "Größe\x9b"}
    assert to_json(value, Terminal()) == '{"name": "Gr\\u00f6\\u00dfe\\u009b"}'
    assert "Größe" in to_json(value, io.StringIO())
    assert json.loads(to_json(value, Terminal())) == json.loads(to_json(value, io.StringIO()))
