"""The commands of one monitor that wait for their replies."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reactor.adapters.qmp import troubles
from reactor.adapters.qmp.messages import Message, encode
from reactor.adapters.qmp.shared import Shared
from reactor.adapters.qmp.wire import Wire
from reactor.core.foreign import UNWRITABLE
from reactor.errors import GuestError, MonitorError, ReactorError

Then = Callable[[asyncio.Future[object]], None]
"""Takes the future of a reply, which is done."""


@dataclass(slots=True)
class _Sent:
    command: str
    reply: asyncio.Future[object]
    deadline: asyncio.TimerHandle
    then: Then | None


class Commands:
    """What was sent and not answered yet, over all connections of one monitor.

    A command that was given up keeps its place until QEMU answers it or the
    connection ends: QEMU still has it, and a QEMU that hangs must not collect
    commands without a bound.
    """

    __slots__ = ("_guest", "_last_id", "_sent", "_shared")

    def __init__(self, guest: str, shared: Shared) -> None:
        self._guest = guest
        self._shared = shared
        self._sent: dict[int, _Sent] = {}
        # QEMU gives the reply of a slow command to whoever is connected when it
        # is done, so ids differ from those of every earlier connection, those
        # of an earlier reactor too.
        self._last_id = shared.rng.getrandbits(48)

    def send(
        self,
        wire: Wire,
        command: str,
        arguments: Mapping[str, object],
        timeout_s: float,
        then: Then | None = None,
    ) -> asyncio.Future[object]:
        """The future of the reply, after the bytes were handed to the transport.

        It gets what ``return`` held, ``GuestError`` or ``LostReply``.

        Args:
            then: called at once with the future that is done, before any event behind the
                reply is handed on. Who waits for the future, or asks it to call back, is
                told a turn of the loop later: by then such an event may have overtaken it.

        Raises:
            MonitorError: nothing was sent.
        """
        self._last_id += 1
        number = self._last_id
        line = self._line(wire, command, arguments, number)
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[object] = loop.create_future()
        deadline = loop.call_later(timeout_s, self._expire, number, timeout_s)
        self._sent[number] = _Sent(command, reply, deadline, then)
        self._shared.counters.commands += 1
        wire.write(line)
        return reply

    def answered(self, number: int, message: Message) -> None:
        """Hand a reply to whoever waits for it."""
        sent = self._sent.pop(number, None)
        if sent is None or sent.reply.done():
            self._shared.counters.late += 1
        elif message.error is None:
            sent.reply.set_result(message.result)
            self._tell(sent)
        else:
            said = message.error
            refusal = GuestError(self._guest, sent.command, said.error_class, said.description)
            self._fail(sent, refusal)
        if sent is not None:
            sent.deadline.cancel()

    def lost(self, reason: str) -> None:
        """Every command that still waits has an unknown outcome."""
        everything, self._sent = self._sent, {}
        for sent in everything.values():
            sent.deadline.cancel()
            if not sent.reply.done():
                self._fail(sent, troubles.died(self._guest, sent.command, reason))

    def refuse(self, command: str, why: str, fix: str) -> MonitorError:
        """The error of a command that is not sent."""
        self._shared.counters.unsent += 1
        return troubles.unsent(self._guest, command, why, fix)

    def _line(
        self, wire: Wire, command: str, arguments: Mapping[str, object], number: int
    ) -> bytes:
        limits = self._shared.limits
        if len(self._sent) >= limits.commands:
            why = f"{len(self._sent)} commands wait for QEMU's reply already"
            raise self.refuse(command, why, "QEMU hangs or is very busy: look at the guest")
        try:
            line = encode(command, arguments, number)
        except UNWRITABLE as error:
            why = f"its arguments cannot be written as JSON ({error})"
            raise self.refuse(command, why, "correct the arguments") from error
        waiting = wire.waiting_bytes()
        if waiting + len(line) > limits.write_bytes:
            why = f"QEMU has not read {waiting} bytes yet, and this command has {len(line)}"
            raise self.refuse(command, why, "QEMU hangs or is very busy: look at the guest")
        return line

    def _expire(self, number: int, timeout_s: float) -> None:
        sent = self._sent.get(number)
        if sent is not None and not sent.reply.done():
            self._fail(sent, troubles.no_reply(self._guest, sent.command, timeout_s))

    def _fail(self, sent: _Sent, error: ReactorError) -> None:
        sent.reply.set_exception(error)
        self._tell(sent)

    def _tell(self, sent: _Sent) -> None:
        if sent.then is not None:
            self._shared.call(sent.then, sent.reply)
