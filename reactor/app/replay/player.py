"""A record through the real engine: its inputs at their times, commands answered by simulation."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from reactor.app.records import Rulebook
from reactor.app.replay.following import Follower
from reactor.app.replay.host import RecordHost
from reactor.app.replay.past import Past
from reactor.app.replay.recording import Line
from reactor.core.config import EngineConfig
from reactor.core.effect import Effect
from reactor.core.event import Event
from reactor.core.inputs import (
    Answered,
    Connected,
    Disconnected,
    Dropped,
    Fired,
    GuestForgotten,
    GuestKnown,
    Happened,
    Input,
    Missed,
    Operated,
    Received,
    Ticked,
)
from reactor.core.orders import Approve, CancelRun, Order
from reactor.core.policy import Policy
from reactor.policyfile.policy_tests import GuestSetup

AFTER = 86_400.0
"""Seconds that open runs are given to end behind the last line."""

LEFT_OUT = "left out"
INTRODUCED = "introduced"
NOBODYS = "nobody's"
"""Events of our own doing that were left out; guests that the record begins with in the
middle; orders about runs that there are not now: what ``counts`` is of."""


class Player:
    """Plays lines in order, and lets what is open come to its end.

    Args:
        watch: sees every effect with its time.
        past: what was done then.
        of_book: the policies of then, where they are played and not today's.
        labels: those of guests of which the record does not know any.
    """

    def __init__(  # noqa: PLR0913 - what a replay is made of, by keyword
        self,
        *,
        policies: Sequence[Policy],
        config: EngineConfig,
        watch: Callable[[float, Effect], None],
        past: Past,
        of_book: Callable[[Rulebook], Sequence[Policy]] | None = None,
        labels: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._policies, self._config, self._watch = policies, config, watch
        self._past, self._of_book, self._labels = past, of_book, labels or {}
        self._host: RecordHost | None = None
        self._epochs: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.inputs = 0

    @property
    def answered(self) -> Mapping[str, int]:
        """How many commands were answered as then, and how many by simulation."""
        return self._host.answered if self._host is not None else {}

    @property
    def open_runs(self) -> int:
        """Runs that have not ended."""
        return 0 if self._host is None else len(self._host.engine.world.runs)

    def play(self, lines: Iterable[Line]) -> None:
        """Play them all.

        Raises:
            Restless: policies start each other for ever.
        """
        for line in lines:
            host = self._host or self._begin(line.at)
            host.begin_line()
            host.run_until(max(line.at, host.now))
            self.inputs += 1
            if line.input is not None:
                self._take(host, line.input, line)
            elif line.policies is not None:
                self._in_force(host, line.policies)
            elif line.stopped:
                host.go_down()
        if self._host is not None:
            self._come_to_rest(self._host)

    def _begin(self, at: float) -> RecordHost:
        self._host = RecordHost(self._policies, self._config, at, self._past, self._watch)
        return self._host

    def _in_force(self, host: RecordHost, book: Rulebook) -> None:
        """The daemon of then started here, or loaded other policies."""
        policies = None if self._of_book is None else self._of_book(book)
        if book.starts:
            host.go_down()
            host.come_up(policies)
        elif policies is not None:
            host.adopt(policies)

    def _take(  # noqa: C901 - one case for each kind
        self, host: RecordHost, input_: Input, line: Line
    ) -> None:
        match input_:
            case Happened(event):
                self._happened(host, event)
            case GuestKnown(name, labels, agent):
                if name in host.guests:
                    host.guests[name].has_agent = agent
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
            case Received() | Dropped() | Missed():
                host.give(input_)
            case Operated(name, who, order):
                if (today := self._of_today(host, order)) is not None:
                    host.give(Operated(name, who, today))
            case Answered():
                self._observe(host, input_, line)
            case Fired() | Ticked():
                pass  # made anew: by today's schedules, by the clock

    def _add(
        self, host: RecordHost, name: str, labels: Mapping[str, str], *, has_agent: bool
    ) -> Follower:
        follower = host.add_guest(GuestSetup(name, labels, agent=has_agent))
        host.introduce(follower.guest)
        return follower

    def _follower(self, host: RecordHost, name: str) -> Follower:
        """The guest, made and connected where the record begins in the middle."""
        follower = host.followers.get(name)
        if follower is None:
            follower = self._add(host, name, self._labels.get(name, {}), has_agent=True)
            self.counts[INTRODUCED] += 1
        if not follower.guest.connected:
            host.connect(name)
        return follower

    def _happened(self, host: RecordHost, event: Event) -> None:
        if event.synthetic or event.name.startswith("REACTOR_"):
            return
        if event.own and self._past.explains(event):
            self._our_own(host, event)
            return
        # Whether it is our own doing today the engine finds out itself.
        told = Event(event.name, event.guest, event.data, event.time, event.received)
        self._follower(host, event.guest).happened(told, host.now)
        host.give(Happened(told))

    def _our_own(self, host: RecordHost, event: Event) -> None:
        """What reactor did then comes about anew, or not; but a QEMU that ended has ended."""
        self.counts[LEFT_OUT] += 1
        follower = host.followers.get(event.guest)
        if event.name == "SHUTDOWN" and follower is not None and follower.guest.connected:
            follower.happened(event, host.now)
            host.give(Happened(event))

    def _connected(self, host: RecordHost, input_: Connected) -> None:
        name = input_.guest
        follower = host.followers.get(name)
        if follower is None:
            follower = self._add(host, name, self._labels.get(name, {}), has_agent=True)
        same_life = self._epochs.get(name, input_.epoch) == input_.epoch
        if not same_life:
            follower.guest.start()
        self._epochs[name] = input_.epoch
        follower.connected(input_.facts, host.now, same_life=same_life)
        host.connect(name)

    def _observe(self, host: RecordHost, answer: Answered, line: Line) -> None:
        """What was learned then of a guest, or of the host."""
        result = answer.result
        if line.asked.startswith("free ") and isinstance(result, int):
            host.errands.free[line.asked.removeprefix("free ")] = result
        elif line.asked == "query-status" and isinstance(result, Mapping):
            follower = host.followers.get(line.guest)
            if follower is not None:
                follower.observe(str(result.get("status", "")), host.now)

    def _of_today(self, host: RecordHost, order: Order) -> Order | None:
        """The order, about the run of today that stands where the recorded one stood."""
        if not isinstance(order, Approve | CancelRun):
            return order
        then = self._past.runs.get(order.run)
        for run in host.engine.world.runs.values():
            if then is not None and (run.policy, run.guest) == (then.policy, then.guest):
                if isinstance(order, Approve):
                    return Approve(run.id, order.yes, order.comment)
                return CancelRun(run.id, order.comment)
        self.counts[NOBODYS] += 1
        return None

    def _come_to_rest(self, host: RecordHost) -> None:
        host.firings = None
        if not host.is_up:
            return  # its daemon was stopped: what is open goes on at its next start
        host.begin_line()
        end = host.now + AFTER
        while host.engine.world.runs and (due := host.next()) is not None and due <= end:
            host.step(due)
