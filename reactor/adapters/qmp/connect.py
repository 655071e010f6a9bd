"""Connected sockets: the one place where addresses, names and ports are dealt with."""

import asyncio
import socket

from reactor.adapters.qmp.address import Address, TcpAddress, UnixAddress

# A peer whose host died is noticed after 10 + 3 * 5 seconds.
_KEEP_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)


async def connect(address: Address) -> socket.socket:
    """A connected socket that does not block; the caller sets the deadline.

    Raises:
        OSError: with its number, as the system gave it.
    """
    match address:
        case UnixAddress(path):
            return _unix(path)
        case TcpAddress(host, port):
            return await _tcp(host, port)


def _unix(path: str) -> socket.socket:
    # Not through the loop: asyncio takes EAGAIN (the listen queue of a monitor
    # that is held is full) for "in progress" and calls the socket connected.
    # A unix connect that does not block is over at once, either way.
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


async def _tcp(host: str, port: int) -> socket.socket:
    # Not create_connection(host, port): where a name has two addresses it
    # reports a failure as text, without the number of the error.
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    last = OSError("the name has no address")
    for family, kind, protocol, _name, where in found:
        connection = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
        try:
            await loop.sock_connect(connection, where)
        except OSError as error:
            connection.close()
            last = error
        except BaseException:
            connection.close()
            raise
        else:
            for option in _KEEP_ALIVE:
                connection.setsockopt(*option)
            return connection
    raise last
