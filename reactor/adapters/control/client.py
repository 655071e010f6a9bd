"""Asking the daemon: blocks, for the verbs of the command line."""

import contextlib
import os
import socket
import time
from pathlib import Path

from reactor.adapters.control.messages import (
    ANSWER_MAX,
    Answer,
    Code,
    read_answer,
    write_request,
)
from reactor.adapters.control.place import short
from reactor.core.foreign import UNREADABLE
from reactor.errors import ControlError, ForbiddenError, LostReply, NoDaemonError

ANSWER_S = 40.0
"""Seconds to wait for an answer: longer than the daemon lets a request take."""

PAUSE_S = 0.05
"""Seconds between two tries to connect to a daemon that others keep busy."""

_START = "start it (`reactor run`), or name its settings with -c or its journal with --journal"
_OTHER_USER = (
    "run this as root or as the user that runs the daemon, "
    "or let your group in with `control.group` in the settings"
)


def ask(path: Path, body: bytes, *, within_s: float = ANSWER_S) -> Answer:
    """What the daemon that listens at ``path`` answers; a refusal is an answer too.

    Args:
        body: what is asked, as JSON.

    Raises:
        NoDaemonError: nobody listens there.
        ForbiddenError: the socket is there, and this user may not use it.
        LostReply: it was asked, and no answer came: an order may have been carried out.
        ControlError: it cannot be asked.
    """
    end = time.monotonic() + within_s
    with _connected(path, end) as connection:
        # Who is refused is told at once, and may find the connection closed for sending.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(write_request(body))
        line = _read_line(connection, path, end)
    try:
        answer = read_answer(line)
    except UNREADABLE:
        problem = "what listens there does not speak the control protocol"
        raise ControlError(path, problem, "check `control.socket` in the settings") from None
    if answer.code is Code.FORBIDDEN:
        raise ForbiddenError(path, answer.text, answer.fix)
    return answer


def _connected(path: Path, end: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _connect(connection, short(folder, path.name), end)
        finally:
            os.close(folder)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        connection.close()
        raise NoDaemonError(path, "the daemon does not run: nobody listens here", _START) from None
    except PermissionError:
        connection.close()
        problem = "this user may not use the daemon's control socket"
        raise ForbiddenError(path, problem, _OTHER_USER) from None
    except OSError as error:
        connection.close()
        problem = f"the daemon cannot be reached: {error.strerror or error}"
        raise ControlError(path, problem, "look at its log, and try again") from None
    return connection


def _connect(connection: socket.socket, address: str, end: float) -> None:
    """Connect; where too many wait to be let in already, try again until the end."""
    while True:
        connection.settimeout(max(0.001, end - time.monotonic()))
        try:
            connection.connect(address)
        except BlockingIOError:
            if time.monotonic() > end:
                raise
            time.sleep(PAUSE_S)
        else:
            return


def _read_line(connection: socket.socket, path: Path, end: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        connection.settimeout(max(0.001, end - time.monotonic()))
        try:
            part = connection.recv(65_536)
        except TimeoutError:
            raise _lost(path, "the daemon did not answer in time") from None
        except ConnectionResetError:
            part = b""
        except OSError as error:
            raise _lost(path, f"the connection to the daemon broke: {error.strerror}") from None
        if not part:
            raise _lost(path, "the daemon went away before it answered")
        parts.append(part)
        size += len(part)
        if part.endswith(b"\n"):
            return b"".join(parts)
        if size > ANSWER_MAX:
            problem = f"the answer is longer than {ANSWER_MAX >> 20} MiB"
            raise ControlError(path, problem, "ask for less")


def _lost(path: Path, problem: str) -> LostReply:
    fix = "look at its log and at `reactor status` before you ask again: an order may be done"
    return LostReply(path, problem, fix)
