"""Every sentence that an operator reads about a guest agent, in one place."""

import errno
import os

from reactor.errors import GuestError, LostReply, MonitorError

_UNKNOWN = "the outcome is unknown: look at the guest before it is sent again"
_START = "start qemu-guest-agent in the guest, and look whether the guest runs"
_HELD = "another program (libvirt?) holds it: a chardev serves one client"
_REFERENCE = (
    "look the command up in QEMU's guest agent reference; the guest may forbid it (block-rpcs)"
)


def place_of(guest: str, command: str) -> str:
    """How a command is named in every sentence about it."""
    return f"guest {guest}, agent command {command}"


def unsent(guest: str, command: str, why: str, fix: str) -> MonitorError:
    """A command that certainly did not go out."""
    return MonitorError(place_of(guest, command), f"not sent: {why}", fix)


def lost(guest: str, command: str, why: str) -> LostReply:
    """A command that went out, and nobody knows what became of it."""
    return LostReply(place_of(guest, command), f"sent, but no answer: {why}", _UNKNOWN)


def refused(guest: str, command: str, error_class: str, description: str) -> GuestError:
    """The agent said no."""
    return GuestError(guest, command, error_class, description, fix=_REFERENCE)


def cannot_connect(error: OSError) -> tuple[str, str]:
    """Problem and fix of what the system answered to a connect."""
    if error.errno is None:
        # "AF_UNIX path too long" comes without a number.
        return f"cannot connect: {error}", "use a path of at most 107 bytes for the socket"
    if error.errno in _KNOWN:
        return _KNOWN[error.errno]
    return f"cannot connect: {os.strerror(error.errno)}", "check the path of `guests.agent`"


_KNOWN = {
    errno.ENOENT: (
        "there is no socket of its agent",
        "start QEMU with a chardev of that path for the agent's port, or correct `guests.agent`",
    ),
    errno.ECONNREFUSED: (
        "nobody listens on the socket of its agent: QEMU has ended and left the file behind",
        "start the guest",
    ),
    errno.EACCES: (
        "reactor's user may not open the socket of its agent",
        "give that user write permission on the socket and search permission on its folders",
    ),
    # The listen queue is full: QEMU takes nobody off it while it has a client.
    errno.EAGAIN: ("the socket of its agent is taken, and others wait for it", _HELD),
}


def silent(limit_s: float) -> tuple[str, str]:
    """The connect succeeded, the sync was not answered."""
    problem = f"the guest agent did not answer within {limit_s:.2g} s"
    return problem, f"{_START}; or {_HELD}"


CLOSED = ("QEMU closed the connection to the guest agent", "look whether the guest runs")

NOT_AN_AGENT = (
    "what answers is no guest agent: a line does not end",
    "name the socket of the agent's port in `guests.agent`, not that of a console or monitor",
)


def garbage(line: bytes) -> str:
    """Why the answer to a command cannot be read; safe to print, a guest wrote it."""
    start = line[:60].rstrip(b"\r\n")
    return f"the answer cannot be read: {start!r}" + ("..." if len(line) > 60 else "")


def too_long(limit: int) -> str:
    """Why an answer is not taken in."""
    return f"the answer is longer than {limit} bytes"
