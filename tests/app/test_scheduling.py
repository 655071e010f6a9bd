"""The task that lets schedules fire: by a wall clock that may be set, over reloads and restarts."""

import asyncio
import contextlib
import math
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from reactor.adapters import schedule
from reactor.adapters.journal import Batch, InputRow, Loaded
from reactor.app import scheduling as module
from reactor.app.scheduling import EarlierLife, Scheduling, earlier_life
from reactor.core.effect import Keep
from reactor.core.identity import trigger_names
from reactor.core.inputs import Fired
from reactor.core.policy import Policy, ScheduleTrigger
from reactor.core.schedules import LAST
from reactor.demo.waiting import until
from reactor.errors import Place
from tests.adapters.journal.support import opened

pytestmark = pytest.mark.asyncio

NOON = 1_767_268_800.0
HOUR = 3600.0
NEVER = -math.inf


def policy(name: str, *triggers: ScheduleTrigger) -> Policy:
    """A policy with these schedules."""
    return Policy(name, "d", triggers, (), "r", "", Place("p", 1, 1))


EVERY = policy("p", ScheduleTrigger(every=900.0))
DAILY = policy("p", ScheduleTrigger(cron="0 3 * * *", catch_up=24 * HOUR))


@dataclass
class Desk:
    """A wall clock that the test sets, and what was handed to the engine."""

    now: float = NOON
    settled: bool = True
    fired: list[Fired] = field(default_factory=list)
    looks: int = 0

    def wall(self) -> float:
        """The wall clock's time."""
        self.looks += 1
        return self.now

    def scheduling(self) -> Scheduling:
        """The task for this clock; its looks are close together."""
        return Scheduling(
            self.fired.append,
            self.wall,
            lambda: self.settled,
            random.Random(1),  # noqa: S311
        )

    @contextlib.asynccontextmanager
    async def running(
        self, policies: Sequence[Policy], before: EarlierLife | None = None
    ) -> AsyncIterator[Scheduling]:
        """The task inside the block, after its first look."""
        made = self.scheduling()
        made.take_up(policies, before)
        task = asyncio.create_task(made.run())
        try:
            yield made
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def looked(self, times: int = 3) -> None:
        """Wait until the task has looked at the clock so many times more."""
        goal = self.looks + times
        await self.until(lambda: self.looks >= goal)

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for something."""
        await until("it is so", true, 5.0)

    @property
    def times(self) -> list[float]:
        """When what was handed over was due, since noon."""
        return [one.at - NOON for one in self.fired]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses are short; a test that needs none of them does not wait."""
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    monkeypatch.setattr(module, "SETTLE_LEAST_S", 0.0)
    monkeypatch.setattr(module, "_SETTLE_LOOK_S", 0.005)


async def test_a_firing_is_handed_over_when_the_wall_clock_shows_its_time() -> None:
    """Not before, once, and the next one after it."""
    desk = Desk()
    async with desk.running([EVERY]):
        desk.now = NOON + 899.99
        await desk.looked()
        assert desk.fired == []
        desk.now = NOON + 900
        await desk.looked()
        assert [(one.policy, one.index) for one in desk.fired] == [("p", 0)]
        desk.now = NOON + 1800
        await desk.until(lambda: desk.times == [900, 1800])


async def test_it_sleeps_until_the_next_firing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a look in between when the firing comes first."""
    monkeypatch.setattr(module, "LOOK_S", 60.0)
    desk = Desk()
    loop = asyncio.get_running_loop()
    start = loop.time()
    monkeypatch.setattr(desk, "wall", lambda: NOON + loop.time() - start)
    async with desk.running([policy("p", ScheduleTrigger(every=0.2))]):
        await desk.until(lambda: len(desk.fired) >= 3)
    assert desk.times == pytest.approx([0.2 * n for n in range(1, len(desk.fired) + 1)])


async def test_without_a_schedule_it_sleeps_until_a_reload() -> None:
    """And takes up what the reload brought."""
    desk = Desk()
    async with desk.running([]) as scheduling:
        await desk.until(lambda: scheduling._running)  # noqa: SLF001
        await asyncio.sleep(0)
        looks = desk.looks
        for _ in range(20):
            await asyncio.sleep(0.005)
        assert desk.looks == looks
        scheduling.adopt([EVERY])
        desk.now = NOON + 900
        await desk.until(lambda: desk.times == [900])


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([890, 905], [900], id="forward, a little over a firing"),
        pytest.param([890, 1000], [], id="forward, more than a minute over a firing"),
        pytest.param([900, 600, 900, 1799], [900], id="back over a firing"),
        pytest.param([900, 600, 1800], [900, 1800], id="back over a firing, and on"),
        pytest.param([900, -14_400, -13_500], [900, -13_500], id="back by hours"),
    ],
)
async def test_a_wall_clock_that_is_set(steps: list[float], expected: list[float]) -> None:
    """Fires nothing twice and nothing early; what it jumps over is missed."""
    desk = Desk()
    with capture_logs() as lines:
        async with desk.running([EVERY]):
            for step in steps:
                desk.now = NOON + step
                await desk.looked()
    assert desk.times == expected
    missed = [line for line in lines if line["event"] == "schedule missed"]
    assert [(line["policy"], line["trigger"], line["first"]) for line in missed] == (
        [] if expected else [("p", 0, "2026-01-01T12:15:00Z")]
    )


async def test_what_is_due_at_a_reload_is_for_the_policies_before_it() -> None:
    """A trigger's index means the set of policies that was loaded when it was due."""
    desk = Desk()
    async with desk.running([EVERY]) as scheduling:
        await desk.looked()
        desk.now = NOON + 900
        scheduling.adopt([policy("other", ScheduleTrigger(every=900.0))])
        assert [one.policy for one in desk.fired] == ["p"]
        desk.now = NOON + 1800
        await desk.until(lambda: [one.policy for one in desk.fired] == ["p", "other"])


async def test_before_the_guests_had_time_to_connect_nothing_fires() -> None:
    """A firing is for connected guests; what becomes due meanwhile is not lost, nor by a reload."""
    desk = Desk(settled=False)
    before = EarlierLife(NOON - 24 * HOUR, NEVER, {"p": NEVER})
    daily = ScheduleTrigger(cron="0 3 * * *", catch_up=24 * HOUR)
    both = policy("p", daily, ScheduleTrigger(every=900.0))
    async with desk.running([both], before) as scheduling:
        for _ in range(5):
            desk.now += 200
            await asyncio.sleep(0.01)
        scheduling.adopt([both])
        assert desk.fired == []
        desk.now = NOON + 905
        desk.settled = True
        await desk.until(lambda: desk.times == [-9 * HOUR, 900])


async def test_guests_that_never_connect_are_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others are served after a while."""
    monkeypatch.setattr(module, "SETTLE_S", 0.05)
    desk = Desk(settled=False)
    async with desk.running([EVERY]):
        desk.now = NOON + 900
        await desk.until(lambda: desk.times == [900])


async def test_what_all_are_connected_at_once_is_waited_for_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the first moment nobody knows the guests yet, and all of none are connected."""
    monkeypatch.setattr(module, "SETTLE_LEAST_S", 0.1)
    desk = Desk()
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with desk.running([EVERY]):
        desk.now = NOON + 900
        await desk.until(lambda: desk.times == [900])
    assert loop.time() - start >= 0.1


async def test_schedules_beyond_the_bound_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the bound and what to do."""
    monkeypatch.setattr(schedule, "SCHEDULES_MAX", 1)
    monkeypatch.setattr(module, "SCHEDULES_MAX", 1)
    with capture_logs() as lines:
        Desk().scheduling().take_up([EVERY, policy("q", ScheduleTrigger(every=60.0))], None)
    assert lines == [
        {
            "event": "schedules refused",
            "log_level": "error",
            "refused": 1,
            "bound": 1,
            "fix": "use fewer schedules: one can be for many guests",
        }
    ]


# ----------------------------------------------------------- the journal


async def test_a_new_journal_knows_of_no_earlier_life(tmp_path: Path) -> None:
    """A first start has missed nothing."""
    async with opened(tmp_path / "journal.db") as journal:
        assert earlier_life(journal.reader, [DAILY]) is None


async def test_the_journal_says_where_an_earlier_life_ended(tmp_path: Path) -> None:
    """Its newest input, its last firing, and since when which policy was there."""
    daily = ScheduleTrigger(cron="0 3 * * *", catch_up=HOUR)
    known = [policy("p", ScheduleTrigger(every=9.0), daily), policy("q"), policy("new", daily)]
    kept = [Keep(LAST, trigger_names(known[0])[1], b"2.5"), Keep(LAST, "gone|0", b"1.5")]
    fired = InputRow(3.0, "", "fired", "p", msgspec.json.encode(Fired("p", 0, 2.5, 7)))
    event = InputRow(4.0, "g", "event", "RESET", b"{}")
    async with opened(tmp_path / "journal.db") as journal:
        await journal.commit(Batch(loaded=Loaded(1.0, {"p": "r1", "gone": "r2"})))
        await journal.commit(Batch(loaded=Loaded(2.0, {"p": "r1", "q": "r3"})))
        loaded = {"p": 1.0, "q": 2.0}
        await journal.commit(Batch(inputs=[event]))
        assert earlier_life(journal.reader, known) == EarlierLife(4.0, NEVER, loaded)
        await journal.commit(Batch(inputs=[fired, event], keeps=kept))
        last = {("p", 1): 2.5}
        assert earlier_life(journal.reader, known) == EarlierLife(4.0, 2.5, loaded, last)


async def test_a_restart_catches_up_once(tmp_path: Path) -> None:
    """The second restart finds the firing in the journal."""
    path = tmp_path / "journal.db"
    yesterday = NOON - 20 * HOUR
    async with opened(path) as journal:
        event = InputRow(yesterday, "g", "event", "RESET", b"{}")
        await journal.commit(Batch(inputs=[event], loaded=Loaded(yesterday, {"p": "r"})))
    for expected in ([-9 * HOUR], []):
        async with opened(path) as journal:
            desk = Desk()
            async with desk.running([DAILY], earlier_life(journal.reader, [DAILY])):
                await desk.looked()
            assert desk.times == expected
            bodies = [msgspec.json.encode(one) for one in desk.fired]
            rows = [InputRow(NOON, "", "fired", "p", body) for body in bodies]
            await journal.commit(Batch(inputs=rows))
