"""The daemon as a process that is killed, and started again on the same journal."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

import reactor
from reactor.demo.process import DemoError, find_program
from tests.lab.killing.nursery import OVER
from tests.lab.killing.plan import Places

_ROOT: Final = Path(reactor.__file__).parents[1]
REFUSED: Final = "it ended by itself"
"""What `Program.said` holds of a life that nobody ended, and that did not end in order."""

_STEP_S: Final = 60.0
_LINE_BYTES: Final = 1 << 20


class Program:
    """``reactor run``; its log comes by a pipe, so that no limit of files stops it.

    Args:
        preloaded: whether a life begins with everything imported; see `nursery`.

    Attributes:
        kills: how often it was killed.
        lives: how often it was started.
        ends: how it ended when nobody had killed it, other than in order.
        said: what its log said, as (seconds since 1970, the log's name for it).
        pid: the process id while it runs.
    """

    def __init__(self, places: Places, tell: Callable[[str], None], *, preloaded: bool) -> None:
        self._places = places
        self._tell = tell
        self._preloaded = preloaded
        self._nursery: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._news = asyncio.Condition()
        self._ready = False
        self.pid: int | None = None
        self.kills = 0
        self.lives = 0
        self.ends: list[str] = []
        self.said: list[tuple[float, str]] = []

    async def __aenter__(self) -> Self:
        self._nursery = await asyncio.create_subprocess_exec(
            *(find_program("setpriv"), "--pdeathsig", "KILL", "--"),
            *(sys.executable, "-m", "tests.lab.killing.nursery"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
            process_group=0,
        )
        self._reader = asyncio.create_task(self._read(self._nursery), name="daemon's log")
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._nursery is not None
        assert self._reader is not None
        with contextlib.suppress(ProcessLookupError):
            self._nursery.kill()  # its daemon dies with it
        await self._nursery.wait()
        await self._reader

    async def start(self) -> None:
        """Start a new life; the one before has ended."""
        assert self._nursery is not None
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        words = ["run", "-c", str(self._places.settings), "--log-format", "json"]
        order = {"words": words, "preloaded": self._preloaded}
        self._ready = False
        self.lives += 1
        self._nursery.stdin.write(json.dumps(order).encode() + b"\n")
        async with asyncio.timeout(_STEP_S):
            line = await self._nursery.stdout.readline()
        if not line:
            raise DemoError("the daemon's parent", "it ended", f"read {self._places.log}")
        self.pid = int(line)
        self._tell(f"daemon started (life {self.lives}, process {self.pid})")

    async def ready(self) -> bool:
        """True as soon as it is ready; False when it ended instead.

        Raises:
            DemoError: neither, within a minute.
        """
        await self._until(lambda: self._ready or self.pid is None, "ready")
        return self._ready

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM: it ends in order."""
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
        await self._until(lambda: self.pid is None, "gone")

    async def _until(self, true: Callable[[], bool], word: str) -> None:
        try:
            async with asyncio.timeout(_STEP_S), self._news:
                await self._news.wait_for(true)
        except TimeoutError:
            raise DemoError(
                "the daemon", f"not {word} within {_STEP_S:g} s", f"read {self._places.log}"
            ) from None

    async def _read(self, nursery: asyncio.subprocess.Process) -> None:
        assert nursery.stderr is not None
        with self._places.log.open("ab") as log:
            while line := await nursery.stderr.readline():
                log.write(line)
                await self._take(line)

    async def _take(self, line: bytes) -> None:
        try:
            said: dict[str, Any] = json.loads(line)
            event = str(said["event"])
        except (ValueError, KeyError, TypeError):
            return  # the last line of a life is cut, a traceback is no JSON
        async with self._news:
            self.said.append((time.time(), event))
            if event == OVER:
                self._over(said["code"])
            self._ready = self._ready or event == "ready"
            self._news.notify_all()

    def _over(self, code: int) -> None:
        self.pid = None
        killed = code == -signal.SIGKILL
        self.kills += killed
        if code and not killed:
            self.said.append((time.time(), REFUSED))
            self.ends.append(f"life {self.lives} ended with code {code}")
        word = "killed" if killed else f"ended with code {code}"
        self._tell(f"daemon {word} (life {self.lives})")
