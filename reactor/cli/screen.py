"""What verbs print: plain text anywhere, colour only where a person looks at a terminal."""

import contextlib
import errno
import os
import select
import sys
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from reactor.app.printable import printable
from reactor.errors import ReactorError

if TYPE_CHECKING:
    from rich.console import Console

Part = str | tuple[str, str]
"""Text, or text with a style that ``rich`` knows."""

Output = Literal["text", "json"]
Lines = Literal["text", "json", "jsonl"]

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def has_colour(stream: TextIO) -> bool:
    """Whether a person looks at the stream and did not ask for plain text (no-color.org)."""
    wants = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wants and stream.isatty()


class Screen:
    """Writes lines to a stream; without a terminal exactly their text."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._console = _console(self._stream) if has_colour(self._stream) else None

    def line(self, *parts: Part) -> None:
        """Write one line; what would steer a terminal is written as an escape."""
        shown = [
            (printable(part), "") if isinstance(part, str) else (printable(part[0]), part[1])
            for part in parts
        ]
        if self._console is None:
            self._stream.write("".join(text for text, _ in shown) + "\n")
            return
        from rich.text import Text

        self._console.print(Text.assemble(*shown), soft_wrap=True)

    def flush(self) -> None:
        """Everything that was written is on its way."""
        self._stream.flush()


def _console(stream: TextIO) -> "Console":
    # Only a terminal is worth the time that this import takes.
    from rich.console import Console

    return Console(file=stream, highlight=False, markup=False, emoji=False)


def until_readers_leave(show: Callable[[], object]) -> object:
    """What ``show`` returns, all of its output written; None when the reader went away.

    Output into a pipe that nobody reads any more (``| head``) is missed by nobody.

    Raises:
        ReactorError: what was printed cannot be written, such as to a full disk.
    """
    try:
        result = show()
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_the_rest()
        return None
    except OSError as error:
        if error.filename is not None or error.errno not in _NO_ROOM:
            raise
        _discard_the_rest()
        problem = f"it cannot be written: {error.strerror}"
        fix = "make room, or send the output elsewhere"
        raise ReactorError("standard output", problem, fix) from None
    return result


def reader_left() -> bool:
    """Whether standard output is a pipe that nobody reads any more."""
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), 0)
    except OSError:  # there is no descriptor behind it
        return False
    return any(state & select.POLLERR for _, state in poll.poll(0))


def _discard_the_rest() -> None:
    # Python flushes once more at its end, and would complain there.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_closed_streams() -> None:
    """What is written to a stream that was closed before the start (``>&-``) is discarded.

    Python has None in its place then.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # Open until the end of the process, as the stream would be.
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115


def let_every_character_pass() -> None:
    """Characters that the terminal's encoding lacks become escapes instead of errors."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def to_json(value: object, stream: TextIO | None = None, *, indent: int | None = None) -> str:
    """The value as JSON; on a terminal with nothing in it that could steer it."""
    import json

    is_terminal = (stream or sys.stdout).isatty()
    return json.dumps(value, ensure_ascii=is_terminal, indent=indent)


def shown_path(path: Path) -> str:
    """The path as people would type it from here."""
    with contextlib.suppress(ValueError, OSError):
        return str(path.relative_to(Path.cwd()))
    return str(path)
