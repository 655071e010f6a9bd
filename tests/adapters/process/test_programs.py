"""Real programs: what they get, what is kept of what they say, and that they end."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from reactor.adapters import process as module
from reactor.adapters.process import Limits, Programs
from reactor.core.effect import StartProgram
from reactor.core.inputs import Answered, Refusal

pytestmark = pytest.mark.asyncio

SH = "/bin/sh"
SHORT = Limits(kill_s=0.3, drain_s=0.1)


def start(*arguments: str, program: str = SH) -> StartProgram:
    """What the core asks for."""
    return StartProgram("q1", "web-1", program, arguments, deadline=0.0)


def programs(*allow: str, limits: Limits | None = None) -> Programs:
    """Only these may be started, `sh` always."""
    return Programs(frozenset({SH, *allow}), limits or Limits())


async def run(
    script: str,
    *arguments: str,
    limits: Limits | None = None,
    timeout_s: float = 10.0,
    facts: Mapping[str, str] | None = None,
) -> Answered:
    """What became of a shell script; `sh` is the program, nothing of ours is a shell."""
    asked = start("-c", script, "sh", *arguments)
    return await programs(limits=limits).run(asked, timeout_s, facts or {})


def result(answer: Answered) -> dict[str, object]:
    """Of a program that ended with 0."""
    assert answer.error is None
    assert isinstance(answer.result, dict)
    return answer.result


async def eventually(condition: Callable[[], object], limit_s: float = 5.0) -> None:
    """Wait until it holds; TimeoutError when it does not within the limit."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.002)


def is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in {"Z", "X"}


def children() -> list[str]:
    """Our own children, zombies included."""
    tasks = Path("/proc/self/task").glob("*/children")
    return [child for task in tasks for child in task.read_text("ascii").split()]


def open_files() -> int:
    """How many descriptors we have."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """No process of ours is left behind by any test, not even one that has ended."""
    before = children()
    yield
    assert children() == before


# ------------------------------------------------------------ what it gets


async def test_a_program_that_ends_well() -> None:
    """Its exit code and both of its outputs."""
    answer = await run("echo out; echo err >&2")
    assert answer == Answered("q1", result={"code": 0, "stdout": "out\n", "stderr": "err\n"})


async def test_arguments_are_words_and_nothing_else() -> None:
    """No shell looks at them."""
    words = ("$(reboot)", "a b", "*", "", "ü", "; rm -rf x", "-n")
    answer = await programs("/usr/bin/printf").run(
        start("%s|", *words, program="/usr/bin/printf"), 10.0, {}
    )
    assert result(answer)["stdout"] == "".join(f"{word}|" for word in words)


async def test_its_environment_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the daemon was started with is none of its business."""
    monkeypatch.setenv("SECRET", "of the daemon")
    answer = await programs("/usr/bin/env").run(
        start(program="/usr/bin/env"), 10.0, {"REACTOR_GUEST": "web-1", "REACTOR_RUN": "x-1"}
    )
    assert sorted(str(result(answer)["stdout"]).splitlines()) == [
        "LANG=C.UTF-8",
        f"PATH={module.PATH}",
        "REACTOR_GUEST=web-1",
        "REACTOR_RUN=x-1",
    ]


async def test_its_input_is_empty_and_its_folder_the_top() -> None:
    """A program that reads does not hang, and none keeps a file system busy."""
    answer = await run("cat; pwd")
    assert result(answer)["stdout"] == "/\n"


async def test_it_has_a_session_of_its_own() -> None:
    """Signals for it reach nobody else."""
    answer = await run("cut -d' ' -f1,5,6 /proc/$$/stat")
    pid, group, session = str(result(answer)["stdout"]).split()
    assert pid == group == session


async def test_it_inherits_no_file_of_ours(tmp_path: Path) -> None:
    """Not even one that could be inherited."""
    with (tmp_path / "secret").open("w") as file:
        os.set_inheritable(file.fileno(), True)  # noqa: FBT003 - by place only
        answer = await run("ls /proc/self/fd | wc -l; ls -l /proc/self/fd")
        assert "secret" not in str(result(answer)["stdout"])
        assert str(result(answer)["stdout"]).split()[0] == "4"  # 0, 1, 2 and the folder itself


async def test_nothing_stays_open() -> None:
    """However it ends, or does not begin."""
    tool = programs("/no/such", limits=SHORT)
    asked = [start("-c", ":"), start("-c", "sleep 60"), start(program="/no/such")]
    counts = set()
    for _ in range(3):
        for each in asked:
            await tool.run(each, 0.1, {})
        counts.add(open_files())
    assert len(counts) == 1


# --------------------------------------------------------- what is kept of it


@pytest.mark.parametrize("size", [65535, 65536, 65537, 3_000_000])
async def test_the_beginning_of_its_output_is_kept(size: int) -> None:
    """64 KiB of each; it is read to its end, so that the program is not held up."""
    tool = programs()
    script = f"head -c {size} /dev/zero | tr '\\0' x; head -c {size} /dev/zero >&2"
    told = result(await tool.run(start("-c", script), 10.0, {}))
    assert told["stdout"] == "x" * min(size, 65536)
    assert told["stderr"] == "\0" * min(size, 65536)
    assert tool.counters.dropped == 2 * max(0, size - 65536)


async def test_bytes_that_are_no_text() -> None:
    """Are shown as such."""
    assert result(await run("printf 'a\\377b'"))["stdout"] == "a�b"


@pytest.mark.parametrize(
    ("script", "refusal"),
    [
        pytest.param("exit 3", "exit code 3", id="silent"),
        pytest.param("echo no >&2; exit 1", "exit code 1: no", id="with words"),
        pytest.param(
            "echo a >&2; printf 'b\\033[2J\\n \\n' >&2; exit 255",
            "exit code 255: b?[2J",
            id="the last line, printable",
        ),
        pytest.param("kill -9 $$", "ended by SIGKILL", id="killed by somebody"),
        pytest.param(
            "head -c 500 /dev/zero | tr '\\0' x >&2; exit 2", f"exit code 2: {'x' * 200}", id="long"
        ),
    ],
)
async def test_a_program_that_fails(script: str, refusal: str) -> None:
    """The code, and the last line of its standard error."""
    assert (await run(script)).error == Refusal("ExitCode", refusal)


# ------------------------------------------------------------ the time limit


async def test_a_program_that_takes_too_long_is_ended() -> None:
    """Asked first: it can clear up. What it said last is told."""
    tool = programs()
    script = "trap 'echo clearing up >&2; exit 0' TERM; while :; do sleep 0.01; done"
    answer = await tool.run(start("-c", script), 0.3, {})
    assert answer.error == Refusal("Timeout", "still running after 0.3 s: clearing up")
    assert (tool.counters.started, tool.counters.killed) == (1, 1)


async def test_a_program_that_does_not_listen_is_killed() -> None:
    """After the pause between the two signals."""
    answer = await run("trap '' TERM; while :; do sleep 0.05; done", limits=SHORT, timeout_s=0.2)
    assert answer.error == Refusal("Timeout", "still running after 0.2 s")


async def test_its_children_end_with_it(tmp_path: Path) -> None:
    """Those that do not listen too, whether they hold its output or not."""
    pids = tmp_path / "pids"
    script = """
        (trap '' TERM; while :; do sleep 0.05; done) & echo $! >>"$1"
        (trap '' TERM; exec >/dev/null 2>&1; while :; do sleep 0.05; done) & echo $! >>"$1"
        sleep 100 & echo $! >>"$1"
        wait
    """
    answer = await run(script, str(pids), limits=SHORT, timeout_s=0.3)
    assert answer.error is not None
    assert answer.error.error_class == "Timeout"
    started = [int(pid) for pid in pids.read_text().split()]
    assert len(started) == 3
    await eventually(lambda: not any(map(is_there, started)))


async def test_a_child_has_its_time_to_clear_up(tmp_path: Path) -> None:
    """Also where the program itself is gone at once."""
    cleared = tmp_path / "cleared"
    script = """
        (trap 'sleep 0.2; echo yes >"$1"; exit' TERM; while :; do sleep 0.01; done) &
        exec sleep 60
    """
    answer = await run(script, str(cleared), timeout_s=0.3)
    assert answer.error is not None
    assert answer.error.error_class == "Timeout"
    assert cleared.read_text() == "yes\n"


async def test_output_without_end_is_no_way_to_stay() -> None:
    """`yes` fills nothing and is ended like any other."""
    tool = programs("/usr/bin/yes", limits=SHORT)
    answer = await tool.run(start(program="/usr/bin/yes"), 0.2, {})
    assert answer.error is not None
    assert answer.error.error_class == "Timeout"
    assert tool.counters.dropped > 0


async def test_a_child_that_outlives_its_program_is_not_waited_for(tmp_path: Path) -> None:
    """It holds the output open; the program has ended, and that is the answer."""
    pid = tmp_path / "pid"
    script = 'sleep 60 & echo $! >"$1"; echo started'
    answer = await asyncio.wait_for(run(script, str(pid), limits=SHORT), 5.0)
    assert result(answer)["stdout"] == "started\n"
    left = int(pid.read_text())
    assert is_there(left)
    with contextlib.suppress(ProcessLookupError):
        os.kill(left, 9)
    await eventually(lambda: not is_there(left))


async def test_the_daemon_stops_while_a_program_runs() -> None:
    """Who gives up waiting ends it first."""
    tool = programs(limits=SHORT)
    task = asyncio.create_task(tool.run(start("-c", "exec sleep 60"), 60.0, {}))
    await eventually(lambda: tool.counters.started)
    (pid,) = map(int, children())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert not is_there(pid)


# ------------------------------------------------------ what does not start


@pytest.mark.parametrize(
    ("program", "arguments", "error_class", "words"),
    [
        pytest.param("/bin/true", (), "NotAllowed", "is not in the settings' exec.allow", id="no"),
        pytest.param("sh", (), "NotAllowed", "is not in the settings' exec.allow", id="no path"),
        pytest.param("/no/such", (), "NotStarted", "No such file or directory", id="missing"),
        pytest.param("/etc/passwd", (), "NotStarted", "Permission denied", id="no program"),
        pytest.param(SH, ("a\0b",), "NotStarted", "embedded null byte", id="a NUL"),
        pytest.param(SH, ("x" * 200_000,), "NotStarted", "Argument list too long", id="too long"),
    ],
)
async def test_a_program_that_cannot_be_started(
    program: str, arguments: tuple[str, ...], error_class: str, words: str
) -> None:
    """It is certain that nothing was done."""
    tool = programs("/no/such", "/etc/passwd", "sh2")
    answer = await tool.run(start(*arguments, program=program), 10.0, {})
    assert answer.error is not None
    assert answer.error.error_class == error_class
    assert words in answer.error.description
    assert tool.counters.started == 0


async def test_a_name_without_a_path_is_never_started() -> None:
    """Not even one that the settings name: which program it is depends on PATH."""
    answer = await programs("true").run(start(program="true"), 10.0, {})
    assert answer.error == Refusal("NotAllowed", "true is not in the settings' exec.allow")


async def test_a_file_without_a_first_line_that_names_its_reader(tmp_path: Path) -> None:
    """No shell steps in."""
    file = tmp_path / "script"
    file.write_text("echo hello\n")
    file.chmod(0o755)
    answer = await programs(str(file)).run(start(program=str(file)), 10.0, {})
    assert answer.error == Refusal("NotStarted", f"{file} cannot be started: Exec format error")


async def test_a_program_that_cannot_be_watched_is_ended_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No file handle is left for its end: it must not run on without a limit."""

    def none_left(_pid: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pidfd_open", none_left)
    answer = await run("sleep 60")
    assert answer.error == Refusal("NotStarted", f"{SH} cannot be started: Too many open files")


# ------------------------------------------------------------------ bounds


async def test_a_bounded_number_runs_at_once() -> None:
    """The others take their turn."""
    tool = programs(limits=Limits(at_once=2))
    before = set(children())
    tasks = [asyncio.create_task(tool.run(start("-c", "sleep 0.1"), 10.0, {})) for _ in range(6)]
    most = 0
    while not all(task.done() for task in tasks):
        most = max(most, len(set(children()) - before))
        await asyncio.sleep(0.005)
    assert [task.result().error for task in tasks] == [None] * 6
    assert most == 2


@pytest.mark.parametrize(("waiting", "refused"), [(1, False), (2, False), (3, True)])
async def test_a_bounded_number_waits(waiting: int, refused: bool) -> None:
    """Beyond it a program is not started, and it is known at once."""
    tool = programs(limits=Limits(at_once=1, waiting=2, kill_s=0.1))
    tasks = [
        asyncio.create_task(tool.run(start("-c", "exec sleep 60"), 60.0, {}))
        for _ in range(waiting)
    ]
    await eventually(lambda: tool.counters.started)
    late = await tool.run(start("-c", ":"), 0.1, {})
    words = "3 programs wait already" if refused else "other programs took all of its 0.1 s"
    assert late == Answered("q1", unsent=words)
    assert tool.counters.unsent == refused
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert result(await tool.run(start("-c", ":"), 10.0, {}))["code"] == 0
