"""One monitor for as long as it is watched: connect, stay, connect again."""

import asyncio
import errno
import socket
from collections.abc import Mapping
from random import Random

from reactor.adapters.qmp import troubles
from reactor.adapters.qmp.address import Address, UnixAddress
from reactor.adapters.qmp.commands import Commands, Then
from reactor.adapters.qmp.connect import connect
from reactor.adapters.qmp.facts import Peer, file_of, peer_of
from reactor.adapters.qmp.session import Ready, Session
from reactor.adapters.qmp.shared import Limits, Shared
from reactor.errors import MonitorError

# How long a connect may keep its place among those under way: a monitor that
# is held by somebody else, and makes us wait for its greeting, holds up nobody.
_PLACE_S = 0.25


def pause_s(failures: int, limits: Limits, rng: Random) -> float:
    """Seconds until the next connect, after so many failures before the last one.

    It doubles up to the limit; half of it is chance: 5,000 monitors that died
    together must not come back together.
    """
    doubled = limits.first_delay_s * 2.0 ** min(failures, 30)
    return min(doubled, limits.last_delay_s) * rng.uniform(0.5, 1.0)


class Monitor:
    """One guest's monitor, over all its connections.

    Args:
        gate: bounds the connects under way at once in the whole pool.
    """

    __slots__ = (
        "_address",
        "_announced",
        "_commands",
        "_failures",
        "_gate",
        "_guest",
        "_place",
        "_session",
        "_shared",
        "_told",
        "_used_before",
    )

    def __init__(
        self, guest: str, address: Address, shared: Shared, gate: asyncio.Semaphore
    ) -> None:
        self._guest = guest
        self._address = address
        self._place = troubles.place_of(guest, address)
        self._shared = shared
        self._gate = gate
        self._commands = Commands(guest, shared)
        self._session: Session | None = None
        self._failures = 0
        self._told = ""
        self._used_before = False
        self._announced = False

    @property
    def connected(self) -> bool:
        """Whether commands go through at this moment."""
        return self._session is not None and self._session.usable

    async def run(self) -> None:
        """Keep the monitor connected until the task is cancelled."""
        limits = self._shared.limits
        try:
            while True:
                try:
                    await self._connection()
                except Exception as error:  # noqa: BLE001 - handed on, with its trace
                    # A fault of ours must not leave a guest unwatched for as long as we live.
                    self._failed(error)
                await asyncio.sleep(pause_s(self._failures, limits, self._shared.rng))
                self._failures += 1
        finally:
            self.stop("reactor stops")

    def stop(self, reason: str) -> bool:
        """Close the connection now; whether the listener believes in it.

        The task that runs this monitor is its owner's to cancel.
        """
        session, self._session = self._session, None
        announced, self._announced = self._announced, False
        if session is not None:
            session.close(reason)
        return announced

    def send(
        self,
        command: str,
        arguments: Mapping[str, object],
        timeout_s: float,
        then: Then | None = None,
    ) -> asyncio.Future[object]:
        """The future of the reply, sent before this returns; see ``Commands.send``.

        Raises:
            MonitorError: nothing was sent.
        """
        session = self._session
        if session is None or not session.usable:
            raise self._commands.refuse(
                command,
                "the monitor is not connected",
                "run it again once the guest is connected",
            )
        return self._commands.send(session.wire, command, arguments, timeout_s, then)

    async def _connection(self) -> None:
        """One connection from its connect to its end, told to the listener."""
        loop = asyncio.get_running_loop()
        try:
            session, ready = await self._open()
        except MonitorError as error:
            self._tell(error)
            return
        began = loop.time()
        self._use(session, ready)
        ended = await session.ended
        self._session = None
        if self._announced:
            self._announced = False
            self._shared.call(self._shared.listener.on_disconnected, self._guest, ended.reason)
        if ended.error is not None:
            self._tell(ended.error)
        # One that answers and dies at once is not tried ten times a second.
        if loop.time() - began >= self._shared.limits.last_delay_s:
            self._failures = 0

    def _failed(self, error: Exception) -> None:
        reason = f"reactor itself failed ({type(error).__name__}: {error})"
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"the monitor of {self._guest} failed", "exception": error}
        )
        if self.stop(reason):
            self._shared.call(self._shared.listener.on_disconnected, self._guest, reason)

    async def _open(self) -> tuple[Session, Ready]:
        async with self._gate:
            session = await self._connect()
            self._session = session
            await asyncio.wait((session.ready,), timeout=_PLACE_S)
        ready = await session.ready
        if isinstance(ready, MonitorError):
            self._session = None
            raise ready
        return session, ready

    async def _connect(self) -> Session:
        limit_s = self._shared.limits.connect_s
        try:
            # A unix socket is connected at once or not at all: thousands need no timers.
            if isinstance(self._address, UnixAddress):
                return await self._connect_unix(self._address)
            async with asyncio.timeout(limit_s):
                connection = await connect(self._address)
                session = self._session_with(Peer())
                loop = asyncio.get_running_loop()
                await loop.create_connection(lambda: session.wire, sock=connection)
                return session
        except TimeoutError:
            raise troubles.not_connected_in_time(self._place, limit_s) from None
        except OSError as error:
            raise troubles.cannot_connect(self._place, self._address, error) from error

    async def _connect_unix(self, address: UnixAddress) -> Session:
        file = file_of(address.path)
        connection = await connect(address)
        session = self._session_with(_peer(connection, address.path, file))
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: session.wire, sock=connection)
        return session

    def _session_with(self, peer: Peer) -> Session:
        return Session(self._guest, self._place, self._shared, self._commands, peer)

    def _use(self, session: Session, ready: Ready) -> None:
        shared = self._shared
        self._told = ""
        shared.counters.connects += 1
        shared.counters.reconnects += self._used_before
        self._used_before = True
        session.take_commands()
        self._announced = True
        connected = shared.call(shared.listener.on_connected, self._guest, ready.epoch, ready.facts)
        if not (connected and shared.call(session.go_live)):
            session.close("reactor itself failed on it")

    def _tell(self, error: MonitorError) -> None:
        # The fix, not the problem: that may quote what the other side said,
        # another text every time.
        if error.fix != self._told:
            self._told = error.fix
            self._shared.call(self._shared.listener.on_trouble, self._guest, error)


def _peer(connection: socket.socket, path: str, file: str) -> Peer:
    """What a unix socket tells of who listens; ``file`` is what it was before the connect."""
    process = peer_of(connection)
    if not process and file_of(path) != file:
        # Another QEMU has taken the place meanwhile: which of the two it is cannot be told.
        connection.close()
        raise ConnectionRefusedError(errno.ECONNREFUSED, "the socket was made anew")
    return Peer(process, file)
