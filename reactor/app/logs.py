"""The daemon's log on standard error: for people on a terminal, JSON lines elsewhere."""

import asyncio
import atexit
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from reactor.app.log_options import LogFormat, LogLevel
from reactor.app.printable import printable

TOGETHER_MAX = 1000
"""Lines that are written at once, and so the most that a kill takes along."""


def set_up_logs(
    form: LogFormat = "auto", level: LogLevel = "info", stream: TextIO | None = None
) -> None:
    """Let every line of this process, libraries included, go to ``stream`` in one form.

    Args:
        form: ``auto`` is ``console`` on a terminal and ``json`` elsewhere.
        stream: standard error when None.
    """
    sink = _Sink(stream or sys.stderr)
    is_json = form == "json" or (form == "auto" and not sink.is_terminal)
    before = _before(is_json=is_json)
    last = _last(is_json=is_json, colours=sink.is_terminal and not os.environ.get("NO_COLOR"))
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*before, *last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_names: sink,
        cache_logger_on_first_use=False,
    )
    handler = _Handler(sink)
    formatter = structlog.stdlib.ProcessorFormatter
    handler.setFormatter(
        formatter(processors=[formatter.remove_processors_meta, *last], foreign_pre_chain=before)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    # It tells of every change in a watched folder; what follows from it is told by us.
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    # They write headers and queries, in which secrets stand.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _before(*, is_json: bool) -> Sequence[Processor]:
    """What every line gets, whoever wrote it."""
    form, utc = ("iso", True) if is_json else ("%Y-%m-%d %H:%M:%S", False)
    return (
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt=form, utc=utc),
        structlog.processors.StackInfoRenderer(),
    )


def _last(*, is_json: bool, colours: bool) -> Sequence[Processor]:
    if is_json:
        return (
            structlog.processors.format_exc_info,
            _json,
        )
    return (
        structlog.processors.format_exc_info,
        _visible,
        structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=0),
    )


def _json(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    return _ENCODER.encode(line).decode()


_ENCODER = msgspec.json.Encoder(enc_hook=str)


def _visible(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """The line without what a guest could steer a terminal with; tracebacks keep their lines."""
    return {
        key: printable(value) if isinstance(value, str) and key != "exception" else value
        for key, value in line.items()
    }


class _Sink:
    """Writes whole lines, and loses them when nobody can read them any more.

    A log whose reader went away (``reactor run | head``, a full disk) must not
    stop the daemon. In a storm each write by itself would cost as much as what it
    tells of: so the lines of one turn of the loop, up to the first warning, are
    written together.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.is_terminal = stream.isatty()
        self.lost = 0
        self._lines: list[str] = []
        self._lock = threading.Lock()
        atexit.register(self.flush)

    def msg(self, text: str) -> None:
        """Write a line, and what came before it."""
        self._add(text)
        self.flush()

    def soon(self, text: str) -> None:
        """Write a line at the end of this turn of the loop; at once where there is none."""
        if self._add(text) == 1 and not _at_the_end_of_the_turn(self.flush):
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            lines, self._lines = self._lines, []
            if not lines:
                return
            try:
                self._stream.write("\n".join(lines) + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                self.lost += len(lines)

    def _add(self, text: str) -> int:
        """How many lines wait."""
        with self._lock:
            self._lines.append(text)
            number = len(self._lines)
        if number >= TOGETHER_MAX:
            self.flush()
        return number

    debug = info = soon
    warning = error = critical = exception = log = msg


def _at_the_end_of_the_turn(what: Callable[[], None]) -> bool:
    """Whether there is a loop in this thread, which then calls it."""
    try:
        asyncio.get_running_loop().call_soon(what)
    except RuntimeError:
        return False
    return True


class _Handler(logging.Handler):
    """Sends the lines of libraries the same way."""

    def __init__(self, sink: _Sink) -> None:
        super().__init__()
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        try:
            self._sink.msg(self.format(record))
        except Exception:  # noqa: BLE001 - a line that cannot be formatted is no reason to stop
            self.handleError(record)
