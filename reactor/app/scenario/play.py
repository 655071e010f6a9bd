"""A policy test is played: its guests, its timeline, and time until nothing is open any more."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from reactor.adapters.schedule import Schedules
from reactor.app.messages import read_json, sent_at
from reactor.app.scenario.agenda import Restless
from reactor.app.scenario.answers import Answerer
from reactor.app.scenario.happenings import happen
from reactor.app.scenario.host import VirtualHost
from reactor.app.scenario.recorder import Recorder
from reactor.core import orders
from reactor.core.config import EngineConfig
from reactor.core.effect import Effect
from reactor.core.inputs import Message, Operated, Received
from reactor.core.policy import Policy
from reactor.core.run import Phase, Run
from reactor.errors import Place
from reactor.policyfile.policy_tests import (
    AnswerRun,
    ChangeGuest,
    ChangeHost,
    EventHappens,
    HoldGuest,
    MessageComes,
    MonitorComes,
    MonitorGoes,
    PolicyTest,
    PutMark,
    ReleaseGuest,
    Restart,
    SilencePolicies,
    TakeMark,
    TimelineEntry,
    TriggerRun,
)

LONGEST = 86_400.0
"""Seconds that a test goes on behind its last entry for what is still open."""

WHO = "a policy test"

_CONNECT_BEFORE = 1.0
"""Seconds before the start in which monitors connect, and policies are armed."""


class Anything(frozenset[str]):
    """A set that holds every text: what settings would have to permit is not a test's matter."""

    def __contains__(self, item: object) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong with an entry of the timeline, or with the test as a whole."""

    place: Place
    problem: str


@dataclass(slots=True)
class Played:
    """What came of a test; ``ended`` is when, in seconds after its start.

    ``still_open``: something was not over a day after the last entry.
    """

    recorder: Recorder
    troubles: list[Trouble] = field(default_factory=list)
    still_open: bool = False
    ended: float = 0.0


def play(test: PolicyTest, policies: Mapping[str, Policy]) -> Played:
    """Play the test.

    Args:
        policies: at least those that the test names.
    """
    player = _Player(test, [policies[name] for name in test.policies])
    try:
        player.run()
    except Restless as error:
        player.played.troubles.append(Trouble(test.place, str(error)))
    return player.played


class _Player:
    def __init__(self, test: PolicyTest, policies: list[Policy]) -> None:
        self._test = test
        self._orders: dict[str, Place] = {}
        config = EngineConfig(
            host=test.host.name,
            host_labels=test.host.labels,
            allow=Anything(),
            dumps_allow=Anything(),
            exec_allow=Anything(),
        )
        self.played = Played(Recorder(policies, test.start, config.dumps_folder))
        answerer = Answerer(test.simulate)
        self._host = VirtualHost(
            policies, config, test.start - _CONNECT_BEFORE, answerer, self._see
        )
        self._host.errands.free.update(test.host.free)
        self._policies = policies

    def _see(self, now: float, effect: Effect) -> None:
        self.played.recorder.see(now, effect)

    def run(self) -> None:
        """Play from the start to the end."""
        test, host = self._test, self._host
        self._furnish()
        for entry in sorted(test.timeline, key=lambda entry: entry.at):
            host.run_until(test.start + entry.at)
            self._happen(entry)
        last = max([test.lasts, *(entry.at for entry in test.timeline)])
        host.run_until(test.start + last)
        self._wind_up(test.start + last + LONGEST)
        self.played.ended = host.now - test.start
        for reply in self.played.recorder.replies:
            if not reply.ok:
                self._trouble(self._orders[reply.id], reply.text)

    def _furnish(self) -> None:
        """Let guests be there as the stored snapshot knows them, and connect."""
        for setup in self._test.guests:
            answers = Answerer({**self._test.simulate, **setup.simulate})
            happens = [entry.what for entry in self._test.timeline]
            of_it = [w for w in happens if isinstance(w, EventHappens) and w.guest == setup.name]
            self._host.add(setup, answers, of_it)
        self._host.remember()
        for setup in self._test.guests:
            if setup.connected:
                self._host.connect(setup.name)
        self._host.run_until(self._test.start)
        # Always the same draw: a test gives the same jitter every time.
        schedules = Schedules(random.Random(0))  # noqa: S311 - no secret is drawn
        schedules.adopt(self._policies, self._test.start)
        self._host.firings = schedules

    def _wind_up(self, latest: float) -> None:
        """Go on until nothing is open, for a day at most."""
        while self._host.is_busy() and (due := self._host.next()) is not None:
            if due > latest:
                self.played.still_open = True
                break
            self._host.step(due)

    def _trouble(self, place: Place, problem: str) -> None:
        self.played.troubles.append(Trouble(place, problem))

    # ------------------------------------------------------------ what happens

    def _happen(self, entry: TimelineEntry) -> None:  # noqa: C901 - one case for each kind
        what = entry.what
        match what:
            case EventHappens(guest, name, data):
                qemu = self._host.guests[guest].qemu
                if qemu is None:
                    self._trouble(entry.place, f"the QEMU of {guest} has ended by then")
                else:
                    happen(qemu, name, data)
            case MessageComes():
                self._host.give(Received(_message(what, self._test.host.name, self._host.now)))
            case MonitorGoes(guest, crashes):
                self._go(guest, crashes=crashes)
            case MonitorComes(guest):
                self._host.connect(guest)
            case ChangeGuest():
                self._change(what)
            case ChangeHost(free):
                self._host.errands.free.update(free)
            case Restart(seconds):
                self._host.restart(seconds)
            case _:
                self._order(entry, what)

    def _go(self, guest: str, *, crashes: bool) -> None:
        qemu = self._host.guests[guest].qemu
        if not crashes:
            self._host.disconnect(guest, "the connection was closed")
        elif qemu is not None:
            qemu.end("the connection was closed")

    def _change(self, what: ChangeGuest) -> None:
        guest = self._host.guests[what.guest]
        if what.status is not None and guest.qemu is not None:
            guest.qemu.status = what.status
        if what.labels is not None:
            self._host.relabel(what.guest, what.labels)
        guest.answerer.change(what.simulate)
        self._host.errands.answerer.change(what.simulate)

    def _order(self, entry: TimelineEntry, what: "_ByHand") -> None:
        order = self._order_of(entry, what)
        if order is not None:
            name = f"order-{len(self._orders) + 1}"
            self._orders[name] = entry.place
            self._host.give(Operated(name, WHO, order))

    def _order_of(  # noqa: C901 - one case for each kind
        self, entry: TimelineEntry, what: "_ByHand"
    ) -> orders.Order | None:
        match what:
            case AnswerRun(verb, policy, guest, comment):
                run = self._open_run(policy, guest, asks=verb != "cancel")
                if run is None:
                    problem = f"no run of {policy} is open on {guest}: there is nothing to {verb}"
                    self._trouble(entry.place, problem)
                    return None
                if verb == "cancel":
                    return orders.CancelRun(run.id, comment)
                return orders.Approve(run.id, verb == "approve", comment)
            case TriggerRun(policy, guest, data):
                return orders.StartRun(policy, guest, data)
            case SilencePolicies(policies, guests, seconds):
                return orders.AddSilence(policies, guests, seconds)
            case HoldGuest(guest, lasts):
                return orders.HoldGuests(guest, lasts)
            case ReleaseGuest(guest):
                return orders.ReleaseGuests(guest)
            case PutMark(guest, kind, name, word, reason, lasts):
                return orders.SetMark(guest, kind.value, name, word, reason, lasts)
            case TakeMark(guest, kind, name, word):
                return orders.ClearMark(guest, kind.value, name, word)

    def _open_run(self, policy: str, guest: str, *, asks: bool) -> Run | None:
        """The oldest run of the policy that is open on the guest.

        Args:
            asks: one that waits for an answer goes before the others.
        """
        runs = self._host.engine.world.runs.values()
        found = [r for r in runs if (r.policy, r.guest) == (policy, guest) and r.id == r.story]
        waiting = [run for run in found if run.phase is Phase.WAITING_APPROVAL]
        return next(iter((waiting if asks else []) + found), None)


_ByHand = AnswerRun | TriggerRun | SilencePolicies | HoldGuest | ReleaseGuest | PutMark | TakeMark


def _message(what: MessageComes, host: str, now: float) -> Message:
    """The message as the broker would have sent it."""
    text = what.payload if isinstance(what.payload, str) else _json(what.payload)
    value, is_json = read_json(text)
    return Message(
        topic=what.topic if what.absolute else f"reactor/{host}/{what.topic}",
        payload=text,
        below="" if what.absolute else what.topic,
        json=value,
        is_json=is_json,
        retain=what.retain,
        qos=1,
        sent_at=sent_at(value, what.properties) if what.age is None else now - what.age,
        properties=dict(what.properties),
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
