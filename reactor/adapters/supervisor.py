"""Tells whoever supervises the process how it is: sd_notify(3), one datagram at a time.

systemd names a socket in the environment of a service that it was told to listen to
(`Type=notify`). Who is not asked says nothing.
"""

import errno
import socket
from collections.abc import Mapping
from enum import StrEnum

_FULL = {errno.EAGAIN, errno.ENOBUFS}


class State(StrEnum):
    """Where the program stands, in the words of the protocol."""

    READY = "READY=1"
    RELOADING = "RELOADING=1"
    STOPPING = "STOPPING=1"


class Supervisor:
    """What is told; nothing when ``address`` is empty.

    Nothing waits here. What the supervisor has no room for is told with what comes next: of
    each kind the latest, the others are not true any more.

    Args:
        address: the path of a unix socket, or ``@`` and the name of an abstract one.
        patience_s: the supervisor ends the process when it has heard no sign of life for so
            long; None when it does not mind.

    Attributes:
        problem: why the last word did not arrive, empty when it did.
    """

    def __init__(self, address: str = "", patience_s: float | None = None) -> None:
        self.address = address
        self.patience_s = patience_s
        self.problem = ""
        self._state: list[str] = []
        self._status: list[str] = []
        self._life: list[str] = []
        self._socket: socket.socket | None = None
        if not address:
            return
        if address[0] not in "/@":
            self.problem = "it is neither a path nor the name of an abstract socket"
            return
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(0)

    @classmethod
    def of(cls, environment: Mapping[str, str], pid: int) -> "Supervisor":
        """The one that the environment of the process with this id names, if any."""
        wanted = environment.get("WATCHDOG_USEC", "")
        patience_s = int(wanted) / 1e6 if wanted.isascii() and wanted.isdigit() else 0.0
        if environment.get("WATCHDOG_PID", str(pid)) != str(pid):
            patience_s = 0.0
        return cls(environment.get("NOTIFY_SOCKET", ""), patience_s or None)

    @property
    def listens(self) -> bool:
        """Whether there is anybody to be told."""
        return self._socket is not None

    def enter(self, state: State, at: float) -> None:
        """Say where the program stands since ``at``, a time of the monotonic clock."""
        self._state = [state.value]
        if state is State.RELOADING:
            self._state.append(f"MONOTONIC_USEC={round(at * 1e6)}")
        self._send()

    def describe(self, status: str) -> None:
        """Say how it is, for people: one line."""
        self._status = ["STATUS=" + " ".join(status.split())]
        self._send()

    def live(self) -> None:
        """Give a sign of life."""
        self._life = ["WATCHDOG=1"]
        self._send()

    def _send(self) -> None:
        if self._socket is None:
            return
        text = "\n".join([*self._state, *self._status, *self._life])
        address = "\0" + self.address[1:] if self.address[0] == "@" else self.address
        try:
            self._socket.sendto(text.encode("utf-8", "replace"), address)
        except OSError as error:
            self.problem = "" if error.errno in _FULL else str(error.strerror or error)
            return
        self.problem = ""
        self._state, self._status, self._life = [], [], []

    def close(self) -> None:
        """Tell nothing any more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
