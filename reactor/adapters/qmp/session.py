"""One connection of one monitor, from the connect over the handshake to its end."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from reactor.adapters.qmp import troubles
from reactor.adapters.qmp.commands import Commands
from reactor.adapters.qmp.facts import (
    Peer,
    Questions,
    epoch_of,
    facts_of,
    more_questions,
    questions,
    refusal,
)
from reactor.adapters.qmp.messages import Message, Version
from reactor.adapters.qmp.shared import Shared
from reactor.adapters.qmp.wire import wire_for
from reactor.core.inputs import Facts
from reactor.errors import MonitorError


class Ready(NamedTuple):
    """What the handshake found."""

    epoch: str
    facts: Facts


class Ended(NamedTuple):
    """Why a connection ended; ``error`` where the other side broke the rules."""

    reason: str
    error: MonitorError | None = None


class Session:
    """One connection; its events are held until ``go_live``.

    ``ready`` gets the facts, or the error that keeps the monitor from being
    used; ``ended`` is set when the connection is over; neither future ever
    holds an exception. ``usable`` is true while commands go through.

    Args:
        peer: what the socket itself told of the epoch; where that is not all, QEMU is asked.
    """

    __slots__ = (
        "_answers",
        "_asked",
        "_commands",
        "_compared",
        "_guest",
        "_held",
        "_last",
        "_over",
        "_peer",
        "_place",
        "_shared",
        "_timer",
        "_version",
        "ended",
        "ready",
        "usable",
        "wire",
    )

    def __init__(
        self, guest: str, place: str, shared: Shared, commands: Commands, peer: Peer
    ) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[Ready | MonitorError] = loop.create_future()
        self.ended: asyncio.Future[Ended] = loop.create_future()
        self.usable = False
        self.wire = wire_for(loop, guest, self, shared, self._hold)
        self._guest = guest
        self._place = place
        self._shared = shared
        self._commands = commands
        self._peer = peer
        self._over = False
        self._version: Version | None = None
        self._asked: tuple[str, ...] = ()
        self._compared: tuple[str, ...] = ()
        self._last = False
        self._answers: dict[str, Message] = {}
        # No deque: an empty one takes 700 bytes more, of each of thousands of monitors.
        self._held: list[tuple[str, str, dict[str, object], float, bool]] = []
        self._timer: asyncio.TimerHandle | None = None

    def take_commands(self) -> None:
        """Let commands through, if the connection still holds."""
        self.usable = not self._over

    def go_live(self) -> None:
        """Hand on the events that were held; from now on each goes straight through."""
        on_event = self._shared.listener.on_event
        # A connection that died meanwhile has events to tell all the same; one
        # that the listener closes on the way has none any more.
        for event in self._held:
            on_event(*event)
        self._held.clear()
        self.wire.sink = on_event

    def close(self, reason: str) -> None:
        """End it from our side; commands that wait have an unknown outcome."""
        self._drop_held()
        self._end(reason)

    def made(self) -> None:
        """Start to wait for the greeting."""
        self._wait(self._shared.limits.greeting_s, self._not_greeted)

    def answered(self, message: Message, line: bytes | bytearray) -> None:
        """Sort a message that is not an event."""
        number = message.id
        if isinstance(number, int):
            self._commands.answered(number, message)
        elif self._version is None:
            self._greeted(message, line)
        elif number in self._asked:
            self._answers[str(number)] = message
            if len(self._answers) == len(self._asked):
                self._told(self._version)
        else:
            self._shared.counters.late += 1

    def unreadable(self, line: bytes | bytearray, why: Exception) -> None:
        """Leave a monitor whose lines are not QMP."""
        if self._version is None:
            self._break(troubles.not_qmp(self._place, line))
        else:
            self._break(troubles.garbage(self._place, line, why))

    def too_long(self, limit: int) -> None:
        """Leave a monitor that writes a line without end, or an event that is none of QEMU's."""
        self._break(troubles.too_long(self._place, limit))

    def lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._end(troubles.why_lost(error))

    def _greeted(self, message: Message, line: bytes | bytearray) -> None:
        if message.greeting is None:
            self._break(troubles.not_qmp(self._place, line))
            return
        self._version = version = message.greeting.version
        self._compared = self._shared.compared(self._guest)
        self._wait(self._shared.limits.facts_s, partial(self._not_told, version))
        self._ask(questions(self._compared, cpus=not self._peer.process))

    def _ask(self, asked: Questions) -> None:
        self._asked += asked.ids
        self.wire.write(asked.lines)

    def _told(self, version: Version) -> None:
        """All that was asked is answered; what is asked behind it is asked once."""
        if self._compared and not self._last:
            self._last = True
            more = more_questions(self._compared, self._answers)
            if more.ids:
                self._ask(more)
                return
        self._told_all(version)

    def _told_all(self, version: Version) -> None:
        answers, self._answers = self._answers, {}
        self._asked = ()
        command, words = refusal(answers)
        if command:
            self._fail(troubles.refused_facts(self._place, command, words))
            return
        self._stop_timer()
        held = ((name, data) for _, name, data, _, _ in self._held)
        facts = facts_of(version, answers, self._compared, held)
        self.ready.set_result(Ready(epoch_of(self._peer, answers), facts))

    def _hold(self, guest: str, name: str, data: dict[str, object], time: float) -> None:
        if len(self._held) >= self._shared.limits.events_held:
            # The oldest: how things stood by then is asked as well, what came behind it is not.
            del self._held[0]
            self._shared.counters.dropped += 1
        # QEMU writes in order: what comes before the last answer came about before it.
        self._held.append((guest, name, data, time, not self.ready.done()))

    def _drop_held(self) -> None:
        self._shared.counters.dropped += len(self._held)
        self._held.clear()

    def _wait(self, limit_s: float, then: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(limit_s, then)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _not_greeted(self) -> None:
        self._fail(troubles.held(self._place, self._shared.limits.greeting_s))

    def _not_told(self, version: Version) -> None:
        needed = questions(cpus=not self._peer.process).ids
        missing = next((name for name in needed if name not in self._answers), None)
        if missing is not None:
            self._fail(troubles.slow_facts(self._place, missing, self._shared.limits.facts_s))
            return
        # A disk that hangs must not cost the guest its policies: it is used all the same.
        self._compared = ()
        self._told_all(version)

    def _break(self, error: MonitorError) -> None:
        self._shared.counters.garbage += 1
        self._fail(error)

    def _fail(self, error: MonitorError) -> None:
        self._end(error.problem, error)

    def _end(self, reason: str, error: MonitorError | None = None) -> None:
        if self._over:
            return
        self._over = True
        self.usable = False
        self._stop_timer()
        self.wire.stop()
        if not self.ready.done():
            self._drop_held()
            self.ready.set_result(error or self._ended_early(reason))
        # A cancelled task has cancelled the future that it waited for.
        if not self.ended.done():
            self.ended.set_result(Ended(reason, error))
        self._commands.lost(reason)

    def _ended_early(self, reason: str) -> MonitorError:
        when = "its greeting" if self._version is None else "it answered what it is"
        return troubles.ended_early(self._place, reason, when)
