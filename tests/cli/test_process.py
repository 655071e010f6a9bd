"""The program as a process: its exit codes, its pipes, its signals, how fast it is there."""

import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import reactor
from reactor import __version__
from tests.cli.journals import event, write_events

ROOT = Path(reactor.__file__).parents[1]
PROGRAM = [sys.executable, "-m", "reactor"]


def environment(**more: str) -> dict[str, str]:
    """That of the tests, for a process in any folder; its output is buffered, as it usually is."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "", **more}


def call(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """What a shell would see."""
    return subprocess.run(
        [*PROGRAM, *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=15,
        env=environment(**more),
    )


POLICY = "policy: a\ndescription: b\ntrigger: {event: STOP}\nsteps: [{log: c}]\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param(["--version"], 0, id="version"),
        pytest.param(["check", "good.yaml"], 0, id="no findings"),
        pytest.param(["check", "bad.yaml"], 1, id="findings"),
        pytest.param(["check", "--bad"], 2, id="usage"),
        pytest.param(["run", "-c", "none.yaml"], 2, id="no settings"),
        pytest.param(["run", "-c", "bad.yaml"], 2, id="wrong settings"),
        pytest.param(["init"], 3, id="refused"),
        pytest.param(["events", "--journal", "good.yaml"], 4, id="no journal in the file"),
        pytest.param(["events", "--journal", "none.db"], 5, id="no journal"),
    ],
)
def test_the_exit_code_says_how_it_ended(here: Path, words: list[str], code: int) -> None:
    """In a shell, too."""
    (here / "good.yaml").write_text(POLICY, encoding="utf-8")
    (here / "bad.yaml").write_text("policy: a\n", encoding="utf-8")
    (here / "reactor.yaml").write_text("", encoding="utf-8")
    done = call(*words)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


HEAVY = (
    "typer pydantic yaml rich structlog msgspec sqlite3 asyncio uvloop cel_expr_python watchfiles"
)


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        pytest.param(["--version"], "", id="version"),
        pytest.param(["--help"], "msgspec typer", id="help"),
        pytest.param(["run", "--help"], "msgspec pydantic typer", id="help of the daemon"),
    ],
)
def test_nothing_heavy_is_imported_for_a_short_answer(words: list[str], allowed: str) -> None:
    """Whoever asks for the version gets it at once."""
    # What measures the coverage of a process imports things of its own.
    bare = {name: text for name, text in environment().items() if "COVERAGE" not in name}
    code = f"""
import sys
from reactor.cli.main import main
main({words!r})
print(*sorted(set(sys.modules) & set({HEAVY.split()!r})), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        timeout=15,
        env=bare,
    )
    assert done.stdout
    assert done.stderr.split() == allowed.split()


def test_the_version_is_that_of_the_package() -> None:
    """On one line."""
    assert call("--version").stdout == f"reactor {__version__}\n"


def test_output_into_a_pipe_has_no_colour() -> None:
    """Whatever the terminal behind it can do."""
    assert "\x1b" not in call("check", "none", TERM="xterm-256color").stdout


def test_a_terminal_gets_colour(here: Path) -> None:
    """A person sees the error at once, and still its whole text."""
    (here / "bad.yaml").write_text("policy: a\n", encoding="utf-8")
    with_colour = _on_a_terminal("check", "bad.yaml", TERM="xterm")
    assert "\x1b[1;31m" in with_colour
    without = _on_a_terminal("check", "bad.yaml", TERM="xterm", NO_COLOR="1")
    assert "\x1b" not in without
    assert "bad.yaml:1:1: R006 " in without


@pytest.mark.parametrize("report", ["text", "sarif"])
def test_what_stands_in_a_policy_steers_no_terminal(here: Path, report: str) -> None:
    """Neither its text, nor the name of its file, for people and in JSON."""
    name = b"\x9b31m\xff\x1b[2J.yaml"
    text = 'policy: a\n"\\e[2J\\x9b\\a": 1\n\x1b]0;title\x07: \x9b2\n'
    (here / os.fsdecode(name)).write_text(text, encoding="utf-8")
    shown = _on_a_terminal("check", ".", "-o", report, TERM="xterm", NO_COLOR="1")
    assert "R003" in shown
    assert [char for char in shown if not char.isprintable() and char not in "\r\n"] == []


def _on_a_terminal(*words: str, **more: str) -> str:
    """What the program writes to a terminal."""
    terminal, side = os.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *words], stdout=side, stderr=side, env=environment(**more)
    )
    os.close(side)
    text = b""
    with contextlib.suppress(OSError):  # Linux ends a terminal without writers so
        while chunk := os.read(terminal, 4096):
            text += chunk
    process.wait(timeout=15)
    os.close(terminal)
    return text.decode()


@pytest.mark.parametrize("report", ["text", "sarif"])
def test_a_reader_that_goes_away_ends_it_quietly(here: Path, report: str) -> None:
    """With more output than a pipe holds; what was found is still in the exit code."""
    bad = "".join(f"policy: a{number}\n---\n" for number in range(200))
    (here / "bad.yaml").write_text(bad, encoding="utf-8")
    process = subprocess.Popen(
        [*PROGRAM, "check", "bad.yaml", "-o", report],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        pipesize=4096,  # a pipe that holds 64 KiB needs ten times the policies
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=15) == 1
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_reader_that_never_looked_is_missed_by_nobody(here: Path) -> None:
    """Output that fits into the buffers is noticed to be in vain at the very end."""
    (here / "good.yaml").write_text(POLICY, encoding="utf-8")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*PROGRAM, "check", "good.yaml"],
        check=False,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=15,
        env=environment(),
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["schema"], id="while it prints"),
        pytest.param(["check", "good.yaml"], id="at the end"),
    ],
)
def test_a_full_disk_behind_the_output_is_told(here: Path, words: list[str]) -> None:
    """Once, and not as an error of ours."""
    (here / "good.yaml").write_text(POLICY, encoding="utf-8")
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [*PROGRAM, *words],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=15,
            env=environment(),
        )
    assert done.returncode == 1
    assert done.stderr == (
        "standard output: it cannot be written: No space left on device\n"
        "  fix: make room, or send the output elsewhere\n"
    )


@pytest.mark.parametrize(
    ("closed", "words", "code"),
    [
        pytest.param(">&-", ["check", "good.yaml"], 0, id="output"),
        pytest.param("2>&-", ["run", "-c", "none.yaml"], 2, id="errors"),
    ],
)
def test_a_stream_that_is_closed_from_the_start_is_no_error_of_ours(
    here: Path, closed: str, words: list[str], code: int
) -> None:
    """What is said there is said to nobody."""
    (here / "good.yaml").write_text(POLICY, encoding="utf-8")
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *PROGRAM, *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=15,
        env=environment(),
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_an_encoding_without_the_characters_is_no_error(here: Path) -> None:
    """They become escapes."""
    write_events(here / "j.db", event("STOP", "Größe-東京"))
    done = call("events", "--journal", "j.db", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "Gr\\xf6\\xdfe-\\u6771\\u4eac" in done.stdout


class Follower:
    """``reactor events -f``, read line by line."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        assert process.stdout is not None
        self.out = process.stdout

    def line(self) -> Mapping[str, object]:
        """The next event; fails the test when none comes."""
        ready, _, _ = select.select([self.out], [], [], 10)
        assert ready, "nothing came"
        line: Mapping[str, object] = json.loads(self.out.readline())
        return line


@contextlib.contextmanager
def following(path: Path) -> Iterator[Follower]:
    """A follower of this journal; it is ended at the end."""
    process = subprocess.Popen(
        [*PROGRAM, "events", "-f", "-n", "1", "-o", "jsonl", "--journal", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        bufsize=0,
    )
    try:
        yield Follower(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_a_follower_sees_what_comes_in(here: Path) -> None:
    """After the latest that it was asked for; Ctrl-C ends it quietly with exit code 130."""
    path = here / "journal.db"
    write_events(path, event("OLDER"), event("OLD"))
    with following(path) as follower:
        assert follower.line()["name"] == "OLD"
        write_events(path, event("NEW"), event("NEWER"))
        assert [follower.line()["name"], follower.line()["name"]] == ["NEW", "NEWER"]
        follower.process.send_signal(signal.SIGINT)
        _, told = follower.process.communicate(timeout=10)
        assert (follower.process.returncode, told) == (130, b"")


def test_a_follower_whose_reader_went_away_ends_quietly(here: Path) -> None:
    """Also when there is nothing more to say."""
    path = here / "journal.db"
    write_events(path, event("OLD"))
    with following(path) as follower:
        follower.line()
        follower.out.close()
        assert follower.process.wait(timeout=10) == 0
        assert follower.process.stderr is not None
        assert follower.process.stderr.read() == b""
        follower.process.stdout = None


def test_the_version_is_there_at_once() -> None:
    """Below 150 ms of processor time beyond what Python itself needs; the best of five tries.

    By the clock it would be the time of others on the machine, too.
    """

    def seconds(*words: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, *words], check=True, capture_output=True, timeout=15, env=environment()
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    spent = min(seconds("-m", "reactor", "--version") for _ in range(5))
    assert spent - min(seconds("-c", "pass") for _ in range(5)) < 0.150
