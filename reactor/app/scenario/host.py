"""A virtual host: the real engine, simulated guests, and time that jumps."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from reactor.app.scenario.agenda import Agenda, Restless
from reactor.app.scenario.answers import Answerer
from reactor.app.scenario.errands import LATENCY, Errands
from reactor.app.scenario.guest import SimulatedGuest, traits_of
from reactor.app.scenario.limiter import Occurrence
from reactor.core import counting, lasting, renames
from reactor.core.config import EngineConfig
from reactor.core.effect import Effect, Keep
from reactor.core.engine import Engine
from reactor.core.event import Event
from reactor.core.inputs import (
    Connected,
    Disconnected,
    Fired,
    GuestKnown,
    Happened,
    Input,
    Ticked,
)
from reactor.core.policy import Policy
from reactor.policyfile.policy_tests import EventHappens, GuestSetup

IDENTITY = "test"
INPUTS_MAX = 2_000_000
"""Inputs of one simulation; more are policies that start each other for ever."""


_IDLE = frozenset(
    {
        "arm",
        "ask",
        "hold",
        "inhibition",
        "marks",
        "silence",
        counting.KIND,
        lasting.KIND,
        renames.KIND,
    }
)
"""Deadlines of the engine that nobody waits for."""


class Firings(Protocol):
    """Schedules: when the next is due, and what is due by now."""

    def next(self, now: float) -> float | None:
        """When something is due at the earliest."""
        ...

    def due(self, now: float) -> Sequence[Fired]:
        """The firings that are due."""
        ...


class VirtualHost:
    """One engine with its guests.

    Args:
        watch: sees every effect with its time, before it is carried out.
        start: the first moment, in seconds since the epoch.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        config: EngineConfig,
        start: float,
        answerer: Answerer,
        watch: Callable[[float, Effect], None],
    ) -> None:
        self.agenda = Agenda(start)
        self.guests: dict[str, SimulatedGuest] = {}
        self.errands = Errands(self.agenda, self.guests, answerer, self.give)
        self.firings: Firings | None = None
        self.engine = Engine(config, IDENTITY)
        self.is_up = True
        self._config = config
        self._policies = policies
        self._watch = watch
        self._kept: dict[tuple[str, str], bytes] = {}
        self._inputs = 0
        self._take(self.engine.load(policies, start))

    @property
    def now(self) -> float:
        """The time, in seconds since the epoch."""
        return self.agenda.now

    # ------------------------------------------------------------ guests

    def add(
        self, setup: GuestSetup, answerer: Answerer, foreseen: Iterable[EventHappens] = ()
    ) -> SimulatedGuest:
        """A guest with its QEMU; the engine does not know it before it is introduced.

        Args:
            foreseen: what will happen in it; what that is about is there from the start.
        """
        guest = SimulatedGuest(
            setup.name,
            self.agenda,
            traits_of(setup),
            answerer,
            self._told,
            self._lost,
            setup.labels,
            has_agent=setup.agent,
            foreseen=tuple(foreseen),
        )
        self.guests[setup.name] = guest
        qemu = guest.start(setup.status if setup.kind == "vm" else None)
        qemu.belongings.ports.update(setup.ports)
        return guest

    def remember(self) -> None:
        """Introduce all guests, as an earlier life of the engine left them."""
        before = Engine(self._config, IDENTITY)
        before.load(self._policies, self.now)
        for guest in self.guests.values():
            before.handle(GuestKnown(guest.name, guest.labels, guest.has_agent), self.now)
            facts = guest.facts(before.compared(guest.name, guest.labels))
            before.handle(Connected(guest.name, guest.epoch, facts), self.now)
        rows = [row for row in before.snapshot() if row.kind == "guest"]
        self._take(self.engine.restore(rows, {}, self.now))
        for row in rows:
            self._keep(row)
        for guest in self.guests.values():
            self.introduce(guest)

    def relabel(self, name: str, labels: Mapping[str, str]) -> None:
        """The settings say other labels now."""
        self.guests[name].labels = labels
        self.introduce(self.guests[name])

    def connect(self, name: str) -> None:
        """Let the guest's monitor be ready; a QEMU that had ended was started again."""
        guest = self.guests[name]
        facts = guest.facts(self.engine.compared(name, guest.labels) if self.is_up else ())
        guest.connected = True
        if self.is_up:
            self.give(Connected(name, guest.epoch, facts))

    def disconnect(self, name: str, reason: str) -> None:
        """Let the guest's monitor go away; its QEMU goes on."""
        guest = self.guests[name]
        if guest.connected:
            guest.connected = False
            self._lost(name, reason)

    def introduce(self, guest: SimulatedGuest) -> None:
        """Let the engine know of the guest, with its labels."""
        self.give(GuestKnown(guest.name, guest.labels, guest.has_agent))

    def _told(self, name: str, event: Occurrence) -> None:
        def arrive() -> None:
            told = Event(event.name, name, event.data, event.time, self.now)
            self.give(Happened(told))

        self.agenda.after(LATENCY, arrive)

    def _lost(self, name: str, reason: str) -> None:
        def arrive() -> None:
            self.errands.lose(name, reason)
            self.give(Disconnected(name, reason))

        self.agenda.after(LATENCY, arrive)

    # ------------------------------------------------------------ time

    def give(self, input_: Input) -> None:
        """Hand one input to the engine now, if the daemon is up.

        Raises:
            Restless: the simulation feeds itself.
        """
        if not self.is_up:
            return
        self._inputs += 1
        if self._inputs > INPUTS_MAX:
            message = f"more than {INPUTS_MAX} inputs: policies seem to start each other for ever"
            raise Restless(message)
        self._take(self.engine.handle(input_, self.now))

    def next(self) -> float | None:
        """When something happens next, or None."""
        times = [self.agenda.next(), self.errands.deadlines.next()]
        if self.is_up:
            times.append(self.engine.next_deadline())
            times.append(self.firings.next(self.now) if self.firings is not None else None)
        return min((time for time in times if time is not None), default=None)

    def is_busy(self) -> bool:
        """Whether anything is under way: a run, a wait for a second event, a command."""
        if self.agenda.next() is not None or self.errands.deadlines.next() is not None:
            return True
        world = self.engine.world
        return (
            any(run.is_open for run in world.runs.values())
            or any(name.partition(" ")[0] not in _IDLE for name in world.timers.names())
            or any(
                lasting.since is not None and not lasting.fired
                for watched in world.triggers.states.values()
                for lasting in watched.triggers.values()
            )
        )

    def run_until(self, moment: float) -> None:
        """Let time pass up to this moment, with everything that is due by then."""
        while (due := self.next()) is not None and due <= moment:
            self.step(due)
        self.agenda.jump(moment)

    def step(self, due: float) -> None:
        """Do what is due at this moment: one entry, the answers that are late, one deadline."""
        self.agenda.jump(due)
        entry = self.agenda.next()
        if entry is not None and entry <= self.now:
            self.agenda.take()()
            return
        if self.errands.give_up():
            return
        deadline = self.engine.next_deadline() if self.is_up else None
        if deadline is not None and deadline <= self.now:
            self.give(Ticked())
            return
        for fired in self.firings.due(self.now) if self.firings is not None else ():
            self.give(fired)

    def restart(self, seconds: float) -> None:
        """Kill the daemon, and start it again after so long from what it kept; guests go on."""
        self.is_up = False
        self.errands.forget()
        self.agenda.after(seconds, self._start_again)

    def _start_again(self) -> None:
        self.begin_again()
        for guest in self.guests.values():
            self.introduce(guest)
        for guest in self.guests.values():
            if guest.connected:
                self.connect(guest.name)

    def begin_again(self) -> None:
        """Start the daemon from what it kept; no guest is introduced to it yet."""
        # By key, as SQLite gives them back.
        rows = [Keep(kind, key, value) for (kind, key), value in sorted(self._kept.items())]
        self.engine = Engine(self._config, IDENTITY)
        self.is_up = True
        self._take(self.engine.load(self._policies, self.now))
        self._take(self.engine.restore(rows, self._revisions(), self.now))

    def _revisions(self) -> dict[str, Policy]:
        return {policy.revision: policy for policy in self._policies}

    def _take(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            self._watch(self.now, effect)
            if isinstance(effect, Keep):
                self._keep(effect)
            else:
                self.errands.run(effect)

    def _keep(self, row: Keep) -> None:
        if row.value is None:
            self._kept.pop((row.kind, row.key), None)
        else:
            self._kept[row.kind, row.key] = row.value
