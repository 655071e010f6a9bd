"""The daemon's parent in the kill loop: starts it, waits for its end, and says so on its log.

A life of the daemon is a process of its own, killed as any other. It is either the program from
its very start, or forked from here with everything imported already: a start costs most of a second
of processor time, and a loop that spends all of it on starting kills little.

One line of JSON on standard input starts a life: its words and whether it is ``preloaded``. Its
process id comes on standard output. Its log and, behind it, one line of ours with the code with
which it ended come on standard error.
"""

import ctypes
import json
import os
import signal
import sys
import traceback
from typing import Final, NoReturn

import reactor.app.daemon
import reactor.cli.program

OVER: Final = "life is over"
"""The name of our line; its ``code`` is minus the signal's number when a signal ended it."""

_PR_SET_PDEATHSIG: Final = 1
_BROKEN: Final = 70


def serve() -> None:
    """One life after the other, until standard input ends."""
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _live(order["words"], preloaded=order["preloaded"])
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        # Its own line first: the last one of a life that was killed may have no end.
        os.write(2, f"\n{json.dumps({'event': OVER, 'code': code})}\n".encode())


def _live(words: list[str], *, preloaded: bool) -> NoReturn:
    # Whoever dies first: no daemon outlives the loop.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    code = _BROKEN
    try:
        if not preloaded:
            os.execv(sys.executable, [sys.executable, "-m", "reactor", *words])  # noqa: S606 - from constants
        code = reactor.cli.program.run_program(words)
    except BaseException:  # noqa: BLE001 - told in its log; nothing of the parent's may run here
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
