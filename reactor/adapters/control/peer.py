"""Who is at the other end of a unix socket: the kernel says so, nobody can pretend."""

import pwd
import socket
import struct
from dataclasses import dataclass

_CREDENTIALS = struct.Struct("3i")
_GROUPS_OPTION = 59
"""``SO_PEERGROUPS`` of Linux, which Python has no name for."""

_GROUPS_BYTES = 1024
"""The most that Python lets an option have: 256 groups."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The process that connected, as it was then; ``groups`` are all that it belongs to."""

    pid: int
    uid: int
    groups: frozenset[int]


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask: root, the daemon's own user, and the members of ``group`` if there is one."""

    uid: int
    group: int | None = None

    def allows(self, peer: Peer) -> bool:
        """Whether this process may."""
        return peer.uid in {0, self.uid} or self.group in peer.groups


def peer_of(connection: socket.socket) -> Peer:
    """Who connected (``SO_PEERCRED``, ``SO_PEERGROUPS``).

    Raises:
        OSError: the connection is gone already.
    """
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, gid = _CREDENTIALS.unpack(raw)
    return Peer(pid, uid, frozenset({gid, *_more_groups(connection)}))


def _more_groups(connection: socket.socket) -> list[int]:
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _GROUPS_OPTION, _GROUPS_BYTES)
    except OSError:
        # A kernel before 4.13, or more groups than fit: its first group has to do.
        return []
    return [gid for (gid,) in struct.iter_unpack("I", raw)]


def user_name(uid: int) -> str:
    """``uid 1000 (anna)``, without the name where there is none; blocks: it may ask a server."""
    try:
        return f"uid {uid} ({pwd.getpwuid(uid).pw_name})"
    except (KeyError, OSError):
        return f"uid {uid}"
