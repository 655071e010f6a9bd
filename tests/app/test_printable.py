"""Text from outside that is shown on a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.app.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("web-1", "web-1", id="plain"),
        pytest.param("Größe 東京 ✓", "Größe 東京 ✓", id="letters of the world"),
        pytest.param("\x1b[2Jx", "\\x1b[2Jx", id="escape sequence"),
        pytest.param("\x9b31mx", "\\x9b31mx", id="its 8 bit form"),
        pytest.param("a\r\nb\tc", "a\\r\\nb\\tc", id="line ends and tabs"),
        pytest.param("a\u202eb", "a\\u202eb", id="writing direction"),
        pytest.param("\udc80", "\\udc80", id="half a character"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_what_could_steer_a_terminal_is_an_escape(text: str, shown: str) -> None:
    """Everything else stays as it is."""
    assert printable(text) == shown


@given(st.text())
def test_whatever_comes_the_result_is_printable(text: str) -> None:
    """And that of a printable text is the text itself."""
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)
