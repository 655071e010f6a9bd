"""Faults planted into reactor on purpose: a simulation that does not find them proves nothing."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import msgspec

from reactor.adapters.journal import Batch
from reactor.adapters.journal.intake import Commit
from reactor.adapters.mqtt import Fate
from reactor.adapters.mqtt.publisher import Publisher
from reactor.app import clock
from reactor.app.calls import Deed
from reactor.app.clock import Clock
from reactor.app.commits import Commits, Work
from reactor.app.dispatcher import Dispatcher
from reactor.core import comparing, connection, doubts, engine, machine, memory
from reactor.core.effect import Effect, Keep
from reactor.core.probes import Finding, Verdict
from reactor.core.run import Run
from reactor.core.timers import Timers
from reactor.errors import JournalError
from tests.simulation.modules import modules_of_reactor


@contextmanager
def _method(owner: type, name: str, value: object) -> Iterator[None]:
    with patch.object(owner, name, value):
        yield


def intent_after_sending() -> Any:
    """Commands go out before what announces them is on disk."""
    real = Dispatcher._let_go

    def let_go(self: Dispatcher) -> None:
        effects = self._work.effects
        deeds = [effect for effect in effects if isinstance(effect, Deed)]
        for deed in deeds:
            self._calls.do(deed)
        self._work.effects = [effect for effect in effects if effect not in deeds]
        real(self)

    return _method(Dispatcher, "_let_go", let_go)


def full_disk_ignored() -> Any:
    """What the disk refuses is forgotten, and done all the same."""
    real = Commits._heard

    def heard(self: Commits, work: Work, landing: asyncio.Future[None]) -> None:
        if not landing.cancelled() and isinstance(landing.exception(), JournalError):
            work.landing = landing = asyncio.get_running_loop().create_future()
            landing.set_result(None)
            self._chain.refused = None
        real(self, work, landing)

    return _method(Commits, "_heard", heard)


def _without(kind: str, *, first: int = 0) -> Any:
    """Rows of this kind are not kept, but for the first ones of a key."""
    real = Dispatcher._fill
    seen: dict[str, int] = {}

    def fill(self: Dispatcher, batch: Batch, effects: list[Effect]) -> None:
        kept = []
        for effect in effects:
            if isinstance(effect, Keep) and effect.kind == kind and effect.value is not None:
                seen[effect.key] = seen.get(effect.key, 0) + 1
                if seen[effect.key] > first:
                    continue
            kept.append(effect)
        real(self, batch, kept)

    return _method(Dispatcher, "_fill", fill)


def cursor_not_stored() -> Any:
    """A run is journaled when it begins, and not again as it goes on."""
    return _without("run", first=2)


def limits_forgotten() -> Any:
    """What a limit has counted does not survive."""
    return _without("ledger")


def _taken_up(change: Callable[[Keep], Keep | None]) -> Any:
    """A restart takes up other rows than were kept; None: not this one."""
    real = memory.restore

    def restore(world: Any, rows: Iterable[Keep], revisions: Any) -> None:
        changed = (row if row.value is None else change(row) for row in rows)
        real(world, [row for row in changed if row is not None], revisions)

    return patch.object(engine, "restore", restore)


def yes_forgotten() -> Any:
    """After a restart nobody knows who approved a run."""

    def change(row: Keep) -> Keep | None:
        if row.kind != "run" or row.value is None:
            return row
        run = msgspec.json.decode(row.value, type=Run)
        run.approved = ""
        return Keep(row.kind, row.key, msgspec.json.encode(run))

    return _taken_up(change)


def hold_forgotten() -> Any:
    """After a restart nobody knows that a guest is held."""
    return _taken_up(lambda row: None if row.kind == "hold" else row)


def limit_of_wait_forgotten() -> Any:
    """After a restart a wait begins anew."""

    def change(row: Keep) -> Keep | None:
        if row.kind != "run" or row.value is None:
            return row
        run = msgspec.json.decode(row.value, type=Run)
        run.cursor.limit = None
        return Keep(row.kind, row.key, msgspec.json.encode(run))

    return _taken_up(change)


def chain_broken() -> Any:
    """What rests on a batch that the disk refused is written all the same."""
    return _method(Commit, "refused", None)


def cooldown_forgotten() -> Any:
    """After a restart nobody knows when a run of this policy began last."""
    return _taken_up(lambda row: None if b'"policy":"echo"' in (row.value or b"") else row)


def ends_of_marks_forgotten() -> Any:
    """A restart takes up the marks, and not when they end."""
    real = memory.restore

    def restore(world: Any, rows: Iterable[Keep], revisions: Any) -> None:
        set_ = Timers.set

        def no_marks(self: Timers, name: str, at: float | None) -> None:
            set_(self, name, None if name == "marks" else at)

        with patch.object(Timers, "set", no_marks):
            real(world, rows, revisions)

    return patch.object(engine, "restore", restore)


def told_at_each_connect() -> Any:
    """The snapshot of before is kept, whatever a connect has told."""
    real = comparing.taken

    def taken(world: Any, guest: Any, facts: Any, *, same: bool) -> Any:
        before = guest.facts.compared
        facts, made = real(world, guest, facts, same=same)
        if same and before:
            facts = msgspec.structs.replace(facts, compared=before)
        return facts, made

    return patch.object(connection, "taken", taken)


def wait_without_end() -> Any:
    """Nobody looks at a wait again when its time is up."""
    real = Run.next_wake

    def next_wake(self: Run) -> float | None:
        limit, self.cursor.limit = self.cursor.limit, None
        try:
            return real(self)
        finally:
            self.cursor.limit = limit

    return _method(Run, "next_wake", next_wake)


def sent_again_blindly() -> Any:
    """What is in doubt counts as not done, and goes out again."""
    blind = Finding(Verdict.NOT_DONE, "nobody looked")
    return patch.object(doubts, "find", lambda _world, _run, _op: blind)


def guard_not_asked_again() -> Any:
    """What was known of a guest before is taken for how it stands now."""

    @contextmanager
    def planted() -> Iterator[None]:
        users = [module for module in modules_of_reactor() if "fresh_facts" in vars(module)]
        before = {module: vars(module)["fresh_facts"] for module in users}
        for module in users:
            vars(module)["fresh_facts"] = lambda _world, _run, _needed: True
        try:
            yield
        finally:
            for module, real in before.items():
                vars(module)["fresh_facts"] = real

    return planted()


def removed_before_the_answer() -> Any:
    """A message is taken from the outbox when it is sent."""
    real = Publisher._offer

    def offer(self: Publisher, link: Any, job: Any, remaining_s: float | None) -> None:
        real(self, link, job, remaining_s)
        if job.seq:
            self._rows._outbox.done({job.seq: Fate.SENT})

    return _method(Publisher, "_offer", offer)


def missed_events_ignored() -> Any:
    """Nothing is made up for at a connect."""
    return patch.object(connection, "missed", lambda *_args: iter(()))


def reset_cut_in_half() -> Any:
    """A deadline that passes between a reset and its ``cont`` ends the step there."""
    return patch.object(machine, "is_spared", lambda _world, _run: False)


def clock_on_the_wall() -> Any:
    """Deadlines follow a wall clock that is set."""
    return _method(Clock, "now", lambda _self: vars(clock)["time"].time())


def clock_taken_anew() -> Any:
    """At each start the time of day counts, whoever set it."""
    real = Clock.take_up

    def take_up(self: Clock, newest: float, _noted: str) -> str:
        return real(self, newest, "")

    return _method(Clock, "take_up", take_up)


PLANTED: Mapping[str, Callable[[], Any]] = {
    "an intent is journaled after its command was sent": intent_after_sending,
    "a full disk is ignored": full_disk_ignored,
    "the place of a run is not stored": cursor_not_stored,
    "limits forget over a crash": limits_forgotten,
    "marks are not kept": lambda: _without("mark"),
    "a silence is not kept": lambda: _without("silence"),
    "a hold is not kept": lambda: _without("hold"),
    "a hold is forgotten over a crash": hold_forgotten,
    "an inhibition is not kept": lambda: _without("inhibition"),
    "a debounce that is under way is not kept": lambda: _without("debounce"),
    "an open sequel is not kept": lambda: _without("sequel"),
    "the limit of a wait is forgotten over a crash": limit_of_wait_forgotten,
    "a batch is written that rests on a refused one": chain_broken,
    "a yes is forgotten over a crash": yes_forgotten,
    "a cooldown is forgotten over a crash": cooldown_forgotten,
    "the ends of marks are forgotten over a crash": ends_of_marks_forgotten,
    "a change is told at each connect": told_at_each_connect,
    "a wait does not end": wait_without_end,
    "what is in doubt is sent again without a look": sent_again_blindly,
    "a guard is not asked again": guard_not_asked_again,
    "a message leaves the outbox before the broker has it": removed_before_the_answer,
    "missed events are not made up for": missed_events_ignored,
    "a deadline cuts a reset in half": reset_cut_in_half,
    "the clock can be set while it runs": clock_on_the_wall,
    "a start takes the time of day as it is": clock_taken_anew,
}
