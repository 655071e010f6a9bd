"""The commands of one guest's agent: one at a time, in the order they came.

A connection is opened when there is something to send, and let go after a few idle
seconds. QEMU's chardev serves one client: held for good it would lock libvirt and every
other program out. Opened for each command it would cost up to 0.1 s each time: without a
client the agent in the guest only looks that often.

Before every command the agent must answer a sync, also on a connection that is open
already: bytes for a guest that has no agent any more wait in the socket, and would be
carried out when one starts. So a command whose sync was not answered was certainly not
sent.

Source: QEMU's qga/main.c, ``channel_event_cb`` (the pause without a client).
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from reactor.adapters.agent import troubles
from reactor.adapters.agent.channel import (
    Channel,
    ClosedError,
    TooLongError,
    UnreadableError,
    encode,
)
from reactor.adapters.agent.limits import Shared
from reactor.core.foreign import UNWRITABLE
from reactor.errors import ReactorError


@dataclass(slots=True)
class _Request:
    command: str
    line: bytes
    deadline: float
    replies: bool
    future: asyncio.Future[object]
    timer: asyncio.TimerHandle
    sent: bool = False


class GuestAgent:
    """One guest's agent, at the socket ``path``."""

    __slots__ = ("_channel", "_guest", "_path", "_present", "_shared", "_task", "_waiting", "_wake")

    def __init__(self, guest: str, path: str, shared: Shared) -> None:
        self._guest = guest
        self._path = path
        self._shared = shared
        self._waiting: deque[_Request] = deque()
        self._present: _Request | None = None
        self._channel: Channel | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def send(
        self, command: str, arguments: Mapping[str, object], timeout_s: float, *, replies: bool
    ) -> asyncio.Future[object]:
        """The future of the result; see ``Agents.send``.

        Raises:
            MonitorError: nothing is sent.
        """
        waiting = len(self._waiting) + (self._present is not None)
        if waiting >= self._shared.limits.commands:
            why = f"{waiting} commands wait for the guest agent already"
            raise self._unsent(command, why, "look whether the agent in the guest hangs")
        try:
            line = encode(command, arguments)
        except UNWRITABLE as error:
            why = f"its arguments cannot be written as JSON ({error})"
            raise self._unsent(command, why, "correct the arguments") from error
        loop = asyncio.get_running_loop()
        future: asyncio.Future[object] = loop.create_future()
        deadline = loop.time() + timeout_s
        timer = loop.call_at(deadline, self._expire, future, command, timeout_s)
        self._waiting.append(_Request(command, line, deadline, replies, future, timer))
        self._wake.set()
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name=f"agent {self._guest}")
        return future

    def stop(self, reason: str) -> asyncio.Task[None] | None:
        """Let go: what waits is not sent, the present outcome is unknown; the task that ends."""
        for request in self._waiting:
            request.timer.cancel()
            self._refuse(request, reason, "send it again when the guest is watched")
        self._waiting.clear()
        if self._present is not None:
            self._give_up(self._present, reason)
        if self._task is not None:
            self._task.cancel()
        return self._task

    async def _work(self) -> None:
        """Carry out what waits; end when nothing came for a while."""
        try:
            while await self._something_waits():
                self._present = request = self._waiting.popleft()
                request.timer.cancel()
                if not request.future.done():
                    await self._carry_out(request)
                self._present = None
        finally:
            if self._present is not None:
                self._give_up(self._present, "reactor itself failed: see its log")
            self._drop()
            self._present = self._task = None

    async def _something_waits(self) -> bool:
        if not self._waiting:
            self._wake.clear()
            try:
                async with asyncio.timeout(self._shared.limits.idle_s):
                    await self._wake.wait()
            except TimeoutError:
                # It may have come in the very moment.
                return bool(self._waiting)
        return True

    async def _carry_out(self, request: _Request) -> None:
        channel = await self._ready(request)
        if channel is None:
            return
        try:
            await self._exchange(channel, request)
        except TimeoutError:
            self._give_up(request, "its time is over")
        except ClosedError:
            self._give_up(request, troubles.CLOSED[0])
        except TooLongError:
            self._give_up(request, troubles.too_long(self._shared.limits.line_bytes))
        except UnreadableError as error:
            self._give_up(request, troubles.garbage(error.line))

    async def _ready(self, request: _Request) -> Channel | None:
        """A connection whose next line is ours; None when the request is refused."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        until = min(request.deadline, begun + self._shared.limits.sync_s)
        try:
            async with asyncio.timeout_at(until):
                return await self._synced()
        except TimeoutError:
            self._refuse(request, *troubles.silent(until - begun))
        except OSError as error:
            self._refuse(request, *troubles.cannot_connect(error))
        except ClosedError:
            self._refuse(request, *troubles.CLOSED)
        except TooLongError:
            self._refuse(request, *troubles.NOT_AN_AGENT)
        self._drop()
        return None

    async def _synced(self) -> Channel:
        if self._channel is not None and not self._channel.is_closed:
            try:
                return await self._sync(self._channel)
            except ClosedError:
                pass  # QEMU was restarted while nobody looked: anew
        self._drop()
        self._channel = await Channel.open(self._path, self._shared.limits.line_bytes)
        self._shared.counters.connects += 1
        return await self._sync(self._channel)

    async def _sync(self, channel: Channel) -> Channel:
        before = channel.skipped
        try:
            await channel.sync(self._shared.rng.getrandbits(48))
        finally:
            self._shared.counters.skipped += channel.skipped - before
        return channel

    async def _exchange(self, channel: Channel, request: _Request) -> None:
        request.sent = True
        self._shared.counters.commands += 1
        until = request.deadline
        if not request.replies:
            now = asyncio.get_running_loop().time()
            until = min(until, now + self._shared.limits.refusal_s)
        try:
            async with asyncio.timeout_at(until):
                await channel.write(request.line)
                answer = await channel.answer()
        except (TimeoutError, ClosedError):
            if request.replies:
                raise
            # It answers by what it does: only a refusal would have come by now. The
            # guest may be down or asleep, so the connection is not trusted any more.
            self._drop()
            self._settle(request, {})
            return
        if answer.error is not None:
            words = answer.error.error_class, answer.error.description
            self._fail(request, troubles.refused(self._guest, request.command, *words))
        else:
            self._settle(request, answer.result)

    def _settle(self, request: _Request, result: object) -> None:
        if not request.future.done():
            request.future.set_result(result)

    def _fail(self, request: _Request, error: ReactorError) -> None:
        if not request.future.done():
            request.future.set_exception(error)

    def _refuse(self, request: _Request, why: str, fix: str) -> None:
        self._fail(request, self._unsent(request.command, why, fix))

    def _give_up(self, request: _Request, why: str) -> None:
        """End a request whose answer will not come; a late one must meet nobody."""
        self._drop()
        if not request.sent:
            self._refuse(request, why, "give the step more time, or look at the guest")
            return
        self._shared.counters.lost += 1
        self._fail(request, troubles.lost(self._guest, request.command, why))

    def _expire(self, future: asyncio.Future[object], command: str, timeout_s: float) -> None:
        """Refuse a request that is still in line at its deadline."""
        if not future.done():
            why = f"earlier commands to the guest agent took all of its {timeout_s:g} s"
            future.set_exception(self._unsent(command, why, "give the step more time"))

    def _unsent(self, command: str, why: str, fix: str) -> ReactorError:
        self._shared.counters.unsent += 1
        return troubles.unsent(self._guest, command, why, fix)

    def _drop(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
