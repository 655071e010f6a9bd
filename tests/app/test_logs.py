"""The daemon's log, as people and programs read it."""

import asyncio
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog

from reactor.app import logs
from reactor.app.log_options import LogFormat, LogLevel
from reactor.app.logs import set_up_logs


class Stream(io.StringIO):
    """A stream that may be a terminal, and that may break."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__()
        self._terminal = terminal
        self.broken = False

    def isatty(self) -> bool:
        """Whether a person looks at it."""
        return self._terminal

    def write(self, text: str) -> int:
        """Take the text, or fail like a pipe that nobody reads."""
        if self.broken:
            raise BrokenPipeError
        return super().write(text)


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """The log of the tests themselves is left alone."""
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    structlog.reset_defaults()


def log_to(stream: Stream, form: LogFormat = "auto", level: LogLevel = "info") -> None:
    """Log two lines of ours and one of a library."""
    set_up_logs(form, level, stream)
    log = structlog.get_logger("reactor")
    log.debug("not said")
    log.warning("monitor lost", guest="web-1", reason="it is gone")
    logging.getLogger("asyncio").error("task %s failed", 3)


def test_elsewhere_each_line_is_json() -> None:
    """With its level and an RFC 3339 time in UTC; lines of libraries too."""
    stream = Stream()
    log_to(stream)
    ours, theirs = map(json.loads, stream.getvalue().splitlines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", ours.pop("timestamp"))
    assert ours == {
        "event": "monitor lost",
        "guest": "web-1",
        "level": "warning",
        "reason": "it is gone",
    }
    del theirs["timestamp"]
    assert theirs == {"event": "task 3 failed", "level": "error"}


def test_on_a_terminal_lines_are_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """In colour, with the local time."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Stream(terminal=True)
    log_to(stream)
    ours, theirs = stream.getvalue().splitlines()
    assert "\x1b[" in ours
    plain = re.sub(r"\x1b\[[0-9;]*m", "", ours)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[warning *\] "
        r"monitor lost guest=web-1 reason='it is gone'",
        plain,
    )
    assert "task 3 failed" in theirs


@pytest.mark.parametrize(
    ("terminal", "no_color"),
    [
        pytest.param(True, "1", id="NO_COLOR on a terminal"),
        pytest.param(False, "", id="console format in a file"),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, no_color: str
) -> None:
    """Elsewhere there is not one escape sequence."""
    monkeypatch.setenv("NO_COLOR", no_color)
    stream = Stream(terminal=terminal)
    log_to(stream, "console")
    assert "monitor lost" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_the_format_can_be_chosen() -> None:
    """JSON on a terminal, too."""
    stream = Stream(terminal=True)
    log_to(stream, "json")
    assert json.loads(stream.getvalue().splitlines()[0])["event"] == "monitor lost"


@pytest.mark.parametrize(
    ("level", "lines"),
    [
        pytest.param("debug", 3, id="debug"),
        pytest.param("info", 2, id="info"),
        pytest.param("warning", 2, id="warning"),
        pytest.param("error", 1, id="error"),
    ],
)
def test_lines_below_the_level_are_not_written(level: LogLevel, lines: int) -> None:
    """A debug, a warning and an error were logged."""
    stream = Stream()
    log_to(stream, level=level)
    assert len(stream.getvalue().splitlines()) == lines


def test_a_guest_cannot_steer_the_terminal() -> None:
    """Its words are shown with escapes."""
    stream = Stream()
    set_up_logs("console", stream=stream)
    structlog.get_logger().info("a\x1b[2Jb", text="\x9b31m", number=3)
    (line,) = stream.getvalue().splitlines()
    assert line.endswith("a\\x1b[2Jb number=3 text=\\x9b31m")


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_comes_with_its_trace(form: LogFormat) -> None:
    """JSON keeps it on its one line."""
    stream = Stream()
    set_up_logs(form, stream=stream)
    try:
        _ = 1 // 0
    except ZeroDivisionError:
        structlog.get_logger().exception("internal error")
    text = stream.getvalue()
    assert "ZeroDivisionError" in text
    assert (len(text.splitlines()) == 1) is (form == "json")


def test_a_log_that_nobody_reads_does_not_stop_the_daemon() -> None:
    """Lines are lost, and come again when somebody reads."""
    stream = Stream()
    set_up_logs(stream=stream)
    log = structlog.get_logger()
    stream.broken = True
    log.error("lost")
    logging.getLogger("library").error("lost, too")
    stream.broken = False
    log.error("read")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["read"]


def test_a_line_of_a_library_that_cannot_be_formatted_is_no_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is told on standard error, as Python does."""
    set_up_logs(stream=Stream())
    logging.getLogger("library").error("%d", "no number")
    assert "--- Logging error ---" in capsys.readouterr().err


class Writes(Stream):
    """A stream that notes what is written together."""

    def __init__(self) -> None:
        super().__init__()
        self.together: list[list[str]] = []

    def write(self, text: str) -> int:
        """Note the events."""
        self.together.append([json.loads(line)["event"] for line in text.splitlines()])
        return super().write(text)


@pytest.mark.asyncio
async def test_the_lines_of_one_turn_are_written_together() -> None:
    """In a storm each by itself would cost as much as what it tells of."""
    stream = Writes()
    set_up_logs("json", "debug", stream)
    log = structlog.get_logger()
    log.info("a")
    log.debug("b")
    assert stream.together == []
    await asyncio.sleep(0)
    assert stream.together == [["a", "b"]]
    log.info("c")
    await asyncio.sleep(0)
    assert stream.together == [["a", "b"], ["c"]]


@pytest.mark.parametrize("level", ["warning", "error", "critical"])
@pytest.mark.asyncio
async def test_a_warning_waits_for_nothing(level: str) -> None:
    """It may be the last line; what came before it stands before it."""
    stream = Writes()
    set_up_logs("json", stream=stream)
    log = structlog.get_logger()
    log.info("before")
    getattr(log, level)("now")
    assert stream.together == [["before", "now"]]
    log.info("after")
    await asyncio.sleep(0)
    assert stream.together == [["before", "now"], ["after"]]


@pytest.mark.asyncio
async def test_no_more_lines_wait_than_a_thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill takes no more along."""
    monkeypatch.setattr(logs, "TOGETHER_MAX", 3)
    stream = Writes()
    set_up_logs("json", stream=stream)
    for number in range(7):
        structlog.get_logger().info(str(number))
    assert stream.together == [["0", "1", "2"], ["3", "4", "5"]]
    await asyncio.sleep(0)
    assert stream.together[2:] == [["6"]]


@pytest.mark.asyncio
async def test_lines_of_other_threads_keep_none_back() -> None:
    """Where there is no loop a line is written at once, and those that wait before it."""
    stream = Writes()
    set_up_logs("json", stream=stream)
    log = structlog.get_logger()
    log.info("loop")
    await asyncio.to_thread(log.info, "thread")
    assert [event for lines in stream.together for event in lines] == ["loop", "thread"]


def test_the_end_of_the_program_writes_what_waits() -> None:
    """A loop that was ended does not take its last line along."""
    code = (
        "import asyncio, structlog\n"
        "from reactor.app.logs import set_up_logs\n"
        "set_up_logs('json')\n"
        "loop = asyncio.new_event_loop()\n"
        "loop.call_soon(loop.stop)\n"
        "loop.call_soon(lambda: structlog.get_logger().info('last'))\n"
        "loop.run_forever()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert json.loads(done.stderr)["event"] == "last"


def test_the_log_of_a_loop_goes_there_too() -> None:
    """What asyncio says about a task that failed unseen is one of our lines."""
    stream = Stream()
    set_up_logs(stream=stream)
    loop = asyncio.new_event_loop()
    loop.call_exception_handler({"message": "nobody asked for this"})
    loop.close()
    assert json.loads(stream.getvalue())["event"] == "nobody asked for this"


@pytest.mark.parametrize("library", ["httpx", "httpcore", "httpcore.http11"])
def test_libraries_that_write_secrets_are_quiet(library: str) -> None:
    """Headers and queries of requests do not reach the log at any level; warnings do."""
    stream = Stream()
    set_up_logs("json", "debug", stream)
    logging.getLogger(library).info("HTTP Request: POST https://h/?token=s3cret")
    logging.getLogger(library).debug("send_request_headers Authorization s3cret")
    logging.getLogger(library).warning("careful")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["careful"]
