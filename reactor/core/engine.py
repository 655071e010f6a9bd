"""The engine: inputs in, effects out, and the same every time."""

from collections.abc import Iterable, Mapping

from reactor.core import anew, comparing, connection, gate, holds, lasting, readiness, trigger_life
from reactor.core.config import EngineConfig
from reactor.core.drops import dropped
from reactor.core.effect import Effect, Keep, Trace
from reactor.core.event import Event
from reactor.core.facts import FREE, LOOK, UNKNOWN, take_fact, take_room
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
from reactor.core.interest import matters
from reactor.core.machine import answered
from reactor.core.matching import Index
from reactor.core.memory import adopt_policies, fold, restore
from reactor.core.messages import received
from reactor.core.needs import compared, compared_by
from reactor.core.operator import operate
from reactor.core.owed import LATE, stood_still
from reactor.core.policy import Policy
from reactor.core.reception import receive, refresh_status, status_unknown
from reactor.core.run import Role
from reactor.core.runs import closed, steps_given_up
from reactor.core.schedules import fired
from reactor.core.starting import wake
from reactor.core.world import World

_NOTHING: list[Effect] = []
"""What most events lead to; nobody may change it."""

_Rare = (
    GuestKnown
    | GuestForgotten
    | Connected
    | Disconnected
    | Missed
    | Fired
    | Received
    | Operated
    | Answered
    | Dropped
    | Ticked
)


class Engine:
    """Policies, guests and runs of one host; pure: time and identity are arguments.

    Args:
        config: what the settings decide.
        identity: the journal's id; run ids begin with it.
    """

    def __init__(self, config: EngineConfig, identity: str) -> None:
        self._world = World(config, identity)

    @property
    def world(self) -> World:
        """The state, to be read only."""
        return self._world

    def handle(self, input_: Input, now: float) -> list[Effect]:
        """What must be done about an input that came at ``now``.

        ``now`` is seconds since the epoch and never goes back; an earlier time
        counts as the latest one.
        """
        world = self._world
        if now > world.now:
            if now >= world.now + LATE:
                stood_still(world, now)
            world.now = now
        if isinstance(input_, Happened):
            receive(world, input_.event)
            if not (world.effects or world.wakeups or world.changed_runs):
                return _NOTHING
        else:
            self._take(input_)
        return self._settle()

    def load(self, policies: Iterable[Policy], now: float) -> list[Effect]:
        """Replace the loaded policies; windows and cooldowns of the others survive.

        Runs that are open keep the revision that started them.
        """
        world = self._world
        world.now = max(world.now, now)
        adopt_policies(world, Index(policies))
        for guest in world.guests.values():
            readiness.arm_missing(world, guest)
            comparing.ask_missing(world, guest)
        trigger_life.loaded(world)
        return self._settle()

    def restore(
        self, rows: Iterable[Keep], revisions: Mapping[str, Policy], now: float
    ) -> list[Effect]:
        """Take up what an earlier life kept; open runs go on or fail with a reason.

        Call it after ``load``. ``revisions`` are the policies that started the
        open runs, by revision, as far as they could be built again.
        """
        world = self._world
        world.now = max(world.now, now)
        restore(world, rows, revisions)
        return self._settle()

    def next_deadline(self) -> float | None:
        """When the engine wants a ``Ticked`` at the latest, or None."""
        return self._world.timers.next()

    def snapshot(self) -> list[Keep]:
        """All that must survive: what a restart's ``restore`` takes."""
        return fold(self._world)

    def near_misses(self, policy: str) -> list[Trace]:
        """Why the latest refused matches of a policy did not become runs."""
        world = self._world
        found = [*world.near.get(policy, ()), *world.near_messages.get(policy, ())]
        told = [record if isinstance(record, Trace) else record.trace() for record in found]
        return sorted(told, key=lambda trace: trace.at)

    def matters(self, event: Event) -> bool:
        """Whether anybody would miss the event, if it were never handled."""
        return matters(self._world, event)

    def compared(self, guest: str, labels: Mapping[str, str]) -> tuple[str, ...]:
        """What a connect of the guest's monitor must ask to be compared: names of subjects.

        Args:
            labels: those of a guest whose ``GuestKnown`` is still on its way.
        """
        if guest not in self._world.guests:
            return compared_by(self._world, self._world.index.selection(guest, labels))
        return compared(self._world, guest)

    def _take(self, input_: _Rare) -> None:  # noqa: C901 - one case for each kind
        world = self._world
        match input_:
            case GuestKnown():
                connection.known(world, input_)
            case GuestForgotten():
                connection.forgotten(world, input_)
            case Connected():
                connection.connected(world, input_)
            case Disconnected():
                connection.disconnected(world, input_)
            case Missed():
                anew.missed(world, input_)
            case Answered():
                self._answered(input_)
            case Ticked():
                for name in world.timers.due(world.now):
                    self._due(name)
            case Operated():
                operate(world, input_)
            case Fired():
                fired(world, input_)
            case Received(message):
                received(world, message)
            case Dropped():
                dropped(world, input_)

    def _answered(self, answer: Answered) -> None:
        world = self._world
        owner = world.asked.pop(answer.id, None)
        if owner is None:
            return
        run = world.runs.get(owner)
        if run is None:
            self._refreshed(owner, answer)
            return
        purpose = run.cursor.pending.get(answer.id, "")
        if purpose in {"status", "dump", "migrating"}:
            take_fact(world, world.guest_of(run), purpose, answer)
        elif purpose.startswith(FREE):
            take_room(world, purpose, answer)
        if answered(world, run, answer):
            world.wakeups.append(run.id)

    def _refreshed(self, name: str, answer: Answered) -> None:
        world = self._world
        guest = world.guests.get(name)
        if guest is None:
            return
        if comparing.answered(world, guest, answer):
            anew.go_on(world, guest)
            return
        if anew.answered(world, guest, answer):
            return
        if guest.refreshing != answer.id:
            lasting.answered(world, guest, answer)
            return
        guest.refreshing = ""
        take_fact(world, guest, "status", answer)
        if guest.refresh_again:
            guest.refresh_again = False
            refresh_status(world, guest)

    def _due(self, name: str) -> None:
        world = self._world
        kind, _, key = name.partition(" ")
        match kind:
            case "run":
                world.wakeups.append(key)
            case "marks":
                for mark in world.marks.expired(world.now):
                    world.clear_mark(mark, "expired")
            case "lost":
                guest = world.guests[key]
                connection.lost(world, guest, guest.lost_reason)
            case "arm":
                readiness.rearm(world, world.guests[key])
            case "held":
                readiness.let_go(world, world.guests[key])
            case "debounce":
                gate.quiet(world, *key.split("|", 1))
            case _:
                self._others_due(kind, key)

    def _others_due(self, kind: str, key: str) -> None:
        if kind in trigger_life.KINDS:
            trigger_life.due(self._world, kind, key)
        elif kind == UNKNOWN:
            status_unknown(self._world, self._world.guests[key])
        elif kind == "ask":
            comparing.ask_missing(self._world, self._world.guests[key])
        elif kind == LOOK:
            anew.go_on(self._world, self._world.guests[key])
        else:
            holds.over(self._world, kind, key)

    def _settle(self) -> list[Effect]:
        """Let everything that follows from the input happen, then hand out the effects."""
        world = self._world
        while True:
            if world.ended or world.cancelled:
                self._turns()
            elif world.wakeups:
                waiting = world.runs.get(world.wakeups.popleft())
                if waiting is not None:
                    world.touch(waiting)
                    wake(world, waiting)
            elif world.derived:
                receive(world, world.derived.popleft())
            elif world.triggers.moved:
                self._moved()
            else:
                break
        world.derived_count = 0
        world.changed_keeps()
        effects, world.effects = world.effects, []
        return effects

    def _moved(self) -> None:
        """What the states of some guests read has changed: look at them."""
        world = self._world
        moved, world.triggers.moved = world.triggers.moved, {}
        for name in moved:
            guest = world.guests.get(name)
            if guest is not None:
                lasting.look(world, guest)

    def _turns(self) -> None:
        """A run ended, or its steps were given up: whoever waited for that goes on."""
        world = self._world
        if not world.ended:
            given_up = world.runs.get(world.cancelled.pop(0))
            if given_up is not None:
                steps_given_up(world, given_up)
            return
        run = world.runs[world.ended.pop(0)]
        closed(world, run)
        if run.role is Role.ARM:
            readiness.armed(world, run)
        connection.drop_if_free(world, world.guest_of(run))
