"""The lab's own hand and eye: a QMP client that shares no code with the daemon's adapter.

What the daemon claims can be checked only by somebody who does not use the daemon's code.
So this is a second, plain client: streams and `json`, every event kept in order.
"""

import asyncio
import itertools
import json
import socket
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from reactor.errors import GuestError, LostReply, MonitorError

Json: TypeAlias = Any
"""What QEMU says; whoever reads it knows the command's reply (QEMU QMP reference)."""

HISTORY: Final = 20_000
"""Events kept; older ones are dropped and counted."""

# query-qmp-schema is one line of 207 kB on QEMU 7.2.
_LINE_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class Seen:
    """One event as it came; ``number`` counts from 1.

    ``occurred`` is QEMU's own time (seconds since 1970), up to a second older than
    ``arrived`` (seconds of the loop's clock) when QEMU held the event back.
    """

    number: int
    name: str
    data: Mapping[str, Json]
    occurred: float
    arrived: float


def anything(_data: Mapping[str, Json]) -> bool:
    """Whatever an event holds, it is the one that is waited for."""
    return True


class Control:
    """A negotiated QMP connection; make one with `over` or `connect`, end it with `close`."""

    def __init__(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.name = name
        self.greeting: Mapping[str, Json] = {}
        self.dropped = 0
        self._reader, self._writer = reader, writer
        self._ids = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Mapping[str, Json]]] = {}
        self._history: deque[Seen] = deque(maxlen=HISTORY)
        self._count = 0
        self._news = asyncio.Event()
        self._lost = False
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def over(cls, name: str, link: socket.socket, within: float = 10.0) -> "Control":
        """A client on a socket that is connected already, greeted and negotiated.

        Raises:
            MonitorError: no greeting within ``within`` seconds, or the link ended.
        """
        streams = await asyncio.open_unix_connection(sock=link, limit=_LINE_BYTES)
        return await cls._greeted(name, streams, within)

    @classmethod
    async def connect(cls, name: str, path: Path, within: float = 10.0) -> "Control":
        """As `over`, on a unix socket; it holds the monitor until it is closed."""
        try:
            streams = await asyncio.open_unix_connection(path, limit=_LINE_BYTES)
        except OSError as error:
            raise MonitorError(
                path, error.strerror or "cannot connect", "start the guest first"
            ) from error
        return await cls._greeted(name, streams, within)

    @classmethod
    async def _greeted(
        cls, name: str, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], within: float
    ) -> "Control":
        control = cls(name, *streams)
        try:
            async with asyncio.timeout(within):
                await control._negotiate()
        except BaseException as error:
            await control.close()
            if isinstance(error, TimeoutError):
                raise MonitorError(
                    f"monitor of {name}",
                    f"no greeting within {within:g} s",
                    "another client holds this monitor, or QEMU hangs",
                ) from None
            raise
        return control

    async def _negotiate(self) -> None:
        try:
            line = await self._reader.readline()
        except ConnectionError:
            line = b""
        if not line:
            raise self._gone()
        self.greeting = json.loads(line)["QMP"]
        self._task = asyncio.create_task(self._read(), name=f"control of {self.name}")
        await self.command("qmp_capabilities")

    # ------------------------------------------------------------- commands

    async def command(
        self, command: str, arguments: Mapping[str, Json] | None = None, within: float = 10.0
    ) -> Json:
        """The ``return`` of one command.

        Raises:
            GuestError: QEMU refused it.
            LostReply: the monitor died, or did not answer within ``within`` seconds.
        """
        if self._lost:
            raise self._gone()
        number = next(self._ids)
        reply: asyncio.Future[Mapping[str, Json]] = asyncio.get_running_loop().create_future()
        self._pending[number] = reply
        request = {"execute": command, "arguments": arguments or {}, "id": number}
        self._writer.write(json.dumps(request).encode() + b"\n")
        try:
            async with asyncio.timeout(within):
                message = await reply
        except TimeoutError:
            raise self._unanswered(command, f"no reply within {within:g} s") from None
        finally:
            del self._pending[number]
        if not message:
            raise self._unanswered(command, "the monitor died before it replied")
        if "error" in message:
            error = message["error"]
            raise GuestError(self.name, command, error["class"], error["desc"])
        return message["return"]

    async def hmp(self, line: str) -> str:
        """What a line of the human monitor answered; its errors are text, too."""
        return str(await self.command("human-monitor-command", {"command-line": line}))

    async def status(self) -> str:
        """The guest's run state, such as ``running`` or ``guest-panicked``."""
        return str((await self.command("query-status"))["status"])

    # --------------------------------------------------------------- events

    @property
    def seen(self) -> int:
        """How many events came so far: the ``after`` of a later `event` or `events`."""
        return self._count

    def events(self, name: str | None = None, after: int = 0) -> list[Seen]:
        """The kept events in the order of their arrival, of one name or of all."""
        return [
            event for event in self._history if event.number > after and name in (None, event.name)
        ]

    async def event(
        self,
        name: str,
        where: Callable[[Mapping[str, Json]], bool] = anything,
        *,
        after: int = 0,
        within: float = 10.0,
    ) -> Seen:
        """The first such event after number ``after``: one that came already, or one to come.

        Raises:
            MonitorError: it did not come within ``within`` seconds, or the monitor died.
        """
        try:
            async with asyncio.timeout(within):
                while True:
                    for event in self.events(name, after):
                        if where(event.data):
                            return event
                    if self._lost:
                        raise self._gone()
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            came = ", ".join(event.name for event in self.events(after=after)[-20:])
            raise MonitorError(
                f"monitor of {self.name}",
                f"no such {name} within {within:g} s; what came: {came or 'nothing'}",
                "look at the guest's output files",
            ) from None

    async def lost(self, within: float = 10.0) -> None:
        """Return when the monitor has ended, as it does with its QEMU.

        Raises:
            MonitorError: it still stands after ``within`` seconds.
        """
        if self._task is None:
            return
        finished, _ = await asyncio.wait([self._task], timeout=within)
        if not finished:
            raise MonitorError(
                f"monitor of {self.name}",
                f"it still stands after {within:g} s",
                "look at why QEMU has not ended",
            )

    # ----------------------------------------------------------------- wire

    async def close(self) -> None:
        """End the connection; a second time does nothing."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._writer.close()
        with suppress(OSError):  # the other end went first
            await self._writer.wait_closed()

    async def _read(self) -> None:
        """Take lines until the monitor ends; then nobody waits in vain."""
        try:
            # ECONNRESET instead of an end of file: QEMU died with something unread.
            with suppress(ConnectionError):
                # A line without its end: QEMU was killed in the middle of it.
                while (line := await self._reader.readline()).endswith(b"\n"):
                    self._take(json.loads(line))
        finally:
            self._lost = True
            self._news.set()
            for reply in self._pending.values():
                if not reply.done():
                    reply.set_result({})

    def _take(self, message: Mapping[str, Json]) -> None:
        if "event" not in message:
            reply = self._pending.get(message.get("id", 0))
            if reply is not None and not reply.done():
                reply.set_result(message)
            return
        stamp = message["timestamp"]
        self._count += 1
        self.dropped += len(self._history) == HISTORY
        self._history.append(
            Seen(
                number=self._count,
                name=message["event"],
                data=message.get("data", {}),
                occurred=stamp["seconds"] + stamp["microseconds"] / 1e6,
                arrived=asyncio.get_running_loop().time(),
            )
        )
        self._news.set()

    def _gone(self) -> MonitorError:
        return MonitorError(
            f"monitor of {self.name}", "the connection has ended", "start the guest again"
        )

    def _unanswered(self, command: str, problem: str) -> LostReply:
        return LostReply(
            f"guest {self.name}, command {command}",
            problem,
            "find out what the guest did before you send it again",
        )
