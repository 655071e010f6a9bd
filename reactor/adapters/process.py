"""Programs of the host that policies start: never through a shell, and never left behind.

Each gets a session of its own, so that signals reach it with everything that it started;
``/dev/null`` as its input; no descriptor of ours; and a small environment. Its end is
seen through a pidfd and not through asyncio's child watcher: a process that has ended
is ours, and its group cannot be that of another program, until the last signal was sent.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from reactor.core.effect import StartProgram
from reactor.core.inputs import Answered, Refusal

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_EXCERPT = 200
"""Characters of the last line that a program which failed wrote."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``at_once`` programs run, ``waiting`` more wait for their turn.

    Of each output ``output_bytes`` are kept. ``kill_s`` lie between SIGTERM and SIGKILL;
    ``drain_s`` is how long output is awaited from children that outlive the program.
    """

    at_once: int = 16
    waiting: int = 256
    output_bytes: int = 64 * 1024
    kill_s: float = 2.0
    drain_s: float = 0.2


@dataclass(slots=True)
class Counters:
    """Since the start: programs started, ended by us, and refused because too many waited.

    ``dropped`` are the bytes of output beyond what is kept.
    """

    started: int = 0
    killed: int = 0
    unsent: int = 0
    dropped: int = 0


class _Output:
    """Keeps the beginning of what a program writes, and reads on, so that it can go on.

    ``write`` is the descriptor for the program. ``ended`` is done when everybody who could
    write has ended.
    """

    def __init__(self, limit: int, counters: Counters) -> None:
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._limit = limit
        self._counters = counters
        self._kept = bytearray()
        self._read, self.write = os.pipe()
        os.set_blocking(self._read, False)
        self._loop.add_reader(self._read, self._take)

    def _take(self) -> None:
        data = os.read(self._read, 65536)
        if not data:
            self._loop.remove_reader(self._read)
            self.ended.set_result(None)
        room = self._limit - len(self._kept)
        self._kept += data[:room]
        self._counters.dropped += max(0, len(data) - room)

    def handed_over(self) -> None:
        """Close our copy of ``write``: the program has its own, or there is none."""
        if self.write >= 0:
            os.close(self.write)
            self.write = -1

    def close(self) -> None:
        """Read no more; who still writes learns that nobody listens."""
        self.handed_over()
        self._loop.remove_reader(self._read)
        os.close(self._read)

    @property
    def text(self) -> str:
        """What was kept, as text."""
        return self._kept.decode("utf-8", "replace")


class _Child:
    """A program that was started; ``ended`` is done when it has ended, its children or not.

    ``code`` is its exit code, minus the signal's number when one ended it; it is known
    after ``close``.
    """

    def __init__(
        self, process: "subprocess.Popen[bytes]", stdout: _Output, stderr: _Output
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.stdout = stdout
        self.stderr = stderr
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self.code = -signal.SIGKILL
        self._process = process
        self._descriptor = os.pidfd_open(process.pid)
        self._loop.add_reader(self._descriptor, self._has_ended)

    def _has_ended(self) -> None:
        self._loop.remove_reader(self._descriptor)
        self.ended.set_result(None)

    async def silent(self, within_s: float) -> None:
        """Return when nobody can write any more, or after so many seconds."""
        await asyncio.wait([self.stdout.ended, self.stderr.ended], timeout=within_s)

    async def end(self, kill_s: float) -> None:
        """End it with all that it started: first asked, then killed."""
        self._signal(signal.SIGTERM)
        everybody = [self.ended, self.stdout.ended, self.stderr.ended]
        await asyncio.wait(everybody, timeout=kill_s)
        self._signal(signal.SIGKILL)
        await asyncio.wait([self.ended], timeout=kill_s)

    def close(self) -> None:
        """Take its exit code from the kernel: from now on its number may be another's."""
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        code = self._process.poll()
        if code is not None:
            self.code = code

    def _signal(self, number: signal.Signals) -> None:
        # It has ended, or has become another user's (sudo).
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


@dataclass(slots=True)
class Programs:
    """Starts programs; use it inside a running loop.

    Args:
        allow: absolute paths; no other program is started.
    """

    allow: frozenset[str]
    limits: Limits = field(default_factory=Limits)
    counters: Counters = field(default_factory=Counters)
    _present: int = 0
    _slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.limits.at_once)

    async def run(
        self, start: StartProgram, timeout_s: float, facts: Mapping[str, str]
    ) -> Answered:
        """What became of a program, within this many seconds, the wait for its turn included.

        ``result`` is ``{code, stdout, stderr}`` when it ended with 0. ``error`` is another exit
        code, a signal, the end of its time (it was ended then, with everything in its
        session), or a program that cannot be started; ``unsent``: it was not started.

        Args:
            facts: more variables of its environment, by name.
        """
        if start.program not in self.allow or not start.program.startswith("/"):
            problem = f"{start.program} is not in the settings' exec.allow"
            return _error(start, "NotAllowed", problem)
        if self._present >= self.limits.at_once + self.limits.waiting:
            self.counters.unsent += 1
            return Answered(start.id, unsent=f"{self._present} programs wait already")
        deadline = asyncio.get_running_loop().time() + timeout_s
        self._present += 1
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
            try:
                return await self._run(start, deadline, timeout_s, facts)
            finally:
                self._slots.release()
        except TimeoutError:
            return Answered(start.id, unsent=f"other programs took all of its {timeout_s:.3g} s")
        finally:
            self._present -= 1

    async def _run(
        self, start: StartProgram, deadline: float, timeout_s: float, facts: Mapping[str, str]
    ) -> Answered:
        loop = asyncio.get_running_loop()
        try:
            async with _started(start, facts, self.limits, self.counters) as child:
                await asyncio.wait([child.ended], timeout=max(0.0, deadline - loop.time()))
                is_late = not child.ended.done()
                if is_late:
                    await child.end(self.limits.kill_s)
                await child.silent(self.limits.drain_s)
        except (OSError, ValueError) as error:
            why = (isinstance(error, OSError) and error.strerror) or str(error)
            return _error(start, "NotStarted", f"{start.program} cannot be started: {why}")
        last = _last_line(child.stderr.text)
        if is_late:
            self.counters.killed += 1
            return _error(start, "Timeout", f"still running after {timeout_s:.3g} s{last}")
        if child.code != 0:
            return _error(start, "ExitCode", _meaning(child.code) + last)
        result = {"code": 0, "stdout": child.stdout.text, "stderr": child.stderr.text}
        return Answered(start.id, result=result)


@contextlib.asynccontextmanager
async def _started(
    start: StartProgram, facts: Mapping[str, str], limits: Limits, counters: Counters
) -> AsyncIterator[_Child]:
    """A program that runs; whoever leaves by an exception (the daemon stops) ends it.

    Raises:
        OSError, ValueError: it cannot be started.
    """
    environment = {"PATH": PATH, "LANG": "C.UTF-8", **facts}
    with contextlib.ExitStack() as stack:
        stdout = stack.enter_context(contextlib.closing(_Output(limits.output_bytes, counters)))
        stderr = stack.enter_context(contextlib.closing(_Output(limits.output_bytes, counters)))
        process = _spawn([start.program, *start.arguments], environment, stdout, stderr)
        counters.started += 1
        child = stack.enter_context(contextlib.closing(_watched(process, stdout, stderr)))
        try:
            yield child
        except BaseException:
            await child.end(limits.kill_s)
            raise


def _spawn(
    words: Sequence[str], environment: Mapping[str, str], stdout: _Output, stderr: _Output
) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(  # noqa: S603 - argv only, and its first word was allowed
            words,
            stdin=subprocess.DEVNULL,
            stdout=stdout.write,
            stderr=stderr.write,
            cwd="/",
            env=environment,
            start_new_session=True,
        )
    finally:
        stdout.handed_over()
        stderr.handed_over()


def _watched(process: "subprocess.Popen[bytes]", stdout: _Output, stderr: _Output) -> _Child:
    try:
        return _Child(process, stdout, stderr)
    except OSError:
        # No file handle is left: it must not run on without a limit.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def _error(start: StartProgram, error_class: str, description: str) -> Answered:
    return Answered(start.id, error=Refusal(error_class, description))


def _meaning(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    return f"ended by {signal.Signals(-code).name}"


def _last_line(text: str) -> str:
    """What a program that failed said last, safe to print, behind a colon."""
    lines = text.split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    shown = "".join(char if char.isprintable() else "?" for char in last[:_EXCERPT])
    return f": {shown}" if shown else ""
