"""Faults planted into reactor on purpose: a simulation that does not find them proves nothing."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from reactor.adapters.journal import Batch
from reactor.adapters.mqtt import Fate
from reactor.adapters.mqtt.publisher import Publisher
from reactor.app import clock
from reactor.app.calls import Deed
from reactor.app.clock import Clock
from reactor.app.commits import Commits, Work
from reactor.app.dispatcher import Dispatcher
from reactor.core import connection, doubts, machine
from reactor.core.effect import Effect, Keep
from reactor.core.probes import Finding, Verdict
from reactor.errors import JournalError
from tests.simulation.modules import modules_of_reactor


@contextmanager
def _method(owner: type, name: str, value: object) -> Iterator[None]:
    with patch.object(owner, name, value):
        yield


def intent_after_sending() -> Any:
    """Commands go out before what announces them is on disk."""
    real = Dispatcher._let_go

    async def let_go(self: Dispatcher) -> None:
        effects = self._work.effects
        deeds = [effect for effect in effects if isinstance(effect, Deed)]
        for deed in deeds:
            self._calls.do(deed)
        self._work.effects = [effect for effect in effects if effect not in deeds]
        await real(self)

    return _method(Dispatcher, "_let_go", let_go)


def full_disk_ignored() -> Any:
    """What the disk refuses is forgotten, and done all the same."""

    async def commit(self: Commits, work: Work) -> None:
        try:
            await self._journal.commit(work.batch)
        except JournalError as error:
            self.trouble = error.problem

    return _method(Commits, "commit", commit)


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
    "what is in doubt is sent again without a look": sent_again_blindly,
    "a guard is not asked again": guard_not_asked_again,
    "a message leaves the outbox before the broker has it": removed_before_the_answer,
    "missed events are not made up for": missed_events_ignored,
    "a deadline cuts a reset in half": reset_cut_in_half,
    "the clock can be set while it runs": clock_on_the_wall,
    "a start takes the time of day as it is": clock_taken_anew,
}
