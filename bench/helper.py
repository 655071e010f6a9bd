"""The bench's side of a helper process."""

import select
import subprocess
import sys
from contextlib import ExitStack
from types import TracebackType
from typing import IO, Self

from bench.figures import Wrong
from bench.talk import End, Request, decode_reply, encode

ANSWER_LIMIT_S = 120.0
"""Seconds that a helper may take for one request."""

END_LIMIT_S = 10.0


class Helper:
    """A helper process, ended with the ``with`` block whatever happens in it."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._name = module
        self._undo = ExitStack()
        self._process = self._undo.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        )

    def ask(self, request: Request) -> list[float]:
        """The values of the reply.

        Raises:
            Wrong: the helper found a problem, died, or took too long.
        """
        self.tell(request)
        return self.answer()

    def tell(self, request: Request) -> None:
        """Send a request whose answer is fetched later."""
        stdin = self._pipe(self._process.stdin)
        try:
            stdin.write(encode(request) + b"\n")
            stdin.flush()
        except BrokenPipeError:
            raise Wrong(f"{self._name} ended before it was told to") from None

    def answer(self) -> list[float]:
        """The values of the reply to the oldest request; raises as ``ask`` does."""
        stdout = self._pipe(self._process.stdout)
        ready, _, _ = select.select([stdout], [], [], ANSWER_LIMIT_S)
        if not ready:
            raise Wrong(f"{self._name} did not answer within {ANSWER_LIMIT_S:g} s")
        line = stdout.readline()
        if not line:
            raise Wrong(f"{self._name} ended before it answered")
        reply = decode_reply(line)
        if reply.problem:
            raise Wrong(f"{self._name}: {reply.problem}")
        return reply.values

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.ask(End())
                self._process.wait(END_LIMIT_S)
        finally:
            # Does nothing to a process that has ended.
            self._process.kill()
            self._undo.close()

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None  # noqa: S101 - both were asked for
        return pipe
