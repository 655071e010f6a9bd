"""Who listens as systemd does: a datagram socket, in a folder or abstract."""

import contextlib
import socket
from collections.abc import Iterator


class Ear:
    """What was told at an address, one list of lines for each datagram."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(0)
        self._socket.bind("\0" + address[1:] if address[0] == "@" else address)

    def news(self) -> list[list[str]]:
        """What has come since the last question."""
        came = []
        with contextlib.suppress(BlockingIOError):
            while True:
                came.append(self._socket.recv(65536).decode().split("\n"))
        return came

    def close(self) -> None:
        """Hear nothing any more."""
        self._socket.close()


@contextlib.contextmanager
def hearing(address: str) -> Iterator[Ear]:
    """Somebody who listens there."""
    with contextlib.closing(Ear(address)) as ear:
        yield ear
