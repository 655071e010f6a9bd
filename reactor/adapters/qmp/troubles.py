"""Every sentence that an operator reads about a monitor, in one place."""

import errno
import os
import socket

from reactor.adapters.qmp.address import Address, TcpAddress, UnixAddress
from reactor.errors import LostReply, MonitorError

_OWN_SOCKET = (
    "a monitor serves one client: leave this one to the other (libvirt?) and start QEMU with a "
    "second one for reactor, -qmp unix:/path/to/second.sock,server=on,wait=off"
)
_UNKNOWN = "the outcome is unknown: look at the guest's state before it is sent again"


def place_of(guest: str, address: Address) -> str:
    """How a monitor is named in every sentence about it."""
    return f"guest {guest}, monitor {address}"


def held(place: str, limit_s: float) -> MonitorError:
    """The connect succeeded, the greeting did not come."""
    problem = f"another client holds this monitor (no greeting within {limit_s:g} s), or QEMU hangs"
    return MonitorError(place, problem, _OWN_SOCKET)


def not_connected_in_time(place: str, limit_s: float) -> MonitorError:
    """A TCP connect that nobody answers."""
    return MonitorError(
        place,
        f"nobody answered within {limit_s:g} s",
        "check the host, its firewall and the port of -qmp",
    )


def not_qmp(place: str, line: bytes | bytearray) -> MonitorError:
    """The first line is not QMP's greeting."""
    if line.strip() == b"{":
        return MonitorError(
            place,
            "this monitor writes one message over several lines",
            "start QEMU with -qmp instead of -qmp-pretty, or without pretty=on",
        )
    return MonitorError(
        place,
        f"this is not a QMP monitor, its first line is {_excerpt(line)}",
        "use the socket of -qmp (or of -mon mode=control), not that of a console, of the human "
        "monitor or of the guest agent",
    )


def garbage(place: str, line: bytes | bytearray, why: Exception) -> MonitorError:
    """A later line is not QMP: the connection cannot be trusted any more."""
    return MonitorError(
        place,
        f"a line is not QMP ({why}): {_excerpt(line)}",
        "nothing but QEMU may write to this socket; the monitor is connected anew",
    )


def too_long(place: str, limit: int) -> MonitorError:
    """A line passed the limit, whether its end came or not."""
    return MonitorError(
        place,
        f"a line is longer than {limit} bytes",
        "nothing that QEMU writes is that long: check what listens there; the monitor is connected "
        "anew",
    )


def ended_early(place: str, reason: str, when: str) -> MonitorError:
    """The connection died before the monitor could be used."""
    return MonitorError(
        place, f"{reason} before {when}", "look at QEMU's log; the monitor is tried again"
    )


def refused_facts(place: str, command: str, answer: str) -> MonitorError:
    """QEMU said no to something that every monitor must answer."""
    return MonitorError(
        place,
        f"QEMU answered {command} with {answer}",
        "check that this is the monitor of a QEMU of 6.0 or later",
    )


def slow_facts(place: str, command: str, limit_s: float) -> MonitorError:
    """The greeting came, an answer did not."""
    return MonitorError(
        place,
        f"QEMU did not answer {command} within {limit_s:g} s",
        "QEMU hangs or is very busy (a dump without detach blocks it); the monitor is tried again",
    )


def cannot_connect(place: str, address: Address, error: OSError) -> MonitorError:
    """The sentence for what the system answered to a connect."""
    if isinstance(error, socket.gaierror):
        return MonitorError(
            place, f"the host name is unknown ({error.strerror})", "correct the name, or check DNS"
        )
    if error.errno is None:
        # "AF_UNIX path too long" comes without a number.
        return MonitorError(
            place, f"cannot connect: {error}", "use a path of at most 107 bytes for the socket"
        )
    if isinstance(address, UnixAddress) and error.errno in _UNIX:
        return MonitorError(place, *_UNIX[error.errno])
    if isinstance(address, TcpAddress) and error.errno == errno.ECONNREFUSED:
        return MonitorError(place, "nobody listens there", "start the guest, or correct the port")
    if error.errno in _ANY:
        return MonitorError(place, *_ANY[error.errno])
    return MonitorError(
        place, f"cannot connect: {os.strerror(error.errno)}", "check the address and the network"
    )


_UNIX = {
    errno.ENOENT: (
        "there is no such socket",
        "start QEMU with -qmp unix:PATH,server=on,wait=off, or correct the path",
    ),
    errno.ENOTDIR: (
        "there is no such socket: a part of its path is not a folder",
        "correct the path",
    ),
    errno.ECONNREFUSED: (
        "nobody listens on this socket: QEMU has ended and left the file behind",
        "start the guest; reactor connects as soon as QEMU listens again",
    ),
    errno.EACCES: (
        "reactor's user may not open this socket",
        "give that user write permission on the socket and search permission on its folders",
    ),
    # The listen queue is full: QEMU takes nobody off it while it has a client.
    errno.EAGAIN: ("another client holds this monitor, and others wait for it", _OWN_SOCKET),
    errno.EPROTOTYPE: (
        "this is a socket of another type than QEMU's",
        "use the socket of -qmp",
    ),
}

_ANY = {
    errno.EMFILE: (
        "reactor has no file handle left for this monitor",
        "raise LimitNOFILE of the service (ulimit -n): one for each guest, and 200 more",
    ),
    errno.ENFILE: (
        "the host has no file handle left for this monitor",
        "raise the sysctl fs.file-max",
    ),
}


def why_lost(error: Exception | None) -> str:
    """Why a connection ended, from what the loop reported; one sentence for people."""
    match error:
        case None:
            return "QEMU closed the monitor"
        case ConnectionResetError() | BrokenPipeError():
            return "QEMU died, or was killed"
        case OSError():
            return f"the connection broke ({error.strerror})"
        case _:
            return f"reactor itself failed on a message ({type(error).__name__}: {error})"


def died(guest: str, command: str, reason: str) -> LostReply:
    """The connection ended while a command waited for its reply."""
    return LostReply(f"guest {guest}, command {command}", f"sent, but no reply: {reason}", _UNKNOWN)


def no_reply(guest: str, command: str, limit_s: float) -> LostReply:
    """A command's deadline passed."""
    return LostReply(
        f"guest {guest}, command {command}", f"sent, but no reply within {limit_s:g} s", _UNKNOWN
    )


def unsent(guest: str, command: str, why: str, fix: str) -> MonitorError:
    """A command that certainly did not go out."""
    return MonitorError(f"guest {guest}, command {command}", f"not sent: {why}", fix)


def _excerpt(line: bytes | bytearray) -> str:
    """The start of a line, safe to print: what stands there may come from anybody."""
    start = bytes(line[:60]).rstrip(b"\r\n")
    return repr(start).removeprefix("b") + ("..." if len(line) > 60 else "")
