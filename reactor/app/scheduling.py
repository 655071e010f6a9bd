"""The task that lets schedules fire: it sleeps until the next one, by the wall clock."""

import asyncio
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import structlog

from reactor.adapters.journal import Reader
from reactor.adapters.schedule import SCHEDULES_MAX, Missed, Schedules
from reactor.app.projection import instant
from reactor.core.identity import trigger_names
from reactor.core.inputs import Fired
from reactor.core.policy import Policy, ScheduleTrigger
from reactor.core.schedules import LAST

LOOK_S = 10.0
"""Seconds between two looks at the wall clock: it may be set, and the host may sleep."""

SETTLE_S = 10.0
"""Seconds after the start that monitors have to connect: a firing is for who is connected."""

SETTLE_LEAST_S = 1.0
_SETTLE_LOOK_S = 0.25

_PAUSE_LEAST_S = 0.001
_HISTORY_SEARCHED = 100_000

log = structlog.get_logger("reactor")


@dataclass(frozen=True, slots=True)
class EarlierLife:
    """What the journal says of the schedules before this start; see ``Schedules.resume``."""

    alive: float
    fired: float
    loaded: Mapping[str, float]
    last: Mapping[tuple[str, int], float] = field(default_factory=dict)


def earlier_life(reader: Reader, policies: Sequence[Policy]) -> EarlierLife | None:
    """What the journal says of these policies, before anything new is written; it blocks.

    None where there was no earlier life.
    """
    newest = reader.last()
    if not newest:
        return None
    (last,) = reader.history(newest - 1, 1)
    fired = reader.latest("fired", _HISTORY_SEARCHED)
    at = -math.inf if fired is None else msgspec.json.decode(fired.body, type=Fired).at
    in_force = {policy.name: reader.in_force(policy.name, math.inf) for policy in policies}
    loaded = {name: found.at for name, found in in_force.items() if found and found.revision}
    return EarlierLife(last.at, at, loaded, _last_firings(reader, policies))


def _last_firings(reader: Reader, policies: Iterable[Policy]) -> dict[tuple[str, int], float]:
    """Which time fired last, by policy and trigger: of schedules that catch up."""
    kept = {name: value for _, name, value in reader.state(LAST)}
    return {
        (policy.name, index): msgspec.json.decode(kept[name], type=float)
        for policy in policies
        if any(isinstance(trigger, ScheduleTrigger) for trigger in policy.triggers)
        for index, name in enumerate(trigger_names(policy))
        if name in kept
    }


class Scheduling:
    """Hands the firings of the loaded policies to the engine, each once and none too early.

    Args:
        submit: takes the engine's inputs.
        wall: the wall clock, seconds since the epoch; it may be set at any time.
        settled: whether all guests that are known are connected.
        rng: draws the seeds of the firings.
    """

    def __init__(
        self,
        submit: Callable[[Fired], None],
        wall: Callable[[], float],
        settled: Callable[[], bool],
        rng: random.Random,
    ) -> None:
        self._submit = submit
        self._wall = wall
        self._settled = settled
        self._wake = asyncio.Event()
        self._running = False
        self.schedules = Schedules(rng, _tell_missed)

    def take_up(self, policies: Sequence[Policy], before: EarlierLife | None) -> None:
        """The first policies, and what an earlier life of the daemon left."""
        now = self._wall()
        self._adopt(policies, now)
        if before is not None:
            alive, fired = before.alive, before.fired
            self.schedules.resume(alive, fired, before.loaded, now, before.last)

    def adopt(self, policies: Sequence[Policy]) -> None:
        """Take these policies from now on; what was due before is delivered before."""
        if self._running:
            self._fire()
        self._adopt(policies, self._wall())
        self._wake.set()

    async def run(self) -> None:
        """Deliver what is due, until cancelled."""
        await self._settle()
        self._running = True
        while True:
            self._fire()
            await self._pause()

    def _adopt(self, policies: Sequence[Policy], now: float) -> None:
        self.schedules.adopt(policies, now)
        if self.schedules.refused:
            log.error(
                "schedules refused",
                refused=self.schedules.refused,
                bound=SCHEDULES_MAX,
                fix="use fewer schedules: one can be for many guests",
            )

    async def _settle(self) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        while (waited := loop.time() - start) < SETTLE_S:
            if waited >= SETTLE_LEAST_S and self._settled():
                return
            await asyncio.sleep(_SETTLE_LOOK_S)

    def _fire(self) -> None:
        for fired in self.schedules.due(self._wall()):
            log.debug("schedule fired", policy=fired.policy, at=instant(fired.at))
            self._submit(fired)

    async def _pause(self) -> None:
        """Sleep until the next firing, a reload, or the next look at the wall clock."""
        self._wake.clear()
        now = self._wall()
        following = self.schedules.next(now)
        delay = None
        if following is not None:
            # asyncio's clock may run a little faster than the wall's: no spinning then.
            delay = min(LOOK_S, max(_PAUSE_LEAST_S, following - now))
        try:
            async with asyncio.timeout(delay):
                await self._wake.wait()
        except TimeoutError:
            return


def _tell_missed(missed: Missed) -> None:
    log.warning(
        "schedule missed", policy=missed.policy, trigger=missed.index, first=instant(missed.first)
    )
