"""A record through the real engine: its inputs at their times, commands answered by simulation."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence

from reactor.adapters.schedule import Schedules
from reactor.app.replay.dumps import AsRecorded, RecordedDump
from reactor.app.replay.following import adopt, follow
from reactor.app.replay.sources import Moment
from reactor.app.scenario.answers import Answerer
from reactor.app.scenario.guest import SimulatedGuest
from reactor.app.scenario.host import VirtualHost
from reactor.core.config import EngineConfig
from reactor.core.effect import Effect
from reactor.core.event import Event
from reactor.core.inputs import (
    Answered,
    Connected,
    Disconnected,
    Fired,
    GuestForgotten,
    GuestKnown,
    Happened,
    Input,
    Operated,
    Received,
    Ticked,
)
from reactor.core.orders import Approve, CancelRun, Order
from reactor.core.policy import Policy
from reactor.policyfile.policy_tests import GuestSetup

AFTER = 86_400.0
"""Seconds that open runs are given to end behind the last input."""


class Player:
    """Plays moments in order; one that lies before the clock is played now.

    Args:
        watch: sees every effect with its time.
        ran: which recorded run an operator's order was about, by its id: policy and guest.
        dumps: the recorded dumps of each guest.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        config: EngineConfig,
        watch: Callable[[float, Effect], None],
        ran: Callable[[str], tuple[str, str] | None] = lambda _run: None,
        dumps: Mapping[str, tuple[RecordedDump, ...]] | None = None,
    ) -> None:
        self._dumps = dumps or {}
        self._policies, self._config, self._watch, self._ran = policies, config, watch, ran
        self._host: VirtualHost | None = None
        self._epochs: dict[str, str] = {}
        self.inputs = 0

    def play(self, moments: Iterable[Moment]) -> None:
        """Play them all, and let what is open come to its end."""
        for moment in moments:
            host = self._host or self._begin(moment.at)
            host.run_until(max(moment.at, host.now))
            self.inputs += 1
            self._take(host, moment.input)
        if self._host is not None:
            self._come_to_rest(self._host)

    def _begin(self, at: float) -> VirtualHost:
        host = VirtualHost(self._policies, self._config, at, Answerer({}), self._watch)
        # A replay must give the same each time: the jitter of schedules too.
        schedules = Schedules(random.Random(0))  # noqa: S311 - no secret
        schedules.adopt(self._policies, at)
        host.firings = schedules
        self._host = host
        return host

    def _take(self, host: VirtualHost, input_: Input) -> None:  # noqa: C901 - one case each
        match input_:
            case Happened(event):
                self._happened(host, event)
            case GuestKnown(name, labels, agent):
                if name in host.guests:
                    host.relabel(name, labels)
                else:
                    self._add(host, name, labels, has_agent=agent)
            case Connected():
                self._connected(host, input_)
            case Disconnected(name, reason):
                if name in host.guests:
                    host.guests[name].connected = False
                    host.errands.lose(name, reason)
                    host.give(input_)
            case GuestForgotten(name):
                if name in host.guests:
                    host.guests[name].connected = False
                    host.give(input_)
            case Received():
                host.give(input_)
            case Operated(name, who, order):
                if (today := self._of_today(host, order)) is not None:
                    host.give(Operated(name, who, today))
            case Fired() | Answered() | Ticked():
                pass  # made anew: by today's schedules, by the simulation, by the clock

    def _add(
        self, host: VirtualHost, name: str, labels: Mapping[str, str], *, has_agent: bool
    ) -> None:
        answers = AsRecorded(self._dumps.get(name, ()), lambda: host.now)
        host.introduce(host.add(GuestSetup(name, labels, agent=has_agent), answers))

    def _guest(self, host: VirtualHost, name: str) -> SimulatedGuest:
        """The guest, made and connected where the record begins in the middle."""
        if name not in host.guests:
            self._add(host, name, {}, has_agent=True)
        guest = host.guests[name]
        if not guest.connected:
            host.connect(name)
        return guest

    def _happened(self, host: VirtualHost, event: Event) -> None:
        if event.own or event.synthetic or event.name.startswith("REACTOR_"):
            return  # what reactor itself did then, or made of it: done anew
        follow(self._guest(host, event.guest), event)
        host.give(Happened(event))

    def _connected(self, host: VirtualHost, input_: Connected) -> None:
        name = input_.guest
        if name not in host.guests:
            self._add(host, name, {}, has_agent=True)
        guest = host.guests[name]
        if self._epochs.get(name, input_.epoch) != input_.epoch:
            guest.start()
        self._epochs[name] = input_.epoch
        adopt(guest, input_.facts)
        host.connect(name)

    def _of_today(self, host: VirtualHost, order: Order) -> Order | None:
        """The order, about the run of today that stands where the recorded one stood."""
        if not isinstance(order, Approve | CancelRun):
            return order
        what = self._ran(order.run)
        for run in host.engine.world.runs.values():
            if (run.policy, run.guest) == what:
                if isinstance(order, Approve):
                    return Approve(run.id, order.yes, order.comment)
                return CancelRun(run.id, order.comment)
        return None

    def _come_to_rest(self, host: VirtualHost) -> None:
        end = host.now + AFTER
        while host.engine.world.runs and (due := host.next()) is not None and due <= end:
            host.step(due)
