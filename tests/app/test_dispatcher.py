"""The one loop: nothing acts before it is durable, nothing is lost, everything keeps its order."""

import asyncio
import itertools
import json
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from reactor.adapters.journal import Batch, Chain, InputRow, IntentRow, OutcomeRow
from reactor.adapters.qmp.commands import Then
from reactor.app import commits
from reactor.app import dispatcher as module
from reactor.app.clock import Clock
from reactor.app.depth import DEPTH_MAX
from reactor.app.dispatcher import Dispatcher
from reactor.app.dumps import Dumps
from reactor.app.line import Bounds
from reactor.app.projection import Projection
from reactor.app.records import Rulebook
from reactor.core import world
from reactor.core.config import EngineConfig
from reactor.core.effect import Effect, Keep
from reactor.core.engine import Engine
from reactor.core.event import Event
from reactor.core.inputs import (
    Answered,
    Connected,
    Disconnected,
    Facts,
    Fired,
    GuestKnown,
    Happened,
    Input,
    Message,
    Received,
    Ticked,
)
from reactor.core.policy import Policy
from reactor.demo.waiting import until
from reactor.errors import GuestError, JournalError, LostReply, MonitorError, Place, ReactorError
from reactor.policyfile.check import build_policy
from tests.app.outside import outside

pytestmark = pytest.mark.asyncio

STOP = """
policy: stop-it
description: one command and one message
trigger: {event: WATCHDOG}
mode: queued
max: 100
steps:
  - qmp: stop
  - publish: told
    payload: ${guest.name}
on_failure:
  - publish: failed
    payload: ${run.error}
"""

MARK = """
policy: mark-it
description: no command at all
trigger: {event: BLOCK_IO_ERROR}
mode: queued
max: 100
steps:
  - mark: {guest: self, as: bad, reason: "${data.reason}"}
"""

SLOW = """
policy: slow
description: waits
trigger: {event: WATCHDOG}
steps:
  - delay: 50ms
  - mark: {guest: self, as: rested, reason: it has}
"""

FULL = JournalError("journal.db", "the disk is full", "make room on it")
LOST = LostReply("guest web-1, command stop", "the monitor died", "look at the guest")


def policy(text: str) -> Policy:
    """The policy of a text."""
    return build_policy(text, Place("test.yaml", 1, 1))


class Paper:
    """A journal that keeps everything in memory, waits for its gate, and refuses on request."""

    def __init__(self, story: list[str]) -> None:
        self.batches: list[Batch] = []
        self.lazy: list[InputRow] = []
        self.refusals: list[JournalError] = []
        self.refuses: JournalError | None = None
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self._story = story

    def post(self, batch: Batch, chain: Chain) -> asyncio.Future[None]:
        """Durable as soon as the gate is open."""
        self.asked += 1
        return asyncio.ensure_future(self._write(batch, chain))

    async def _write(self, batch: Batch, chain: Chain) -> None:
        await self.gate.wait()
        if chain.refused is None:
            chain.refused = self.refuses or (self.refusals.pop(0) if self.refusals else None)
        if chain.refused is not None:
            raise chain.refused
        self.batches.append(batch)
        self._story.append("commit")

    def lazily(self, rows: list[InputRow]) -> None:
        """Some time."""
        self.lazy += rows

    @property
    def inputs(self) -> list[InputRow]:
        """All that came with commits, in order."""
        return [row for batch in self.batches for row in batch.inputs]

    @property
    def intents(self) -> list[IntentRow]:
        """All commands that were announced."""
        return [row for batch in self.batches for row in batch.intents]

    @property
    def outcomes(self) -> list[OutcomeRow]:
        """How they ended."""
        known = {row.id for row in self.intents}
        return [row for batch in self.batches for row in batch.outcomes if row.id in known]

    @property
    def keeps(self) -> list[Keep]:
        """The state, change by change."""
        return [keep for batch in self.batches for keep in batch.keeps]

    def messages(self, leaf: str = "") -> list[str]:
        """What went into the outbox on topics that end so."""
        found = [m for batch in self.batches for m in batch.messages if m.topic.endswith(leaf)]
        return [m.payload.decode() for m in found]


class Guests:
    """Monitors that answer what they are told to; each answer waits for its gate."""

    def __init__(self, story: list[str]) -> None:
        self.answers: dict[str, object] = {"query-status": {"status": "running", "running": True}}
        self.sent: list[tuple[str, str]] = []
        self.asked: list[tuple[str, str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_once = True
        self._story = story

    def send(
        self,
        guest: str,
        command: str,
        arguments: Mapping[str, object],
        *,
        timeout: float,
        then: Then,
    ) -> asyncio.Future[object]:
        """The future of the reply."""
        assert timeout > 0
        assert isinstance(arguments, Mapping)
        if isinstance(answer := self.answers.get(command), MonitorError) and self.at_once:
            raise answer
        reply = asyncio.ensure_future(self._reply(guest, command))
        reply.add_done_callback(then)
        return reply

    async def _reply(self, guest: str, command: str) -> object:
        self.asked.append((guest, command))
        if not command.startswith("query-"):
            self.sent.append((guest, command))
            self._story.append(f"{guest} {command}")
            await self.gate.wait()
        answer = self.answers.get(command, {})
        if isinstance(answer, Exception):
            raise answer
        return answer


class Desk:
    """A dispatcher with a real engine between a paper journal and obedient guests."""

    def __init__(self, folder: Path, *policies: str, broker: bool = True) -> None:
        self.story: list[str] = []
        self.paper = Paper(self.story)
        self.guests = Guests(self.story)
        self.nudges = 0
        self.clock = Clock()
        config = EngineConfig(host="h", dumps_folder=str(folder / "dumps"), has_broker=broker)
        self.engine = Engine(config, "abc123")
        self.dispatcher = Dispatcher(
            engine=self.engine,
            journal=self.paper,
            outside=outside(self.guests, folder / "dumps"),
            projection=Projection("reactor", "h", "0"),
            clock=self.clock,
            nudge=self._nudge if broker else None,
        )
        self._policies = [policy(text) for text in policies]
        self.began = 0.0
        self._task: asyncio.Task[None] | None = None

    def _nudge(self) -> None:
        self.nudges += 1

    async def start(self, *names: str) -> "Desk":
        """Load the policies, run, and let these guests connect."""
        self.began = self.clock.now()
        effects = self.engine.load(self._policies, self.began)
        await self.dispatcher.take_up(effects, self._policies, self.began)
        self._task = asyncio.create_task(self.dispatcher.run())
        for name in names or ("web-1",):
            self.give(GuestKnown(name))
            self.give(Connected(name, "1-1", Facts(status="running", qemu_version="7.2.22")))
        await self.until("they are connected", lambda: self.dispatcher.waiting == 0)
        return self

    def give(self, input_: Input) -> None:
        """Let an input in."""
        self.dispatcher.submit(input_)

    def event(self, name: str = "WATCHDOG", guest: str = "web-1", **data: object) -> None:
        """Let an event in."""
        self.give(Happened(Event(name, guest, data, 1.0, self.clock.now())))

    async def until(self, what: str, true: Callable[[], bool]) -> None:
        """Wait for something; a loop that died fails the test."""

        def look() -> bool:
            if self._task is not None and self._task.done():
                self._task.result()
            return true()

        await until(what, look, 15.0)

    async def rest(self) -> None:
        """Wait until no run is open, and nothing is on its way to the disk."""
        await self.until(
            "all is done",
            lambda: (
                not (
                    self.engine.world.runs
                    or self.dispatcher.waiting
                    or self.dispatcher.commits.under_way
                )
            ),
        )

    async def decides_a_command(self) -> None:
        """Let `STOP` decide its command; it waits for the disk, with a mark of `MARK`."""
        await self.rest()
        self.guests.asked.clear()
        self.paper.gate.clear()
        self.event()
        self.event("BLOCK_IO_ERROR", reason="what is handled meanwhile")
        runs = self.engine.world.runs
        await self.until(
            "the command is decided",
            lambda: any("send" in run.cursor.pending.values() for run in runs.values()),
        )

    async def ended(self) -> None:
        """Wait for the loop's own end."""
        assert self._task is not None
        await asyncio.wait_for(self._task, 5.0)

    async def end(self) -> None:
        """Leave nothing behind."""
        self.guests.gate.set()
        self.paper.gate.set()
        await self.cancel()
        await self.dispatcher.abandon()

    async def cancel(self) -> None:
        """End the loop where it is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


Open = Callable[..., Desk]


@pytest_asyncio.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Open]:
    """Makes desks and clears them away."""
    monkeypatch.setattr(commits, "RETRY_JOURNAL_S", 0.01)
    made: list[Desk] = []

    def make(*policies: str, broker: bool = True) -> Desk:
        made.append(Desk(tmp_path, *policies, broker=broker))
        return made[-1]

    yield make
    for each in made:
        await each.end()


# -------------------------------------------------------------- durability


async def test_nothing_acts_before_its_commit_returned(desk: Open) -> None:
    """The command, the mark's log line and the nudge wait; then they leave in order."""
    host = await desk(STOP, MARK).start()
    host.paper.gate.clear()
    asked, nudges = host.paper.asked, host.nudges
    with capture_logs() as lines:
        host.event("BLOCK_IO_ERROR", number=1, reason=1)
        host.event("WATCHDOG")
        host.event("BLOCK_IO_ERROR", number=2, reason=2)
        await host.until("the journal is asked", lambda: host.paper.asked > asked)
        for _ in range(20):
            await asyncio.sleep(0)
        assert host.guests.sent == []
        assert [line["event"] for line in lines] == []
        assert host.nudges == nudges
        host.paper.gate.set()
        await host.rest()
    marks = [line["reason"] for line in lines if line["event"] == "mark set"]
    assert marks == ["1", "2"]
    assert host.guests.sent == [("web-1", "stop")]
    assert host.nudges > nudges


@pytest.mark.parametrize(
    ("bounds", "commit_s", "left"),
    [
        pytest.param({}, 0.0, 0, id="all of them"),
        pytest.param({"AHEAD_MAX": 60}, 0.0, 8, id="as many as may be ahead of the disk"),
        pytest.param({"AHEAD_MAX": 60}, module.SLOW_S, 8, id="a disk that is not slow"),
        pytest.param({"AHEAD_MAX": 60}, 2 * module.SLOW_S, 5, id="a slow disk: more"),
        pytest.param({"AHEAD_MAX": 60, "AHEAD_GROWTH": 2}, 60.0, 5, id="but not any number"),
    ],
)
async def test_while_a_batch_is_on_its_way_the_next_is_handled(
    desk: Open,
    monkeypatch: pytest.MonkeyPatch,
    bounds: Mapping[str, float],
    commit_s: float,
    left: int,
) -> None:
    """Within bounds. It is given to the journal behind the first, and nothing of it acts.

    Eleven inputs: ten events, and the answer to what the first made reactor ask at once.
    """
    host = await desk(STOP, MARK).start()
    for _ in range(20):
        await asyncio.sleep(0)
    monkeypatch.setattr(module, "TURN", 1)
    for name, bound in bounds.items():
        monkeypatch.setattr(module, name, bound)
    host.dispatcher.commits.took_s = commit_s
    host.paper.gate.clear()
    asked = host.paper.asked
    with capture_logs() as lines:
        host.event()
        for number in range(9):
            host.event("BLOCK_IO_ERROR", number=number, reason=number)
        await host.until("they are handled", lambda: host.dispatcher.waiting == left)
        for _ in range(20):
            await asyncio.sleep(0)
        assert host.dispatcher.waiting == left
        assert host.paper.asked > asked + 1
        assert host.guests.sent == []
        assert lines == []
        host.paper.gate.set()
        await host.rest()
    assert host.guests.sent == [("web-1", "stop")]
    reasons = [line["reason"] for line in lines if line["event"] == "mark set"]
    assert reasons == [str(number) for number in range(9)]


ASKS = """
policy: ask-it
description: a question, asked behind what a command to the same guest changes
trigger: {event: RESET}
mode: queued
max: 100
steps:
  - qmp: query-name
"""


async def test_a_question_does_not_wait_for_the_disk(
    desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It changes nothing. What is decided by its answer waits as ever."""
    monkeypatch.setattr(module, "TURN", 1)
    host = await desk(STOP, MARK).start()
    await host.decides_a_command()
    assert host.guests.asked == [("web-1", "query-status")]
    host.paper.gate.set()
    await host.rest()
    assert host.guests.sent == [("web-1", "stop")]


async def test_a_question_does_not_overtake_a_command_to_the_same_guest(
    desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would tell how things stood before; other guests are asked meanwhile."""
    monkeypatch.setattr(module, "TURN", 1)
    host = await desk(STOP, ASKS, MARK).start("web-1", "web-2")
    await host.decides_a_command()
    host.event("RESET", "web-1")
    host.event("RESET", "web-2")
    await host.until("another is asked", lambda: ("web-2", "query-name") in host.guests.asked)
    assert ("web-1", "query-name") not in host.guests.asked
    host.paper.gate.set()
    await host.rest()
    asked = [command for guest, command in host.guests.asked if guest == "web-1"]
    assert [each for each in asked if each != "query-status"] == ["stop", "query-name"]


async def test_a_connection_that_breaks_while_a_command_waits_for_the_disk_keeps_it_back(
    desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The break is handled in the next batch, the command is of the one before."""
    host = await desk(STOP).start()
    monkeypatch.setattr(module, "TURN", 1)
    host.paper.gate.clear()
    host.event()
    host.give(Disconnected("web-1", "QEMU closed the monitor"))
    host.give(Connected("web-1", "2-2", Facts(status="running", qemu_version="7.2.22")))
    await host.until("it is handled", lambda: not host.dispatcher.waiting)
    host.paper.gate.set()
    await host.rest()
    assert host.guests.sent == []
    assert [one.detail for one in host.paper.outcomes] == [b"the monitor was another one by then"]


async def test_what_was_handled_while_the_disk_refused_is_held_up_too(
    desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waited as long; and nothing more is handled from the refusal on."""
    host = await desk(STOP).start("web-1", "web-2", "web-3")
    monkeypatch.setattr(module, "TURN", 1)
    host.paper.gate.clear()
    host.event(guest="web-1")
    host.event(guest="web-2")
    await host.until("both are decided", lambda: not host.dispatcher.waiting)
    host.paper.refuses = FULL
    host.paper.gate.set()
    await host.until("it is told", lambda: bool(host.dispatcher.commits.trouble))
    host.event(guest="web-3")
    for _ in range(20):
        await asyncio.sleep(0)
    assert host.dispatcher.waiting == 1
    host.paper.refuses = None
    await host.rest()
    held_up = [one.detail for one in host.paper.outcomes if one.outcome == "not sent"]
    assert held_up == [b"the journal could not be written when it was decided"] * 2
    assert sorted(host.guests.sent) == [(f"web-{number}", "stop") for number in (1, 2, 3)]


async def test_a_journal_that_refuses_at_once_is_asked_no_more_often(
    desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each batch once at a time, however many wait, and in the end each is there once."""
    host = await desk(MARK).start()
    monkeypatch.setattr(module, "TURN", 1)
    real, given = host.paper.post, list[Batch]()

    def post(batch: Batch, chain: Chain) -> asyncio.Future[None]:
        given.append(batch)
        if len(given) > 9:
            return real(batch, chain)
        chain.refused = FULL
        refused = asyncio.get_running_loop().create_future()
        if len(given) > 3:
            refused.set_exception(FULL)
        else:
            asyncio.get_running_loop().call_later(0.01, refused.set_exception, FULL)
        return refused

    monkeypatch.setattr(host.paper, "post", post)
    for number in range(3):
        host.event("BLOCK_IO_ERROR", reason=number)
    await host.until("all are posted", lambda: len(given) >= 3)
    first, second, third = given[:3]
    await host.rest()
    assert [id(batch) for batch in given[:12]] == [id(each) for each in (first, second, third)] * 4
    assert [json.loads(m)["reason"] for m in host.paper.messages("/bad")] == ["0", "1", "2"]


async def test_a_loop_that_is_ended_withdraws_what_waits_for_the_disk(desk: Open) -> None:
    """Nobody commits for a loop that is gone."""
    host = await desk(STOP, MARK).start()
    host.paper.gate.clear()
    asked, before = host.paper.asked, len(host.paper.batches)
    host.event("BLOCK_IO_ERROR", reason=1)
    host.event()
    await host.until("the journal is asked", lambda: host.paper.asked > asked)
    await host.cancel()
    host.paper.gate.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(host.paper.batches) == before


async def test_a_start_that_is_ended_withdraws_what_the_disk_refuses(desk: Open) -> None:
    """What it decided is in the journal or done, but never in the journal and left undone."""
    host = desk(STOP)
    host.paper.refuses = FULL
    policies, now = [policy(STOP)], host.clock.now()
    effects = host.engine.load(policies, now)
    start = asyncio.create_task(host.dispatcher.take_up(effects, policies, now))
    await host.until("it is refused", lambda: bool(host.dispatcher.commits.trouble))
    start.cancel()
    await asyncio.wait([start])
    host.paper.refuses = None
    await asyncio.sleep(10 * commits.RETRY_JOURNAL_S)
    assert host.paper.batches == []


async def test_a_refusal_that_comes_with_the_end_is_not_tried_again(
    desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal has answered, and the loop is ended before it hears of it."""
    host = await desk(MARK).start()
    answer, given = asyncio.get_running_loop().create_future(), list[Batch]()

    def post(batch: Batch, _chain: Chain) -> asyncio.Future[None]:
        given.append(batch)
        return answer

    monkeypatch.setattr(host.paper, "post", post)
    host.event("BLOCK_IO_ERROR", reason=1)
    await host.until("it is posted", lambda: bool(given))
    ends = asyncio.create_task(host.cancel())
    await asyncio.sleep(0)
    answer.set_exception(FULL)
    await ends
    await asyncio.sleep(10 * commits.RETRY_JOURNAL_S)
    assert len(given) == 1


async def test_an_intent_is_durable_before_its_command_and_its_outcome_after(desk: Open) -> None:
    """Whoever reads the journal after a crash knows what may have been sent."""
    host = await desk(STOP).start()
    host.event()
    await host.rest()
    (intent,) = host.paper.intents
    assert (intent.guest, intent.command, intent.arguments) == ("web-1", "stop", b"{}")
    assert intent.run.startswith("abc123-")
    (outcome,) = host.paper.outcomes
    assert (outcome.id, outcome.outcome) == (intent.id, "done")
    announced = next(n for n, batch in enumerate(host.paper.batches) if batch.intents)
    answered = next(n for n, batch in enumerate(host.paper.batches) if outcome in batch.outcomes)
    sent = host.story.index("web-1 stop")
    assert host.story[:sent].count("commit") == announced + 1
    assert answered > announced


@pytest.mark.parametrize("tries", [1, 3])
async def test_a_commit_that_fails_holds_everything_back_until_it_works(
    desk: Open, tries: int
) -> None:
    """It is said once, and once when it is over; nothing is lost and nothing is done twice."""
    host = await desk(STOP).start()
    host.paper.refusals = [FULL] * tries
    asked = host.paper.asked
    with capture_logs() as lines:
        host.event()
        await host.until("it is tried", lambda: host.paper.asked > asked)
        assert host.guests.sent == []
        assert host.dispatcher.commits.trouble == "the disk is full"
        await host.rest()
    assert host.dispatcher.commits.trouble == ""
    assert host.guests.sent == [("web-1", "stop")]
    assert host.paper.messages("/told") == ["web-1"]
    assert [line for line in lines if "journal" in line["event"]] == [
        {
            "event": "journal cannot be written",
            "log_level": "error",
            "place": "journal.db",
            "problem": "the disk is full",
            "fix": "make room on it",
        },
        {
            "event": "journal is written again",
            "log_level": "warning",
            "after": "the disk is full",
        },
    ]


RESUME = """
policy: resume-it
description: one command with a guard
trigger: {event: WATCHDOG}
steps:
  - guest: resume
"""


async def test_a_command_that_a_full_disk_held_up_is_decided_anew(
    desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guest that was to be resumed has panicked by the time there is room again."""
    host = await desk(RESUME).start()
    host.guests.answers["query-status"] = {"status": "paused", "running": False}
    real = host.paper.post
    refused: list[Batch] = []

    def post(batch: Batch, chain: Chain) -> asyncio.Future[None]:
        if batch.intents and not refused:
            refused.append(batch)
            host.guests.answers["query-status"] = {"status": "guest-panicked", "running": False}
            chain.refused = FULL
        return real(batch, chain)

    monkeypatch.setattr(host.paper, "post", post)
    host.event()
    await host.rest()
    assert refused
    assert host.guests.sent == []
    (intent,), (outcome,) = host.paper.intents, host.paper.outcomes
    assert (intent.command, outcome.outcome) == ("cont", "not sent")
    assert outcome.detail == b"the journal could not be written when it was decided"


async def test_a_command_that_a_slow_disk_held_up_is_decided_anew(
    desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses nothing. Somebody has resumed the guest meanwhile, and it has panicked since."""
    monkeypatch.setattr(commits, "LATE_S", -1.0)  # whatever the disk takes is too long
    host = await desk(RESUME, MARK).start()
    host.guests.answers["query-status"] = {"status": "paused", "running": False}
    await host.decides_a_command()
    host.guests.answers["query-status"] = {"status": "guest-panicked", "running": False}
    host.paper.gate.set()
    await host.rest()
    assert host.guests.sent == []
    (intent,), (outcome,) = host.paper.intents, host.paper.outcomes
    assert (intent.command, outcome.outcome) == ("cont", "not sent")
    assert outcome.detail == b"the disk took long to write it down"


@pytest.mark.parametrize(
    "bounds",
    [
        pytest.param({"TURN": 10_000, "TURN_S": 60.0}, id="in one batch"),
        pytest.param({"TURN": 1}, id="in two"),
        pytest.param({"TURN": 1, "AHEAD_MAX": 1}, id="it is not handled yet"),
    ],
)
async def test_a_command_never_goes_to_a_qemu_that_came_after_its_decision(
    desk: Open, monkeypatch: pytest.MonkeyPatch, bounds: Mapping[str, float]
) -> None:
    """The event that asks for it and the new QEMU stand in the line together."""
    host = await desk(STOP).start()
    for name, bound in bounds.items():
        monkeypatch.setattr(module, name, bound)
    host.event()
    host.give(Disconnected("web-1", "QEMU closed the monitor"))
    host.give(Connected("web-1", "2-2", Facts(status="running", qemu_version="7.2.22")))
    await host.rest()
    assert host.guests.sent == []
    assert [one.detail for one in host.paper.outcomes] == [b"the monitor was another one by then"]


LATE = """
policy: late
description: one command of which nobody can find out whether it was done
trigger: {event: WATCHDOG}
steps:
  - qmp: inject-nmi
    timeout: 50ms
"""


async def test_a_command_whose_time_is_over_is_not_sent_when_the_disk_comes_back(
    desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk refuses nothing, it hangs. The run has given the command up, and has ended."""
    monkeypatch.setattr(world, "ANSWER_GRACE", 0.05)
    host = await desk(LATE, MARK).start()
    await host.decides_a_command()
    await host.until("its run has ended", lambda: not host.engine.world.runs)
    host.paper.gate.set()
    await host.until("it is journaled what became of it", lambda: bool(host.paper.outcomes))
    assert host.guests.sent == []
    late = b"its time was over before the journal had it"
    assert [(one.outcome, one.detail) for one in host.paper.outcomes] == [("not sent", late)]


async def test_another_reason_is_said_too(desk: Open) -> None:
    """Each change of it, not each try."""
    host = await desk(STOP).start()
    other = JournalError("journal.db", "the disk is broken", "buy one")
    host.paper.refusals = [FULL, FULL, other, other, FULL]
    with capture_logs() as lines:
        host.event()
        await host.rest()
    said = [line["problem"] for line in lines if line["event"] == "journal cannot be written"]
    assert said == ["the disk is full", "the disk is broken", "the disk is full"]


async def test_events_during_a_long_refusal_are_handled_afterwards(desk: Open) -> None:
    """In their order, each once."""
    host = await desk(STOP).start("web-1", "web-2")
    host.paper.refuses = FULL
    asked = host.paper.asked
    host.event(guest="web-1")
    await host.until("it is tried", lambda: host.paper.asked > asked + 2)
    host.event(guest="web-2")
    await host.until("it is tried again", lambda: host.paper.asked > asked + 5)
    assert host.guests.sent == []
    host.paper.refuses = None
    await host.rest()
    # The one that was decided before asks its guard again.
    assert sorted(host.guests.sent) == [("web-1", "stop"), ("web-2", "stop")]
    events = [row.guest for row in host.paper.inputs if row.name == "WATCHDOG"]
    assert events == ["web-1", "web-2"]


async def test_an_event_that_matches_nothing_costs_no_commit(desk: Open) -> None:
    """Without a broker: the history has it all the same."""
    host = await desk(STOP, broker=False).start()
    asked = host.paper.asked
    host.event("NIC_RX_FILTER_CHANGED", nic="net0")
    host.event("NIC_RX_FILTER_CHANGED", nic="net1")
    await host.until("they are handled", lambda: not host.dispatcher.waiting)
    await host.until("they are handed on", lambda: len(host.paper.lazy) >= 2)
    assert host.paper.asked == asked
    bodies = [json.loads(row.body)["event"]["data"]["nic"] for row in host.paper.lazy[-2:]]
    assert bodies == ["net0", "net1"]


async def test_without_a_broker_nothing_goes_into_the_outbox(desk: Open) -> None:
    """Nobody would ever empty it."""
    host = await desk(STOP, MARK, broker=False).start()
    host.event()
    host.event("BLOCK_IO_ERROR", number=1, reason=1)
    await host.rest()
    assert host.guests.sent == [("web-1", "stop")]
    assert host.paper.messages() == []


async def test_with_a_broker_every_event_goes_out(desk: Open) -> None:
    """Once, also one that reactor caused itself."""
    host = await desk(STOP).start()
    host.event("NIC_RX_FILTER_CHANGED", nic="net0")
    host.guests.gate.clear()
    host.event()
    await host.until("it is sent", lambda: bool(host.guests.sent))
    host.event("STOP")
    host.guests.gate.set()
    await host.rest()
    (message,) = host.paper.messages("/event/NIC_RX_FILTER_CHANGED")
    assert json.loads(message)["data"] == {"nic": "net0"}
    assert len(host.paper.messages("/event/WATCHDOG")) == 1
    (stop,) = host.paper.messages("/event/STOP")
    assert json.loads(stop)["own"] is True
    assert len(host.paper.messages("/event/REACTOR_GUEST_CONNECTED")) == 1


# ------------------------------------------------------------------- order


async def test_inputs_are_handled_in_the_order_in_which_they_came(desk: Open) -> None:
    """Over many batches."""
    host = await desk(MARK).start()
    for number in range(2500):
        host.event("NIC_RX_FILTER_CHANGED", number=number)
    await host.until("all are handled", lambda: not host.dispatcher.waiting)
    await host.until("all are out", lambda: len(host.paper.messages("CHANGED")) == 2500)
    rows = [row for row in host.paper.inputs if row.name == "NIC_RX_FILTER_CHANGED"]
    assert [json.loads(row.body)["event"]["data"]["number"] for row in rows] == list(range(2500))
    told = [json.loads(m)["data"]["number"] for m in host.paper.messages("CHANGED")]
    assert told == list(range(2500))


async def test_two_batches_keep_their_order_when_the_first_commit_is_slow(desk: Open) -> None:
    """The second is given to the journal as well, and says nothing before the first."""
    host = await desk(MARK).start()
    host.paper.gate.clear()
    asked = host.paper.asked
    host.event("BLOCK_IO_ERROR", number=1, reason=1)
    await host.until("the first is under way", lambda: host.paper.asked == asked + 1)
    host.event("BLOCK_IO_ERROR", number=2, reason=2)
    await host.until("the second is under way", lambda: host.paper.asked == asked + 2)
    with capture_logs() as lines:
        for _ in range(20):
            await asyncio.sleep(0)
        assert lines == []
        host.paper.gate.set()
        await host.rest()
    assert [line["reason"] for line in lines if line["event"] == "mark set"] == ["1", "2"]
    assert [json.loads(m)["reason"] for m in host.paper.messages("/bad")] == ["1", "2"]


async def test_messages_of_one_topic_keep_the_order_of_arrival_in_one_batch(desk: Open) -> None:
    """An event of reactor's own doing and one of the guest's, in one commit."""
    host = await desk(STOP).start()
    host.guests.gate.clear()
    host.event()
    await host.until("it is sent", lambda: bool(host.guests.sent))
    host.paper.gate.clear()
    host.event("NIC_RX_FILTER_CHANGED")
    await host.until("the loop waits", lambda: not host.dispatcher.waiting)
    host.event("STOP", number=1)
    # The step is over: what comes now is the guest's own doing.
    (intent,) = host.paper.intents
    host.give(Answered(intent.id, result={}))
    host.event("STOP", number=2)
    host.paper.gate.set()
    host.guests.gate.set()
    await host.rest()
    await host.until("both are out", lambda: len(host.paper.messages("/event/STOP")) == 2)
    told = [json.loads(message) for message in host.paper.messages("/event/STOP")]
    assert [(each["data"]["number"], each["own"]) for each in told] == [(1, True), (2, False)]


async def test_an_event_knows_the_guest_that_connected_just_before(desk: Open) -> None:
    """Both came in one batch."""
    host = await desk(STOP).start("web-1")
    facts = Facts(status="running", uuid="u-2")
    host.give(GuestKnown("web-2"))
    host.give(Connected("web-2", "2-1", facts))
    host.event("SUSPEND", guest="web-2")
    await host.until("it is out", lambda: bool(host.paper.messages("/event/SUSPEND")))
    (message,) = host.paper.messages("/event/SUSPEND")
    assert json.loads(message)["uuid"] == "u-2"


async def test_new_policies_are_adopted_in_line_with_the_inputs(desk: Open) -> None:
    """The event before them meets the old ones, the event after them the new ones."""
    host = await desk(MARK).start()
    new = policy(MARK.replace("as: bad", "as: worse"))
    host.event("BLOCK_IO_ERROR", number=1, reason=1)
    host.dispatcher.adopt([new])
    host.event("BLOCK_IO_ERROR", number=2, reason=2)
    await host.rest()
    assert [json.loads(m)["reason"] for m in host.paper.messages("/bad")] == ["1"]
    assert [json.loads(m)["reason"] for m in host.paper.messages("/worse")] == ["2"]
    revisions = [row for batch in host.paper.batches for row in batch.revisions]
    assert revisions[-1] == (new.revision, "mark-it", new.source)
    (loaded,) = [batch.loaded for batch in host.paper.batches if batch.loaded][1:]
    assert loaded.revisions == {"mark-it": new.revision}
    infos = [json.loads(message) for message in host.paper.messages("/info")]
    assert [info["policies"] for info in infos] == [1, 1]
    assert infos[0]["revision"] != infos[1]["revision"]
    assert set(host.engine.world.index.policies) == {"mark-it"}


# ------------------------------------------------------------------ bounds


FEW = Bounds(line=4, ahead=2, behind=4, guest=4)


async def test_too_many_events_are_dropped_and_counted_and_answers_never(
    desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said once for each flood, with the number at its end."""
    monkeypatch.setattr(module, "BOUNDS", FEW)
    host = await desk(MARK, broker=False).start()
    with capture_logs() as lines:
        for flood in (1, 2):
            before = len(host.paper.lazy) + len(host.paper.inputs)
            for number in range(8):
                host.event("STOP", number=number)
            for number in range(4):
                host.give(Answered(f"nobody-asked-{number}"))
            assert host.dispatcher.waiting == 11
            assert (host.dispatcher.dropped, host.dispatcher.missed) == (2 * flood, 2 * flood)
            await host.until("they are handled", lambda: not host.dispatcher.waiting)
            await host.until("the status is known", lambda: not host.engine.world.asked)
            rows = len(host.paper.lazy) + len(host.paper.inputs)
            assert rows - before >= 10
    told = {"reason": "too many inputs wait", "waiting": 4, "guest": "web-1"}
    ended = {"event": "events are taken in again", "log_level": "warning", "dropped": 2}
    assert (
        lines
        == [
            {"event": "events dropped", "log_level": "error"} | told,
            {"guest": "web-1"} | ended,
        ]
        * 2
    )


async def test_what_a_policy_selects_is_taken_in_where_the_rest_is_dropped(
    desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine is asked: a flood that nobody listens to hides no event of a policy."""
    monkeypatch.setattr(module, "BOUNDS", FEW)
    host = await desk(STOP).start()
    for _ in range(20):
        host.event("NIC_RX_FILTER_CHANGED")
    host.event("WATCHDOG")
    assert (host.dispatcher.dropped, host.dispatcher.missed) == (16, 0)
    await host.rest()
    assert host.guests.sent == [("web-1", "stop")]


async def test_a_panic_that_a_flood_left_no_room_for_is_made_up_for(
    desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guest is asked as soon as there is room again: by then nothing else tells of it."""
    monkeypatch.setattr(module, "BOUNDS", FEW)
    host = await desk(STOP.replace("WATCHDOG", "GUEST_PANICKED")).start()
    for _ in range(8):
        host.event("BLOCK_IO_ERROR", action="report")
    host.event("GUEST_PANICKED", action="pause")
    host.event("STOP")
    host.guests.answers["query-status"] = {"status": "guest-panicked", "running": False}
    assert host.dispatcher.missed == 4
    await host.until("it is stopped", lambda: host.guests.sent == [("web-1", "stop")])
    await host.rest()
    (row,) = [row for row in host.paper.inputs if row.kind == "missed"]
    counted = {"BLOCK_IO_ERROR": 2, "GUEST_PANICKED": 1, "STOP": 1}
    assert (row.guest, json.loads(row.body)["events"]) == ("web-1", counted)


async def test_firings_are_dropped_like_events(desk: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that refuses everything for a day must not fill the memory with them."""
    monkeypatch.setattr(module, "BOUNDS", FEW)
    host = await desk(MARK).start()
    for number in range(7):
        host.give(Fired("p", 0, float(number)))
    assert (host.dispatcher.waiting, host.dispatcher.dropped) == (4, 3)


async def test_an_answer_keeps_its_place_behind_the_events_of_its_guest(
    desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What QEMU sent before a reply is handled before it, also when the guest floods."""
    monkeypatch.setattr(module, "BOUNDS", Bounds(ahead=2))
    host = await desk(STOP, broker=False).start()
    host.guests.gate.clear()
    host.event()
    await host.until("it is sent", lambda: host.guests.sent == [("web-1", "stop")])
    await host.until("only it is open", lambda: len(host.engine.world.asked) == 1)
    handle, seen = host.engine.handle, list[str]()

    def noting(input_: Input, now: float) -> list[Effect]:
        seen.append(type(input_).__name__)
        return handle(input_, now)

    monkeypatch.setattr(host.engine, "handle", noting)
    name = host.paper.intents[0].id
    for number in range(9):
        host.event("NIC_RX_FILTER_CHANGED", number=number)
    host.give(Answered(name, result={}))
    host.event("NIC_RX_FILTER_CHANGED", number=9)
    await host.until("they are handled", lambda: not host.dispatcher.waiting)
    assert [name for name in seen if name != "Ticked"] == ["Happened"] * 9 + [
        "Answered",
        "Happened",
    ]


async def test_nobodys_deadline_waits_for_a_flood(
    desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The inputs that stand back are older, and a delay of another guest ends all the same."""
    host = await desk(SLOW, broker=False).start("noisy", "quiet")
    host.event(guest="quiet")
    await host.until("it sleeps", lambda: host.engine.next_deadline() is not None)
    due = host.engine.next_deadline()
    assert due is not None
    monkeypatch.setattr(host.clock, "now", lambda: due - 0.01)
    for _ in range(20_000):
        host.event("NIC_RX_FILTER_CHANGED", guest="noisy")
    monkeypatch.setattr(host.clock, "now", lambda: due + 0.01)
    while host.engine.world.runs:  # noqa: ASYNC110 - turn by turn of the loop
        await asyncio.sleep(0)
    assert host.dispatcher.waiting > 10_000


@pytest.mark.parametrize(
    ("turn", "most", "commits"),
    [
        pytest.param(1, 1, 5, id="one by one"),
        pytest.param(1000, 1000, 1, id="room enough: all at once"),
        pytest.param(1000, 2 * module.DEAR, 3, id="as many as a batch may have"),
    ],
)
async def test_a_batch_with_effects_ends_when_it_is_full(
    desk: Open, monkeypatch: pytest.MonkeyPatch, turn: int, most: int, commits: int
) -> None:
    """What came first acts, whatever else waits; what has no effects costs no commit."""
    monkeypatch.setattr(module, "AHEAD_MAX", most)
    monkeypatch.setattr(module, "TURN", turn)
    monkeypatch.setattr(module, "TURN_S", 60.0)
    host = await desk(MARK, broker=False).start()
    before = len(host.paper.batches)
    for number in range(5):
        host.event("NIC_RX_FILTER_CHANGED", number=number)
        host.event("BLOCK_IO_ERROR", number=number, reason=number)
    await host.rest()
    runs = [batch for batch in host.paper.batches[before:] if batch.keeps and batch.runs]
    assert len(runs) == commits


@pytest.mark.parametrize(
    ("broker", "most"),
    [
        pytest.param(True, 800, id="each event is a message: as many as may be ahead of the disk"),
        pytest.param(False, 100, id="nothing must be on disk: as many as stand in the line"),
    ],
)
async def test_how_much_of_a_flood_is_handled_at_once(
    desk: Open, monkeypatch: pytest.MonkeyPatch, *, broker: bool, most: int
) -> None:
    """The others wait for it either way, and for a commit they wait anyway."""
    monkeypatch.setattr(module, "TURN", 10_000)
    monkeypatch.setattr(module, "TURN_S", 60.0)
    host = await desk(MARK, broker=broker).start()
    for number in range(1500):
        host.event("NIC_RX_FILTER_CHANGED", number=number)
    left = [host.dispatcher.waiting]
    while left[-1]:
        await asyncio.sleep(0)
        left.append(host.dispatcher.waiting)
    assert max(before - after for before, after in itertools.pairwise(left)) == most


async def test_messages_have_a_room_of_their_own(
    desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit is refused, what comes after the room was emptied is not."""
    host = await desk(MARK).start()
    monkeypatch.setattr(module, "MESSAGES_MAX_BYTES", 3000)
    large, small = (Received(Message("a", "x" * size)) for size in (476, 1))
    for _ in range(3):
        assert host.dispatcher.offer(large)
        assert host.dispatcher.offer(large)
        assert not host.dispatcher.offer(small)
        host.event("STOP")
        assert host.dispatcher.waiting == 3
        await host.until("they are handled", lambda: not host.dispatcher.waiting)
    assert host.dispatcher.dropped == 0


async def test_a_flood_of_one_guest_does_not_starve_the_run_of_another(desk: Open) -> None:
    """20,000 events; the other guest's command goes out long before they are through."""
    host = await desk(STOP).start("noisy", "quiet")
    waiting: list[int] = []
    host.guests.answers["stop"] = {}
    for number in range(10_000):
        host.event("NIC_RX_FILTER_CHANGED", guest="noisy", number=number)
    host.event("WATCHDOG", guest="quiet")
    for number in range(10_000):
        host.event("NIC_RX_FILTER_CHANGED", guest="noisy", number=number)

    def is_sent() -> bool:
        if host.guests.sent and not waiting:
            waiting.append(host.dispatcher.waiting)
        return bool(waiting)

    await host.until("the command is sent", is_sent)
    assert waiting[0] > 5000
    await host.until("all is handled", lambda: not host.dispatcher.waiting)
    await host.rest()
    assert host.dispatcher.dropped == 0
    assert host.paper.messages("/told") == ["quiet"]


# ----------------------------------------------------------------- answers


@pytest.mark.parametrize(
    ("answer", "outcome", "error"),
    [
        pytest.param(
            GuestError("web-1", "stop", "GenericError", "no"),
            ("refused", b"no"),
            "stop: GenericError: no",
            id="QEMU says no",
        ),
        pytest.param(
            LOST,
            ("unknown", b"the monitor died"),
            "it was sent and the monitor died",
            id="nobody knows",
        ),
    ],
)
async def test_what_became_of_a_command(
    desk: Open, answer: ReactorError, outcome: tuple[str, bytes], error: str
) -> None:
    """The journal and the run have it."""
    # system_powerdown must not be sent twice: a lost reply stays unknown.
    host = await desk(STOP.replace("qmp: stop", "qmp: system_powerdown")).start()
    host.guests.answers["system_powerdown"] = answer
    host.event()
    await host.rest()
    assert [(row.outcome, row.detail) for row in host.paper.outcomes] == [outcome]
    (failed,) = host.paper.messages("/failed")
    assert error in failed.replace("system_powerdown", "stop")


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "later"])
async def test_a_command_that_was_certainly_not_sent_is_sent_again(
    desk: Open, at_once: bool
) -> None:
    """The run goes on when the monitor is back."""
    host = await desk(STOP).start()
    host.guests.at_once = at_once
    host.guests.answers["stop"] = MonitorError("guest web-1", "it is not connected", "wait")
    host.event()
    await host.until("it was tried", lambda: bool(host.paper.outcomes))
    assert [(row.outcome, row.detail) for row in host.paper.outcomes[:1]] == [
        ("not sent", b"it is not connected")
    ]
    host.guests.answers["stop"] = {}
    await host.rest()
    assert host.paper.messages("/told") == ["web-1"]
    assert host.paper.messages("/failed") == []


async def test_an_error_of_ours_in_a_task_is_logged_and_ends_nothing(desk: Open) -> None:
    """The next event is handled as ever."""
    host = await desk(STOP, MARK).start()
    host.guests.answers["stop"] = ZeroDivisionError("ours")
    with capture_logs() as lines:
        host.event()
        await host.until("it is logged", lambda: any(x["event"] == "internal error" for x in lines))
        host.event("BLOCK_IO_ERROR", number=1, reason=1)
        await host.until("it goes on", lambda: bool(host.paper.messages("/bad")))
    assert [line for line in lines if line["event"] == "internal error"] == [
        {
            "event": "internal error",
            "log_level": "error",
            "error": "ZeroDivisionError('ours')",
        }
    ]


@pytest.mark.parametrize(
    ("levels", "is_cut"), [(DEPTH_MAX, False), (DEPTH_MAX + 1, True), (900, True)]
)
async def test_a_reply_without_end_is_cut(desk: Open, levels: int, is_cut: bool) -> None:
    """The run has it, and the journal can hold it."""
    reply: object = []
    for _ in range(levels - 1):
        reply = [1, reply]
    host = await desk(STOP).start()
    host.guests.answers["stop"] = reply
    host.event()
    await host.rest()
    (run,) = [row for row in host.paper.inputs if row.kind == "answered" and b"result" in row.body][
        -1:
    ]
    depth = run.body.count(b"[")
    assert depth == min(levels, DEPTH_MAX)
    assert (b"null" in run.body) is is_cut


async def test_a_reply_that_is_text_is_handed_on(desk: Open) -> None:
    """As it is."""
    host = await desk(STOP.replace("qmp: stop", "qmp: query-name\n    save: n")).start()
    host.guests.answers["query-name"] = "web"
    host.event()
    await host.rest()
    assert any(b'"result":"web"' in row.body for row in host.paper.inputs)


async def test_an_error_of_ours_in_the_dumps_folder_ends_nothing(
    desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged, and the next event is handled as ever."""

    async def fail(_dumps: Dumps, _path: str) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(Dumps, "problem", fail)
    text = STOP.replace("  - qmp: stop\n", "  - guest: dump\n    to: d\n    format: elf\n")
    host = await desk(text, MARK).start()
    with capture_logs() as lines:
        host.event()
        await host.until("it is logged", lambda: any(x["event"] == "internal error" for x in lines))
        host.event("BLOCK_IO_ERROR", number=1, reason=1)
        await host.until("it goes on", lambda: bool(host.paper.messages("/bad")))
    assert [x["error"] for x in lines if x["event"] == "internal error"] == ["ZeroDivisionError()"]


async def test_a_dumps_folder_is_asked_and_cleaned(desk: Open, tmp_path: Path) -> None:
    """A target that is there refuses the step."""
    (tmp_path / "dumps").mkdir()
    (tmp_path / "dumps" / "d").touch()
    text = STOP.replace("  - qmp: stop\n", "  - guest: dump\n    to: d\n    format: elf\n")
    host = await desk(text).start()
    host.event()
    await host.rest()
    assert host.guests.sent == []
    assert host.paper.messages("/failed") == [f"the dump target {tmp_path}/dumps/d exists already"]


async def test_what_a_failed_dump_left_is_removed(desk: Open, tmp_path: Path) -> None:
    """By the dispatcher, for the engine."""
    text = STOP.replace("  - qmp: stop\n", "  - guest: dump\n    to: d\n    format: elf\n")
    host = await desk(text).start()
    host.event()
    await host.until("the dump begins", lambda: ("web-1", "dump-guest-memory") in host.guests.sent)
    left = tmp_path / "dumps" / "d"
    left.write_bytes(b"half")
    host.event("DUMP_COMPLETED", result={"status": "failed"}, error="no room")
    await host.rest()
    await host.until("it is removed", lambda: not left.exists())
    assert len(host.paper.messages("/failed")) == 1


# ------------------------------------------------------------------- ticks


async def test_a_deadline_is_kept_without_any_input(desk: Open) -> None:
    """A delay ends by itself; the tick stands in the journal."""
    host = await desk(SLOW).start()
    host.event()
    await host.rest()
    assert len(host.paper.messages("/rested")) == 1
    assert [row.kind for row in host.paper.inputs].count("tick") >= 1


class Due(Engine):
    """An engine that notes what it is given, and has one deadline of its own."""

    def __init__(self, due: float) -> None:
        super().__init__(EngineConfig(), "abc123")
        self.given: list[str] = []
        self.due: float | None = due

    def next_deadline(self) -> float | None:
        """The one that was set."""
        return self.due

    def handle(self, input_: Input, now: float) -> list[object]:  # type: ignore[override]
        """Note it."""
        if isinstance(input_, Ticked):
            self.due = None
        self.given.append(type(input_).__name__)
        return super().handle(input_, now)  # type: ignore[return-value]


async def test_what_came_before_a_deadline_is_handled_before_it(tmp_path: Path) -> None:
    """However late the loop looks: an answer in time is not too late."""
    story: list[str] = []
    clock = Clock()
    engine = Due(math.inf)
    made = Dispatcher(
        engine=engine,
        journal=Paper(story),
        outside=outside(Guests(story), tmp_path),
        projection=Projection("reactor", "h", "0"),
        clock=clock,
        nudge=None,
    )
    made.submit(GuestKnown("in-time"))
    engine.due = due = clock.now()
    await until("the deadline is over", lambda: clock.now() > due)
    made.submit(Answered("late"))
    made.stop()
    await asyncio.wait_for(made.run(), 5.0)
    assert engine.given == ["GuestKnown", "Ticked", "Answered"]


# -------------------------------------------------------------------- stop


async def test_after_stop_no_command_is_sent_and_the_run_goes_on_later(desk: Open) -> None:
    """The run is kept as it stands before its command; nothing says that it failed."""
    host = await desk(STOP).start()
    host.paper.gate.clear()
    asked = host.paper.asked
    host.event()
    await host.until("the commit is under way", lambda: host.paper.asked > asked)
    host.dispatcher.stop()
    host.paper.gate.set()
    await host.ended()
    assert host.guests.sent == []
    assert len(host.engine.world.runs) == 1
    assert host.paper.messages("/failed") == []

    later = desk(STOP)
    rows: dict[tuple[str, str], Keep] = {(k.kind, k.key): k for k in host.paper.keeps}
    policies = [policy(STOP)]
    effects = later.engine.load(policies, later.clock.now())
    effects += later.engine.restore(
        list(rows.values()), {p.revision: p for p in policies}, later.clock.now()
    )
    await later.dispatcher.take_up(effects, policies, later.clock.now())
    await later.start()
    await later.rest()
    assert later.guests.sent == [("web-1", "stop")]
    assert later.paper.messages("/told") == ["web-1"]


async def test_a_command_in_flight_is_waited_for(desk: Open) -> None:
    """Its answer is journaled; what would follow it is not sent any more."""
    host = await desk(STOP.replace("  - qmp: stop\n", "  - qmp: stop\n  - qmp: cont\n")).start()
    host.guests.gate.clear()
    host.event()
    await host.until("it is sent", lambda: bool(host.guests.sent))
    host.dispatcher.stop()
    for _ in range(20):
        await asyncio.sleep(0)
    assert host.paper.outcomes == []
    host.guests.gate.set()
    await host.ended()
    assert host.guests.sent == [("web-1", "stop")]
    assert [row.outcome for row in host.paper.outcomes][:1] == ["done"]
    assert len(host.engine.world.runs) == 1


async def test_what_is_never_answered_is_given_up(desk: Open) -> None:
    """The intent stays open in the journal: the next start finds it in doubt."""
    host = await desk(STOP).start()
    host.guests.gate.clear()
    host.event()
    await host.until("it is sent", lambda: bool(host.guests.sent))
    host.dispatcher.stop()
    await host.dispatcher.abandon()
    await host.ended()
    assert len(host.paper.intents) == 1
    assert host.paper.outcomes == []


async def test_an_idle_loop_ends_at_once(desk: Open) -> None:
    """There is nothing to wait for."""
    host = await desk(STOP).start()
    host.dispatcher.stop()
    await host.ended()


# --------------------------------------------------------------------- log


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param(
            "  - log: hello\n",
            [("info", "run at step"), ("info", "policy says"), ("info", "run succeeded")],
            id="it succeeds",
        ),
        pytest.param(
            "  - fail: no\n", [("info", "run at step"), ("warning", "run failed")], id="it fails"
        ),
        pytest.param(
            "  - mark: {guest: self, as: m, reason: r}\n  - clear: {guest: self, as: m}\n",
            [
                ("info", "run at step"),
                ("info", "mark set"),
                ("info", "run at step"),
                ("info", "mark cleared"),
                ("info", "run succeeded"),
            ],
            id="marks",
        ),
    ],
)
async def test_a_run_is_told_step_by_step(
    desk: Open, steps: str, expected: Sequence[tuple[str, str]]
) -> None:
    """What it does, in its order, and how it ends."""
    head = "policy: p\ndescription: d\ntrigger: {event: WATCHDOG}\nsteps:\n"
    host = await desk(head + steps).start()
    with capture_logs() as lines:
        host.event()
        await host.until("it ended", lambda: any("run " in x["event"] for x in lines[1:]))
        await host.rest()
        await host.until("it is told", lambda: len(lines) >= len(expected))
    told = [(x["log_level"], x["event"]) for x in lines if x["event"] != "trace"]
    assert told == expected


async def test_a_refused_match_is_told_with_its_reason(desk: Open) -> None:
    """Nobody else would: there is no run."""
    host = await desk(MARK.replace("mode: queued\nmax: 100", "cooldown: 1h")).start()
    with capture_logs() as lines:
        host.event("BLOCK_IO_ERROR", number=1, reason=1)
        host.event("BLOCK_IO_ERROR", number=2, reason=2)
        await host.rest()
        await host.until(
            "it is told", lambda: any(x.get("verdict") == "cooling down" for x in lines)
        )
    (line,) = [x for x in lines if x.get("verdict") == "cooling down"]
    assert (line["log_level"], line["event"], line["policy"]) == ("info", "trace", "mark-it")
    assert line["guest"] == "web-1"
    assert line["reason"]


async def test_an_audit_run_is_no_warning(desk: Open) -> None:
    """It says what it would have done."""
    host = await desk(STOP + "enforcement: audit\n").start()
    with capture_logs() as lines:
        host.event()
        await host.rest()
        await host.until("it is told", lambda: any("audit" in x["event"] for x in lines))
    (line,) = [x for x in lines if "audit" in x["event"]]
    assert (line["log_level"], line["event"]) == ("info", "audit: would run")
    assert host.guests.sent == []


async def test_every_kind_of_input_stands_in_the_history(desk: Open) -> None:
    """Those that are data can be read back as what they were."""
    host = await desk(STOP, broker=False).start()
    host.event()
    await host.rest()
    rows = host.paper.inputs + host.paper.lazy
    kinds = {row.kind for row in rows}
    assert kinds >= {"guest", "connected", "event", "answered", "policies"}
    for row in rows:
        if row.kind not in {"tick", "policies"}:
            msgspec.json.decode(row.body, type=Input)


async def test_the_history_says_which_policies_are_in_force_since_when(desk: Open) -> None:
    """At the start with the time of the engine's start, and at every change; the end too."""
    host = await desk(STOP).start()
    changed = [policy(STOP), policy(MARK)]
    host.dispatcher.adopt(changed)
    await host.until("they are taken over", lambda: host.dispatcher.waiting == 0)
    await host.dispatcher.abandon()
    rows = [row for row in host.paper.inputs + host.paper.lazy if row.kind == "policies"]
    books = [msgspec.json.decode(row.body, type=Rulebook) for row in rows]
    assert rows[0].at == host.began
    assert [book.starts for book in books] == [True, False]
    assert [dict(book.revisions) for book in books] == [
        {"stop-it": policy(STOP).revision},
        {one.name: one.revision for one in changed},
    ]
    assert [book.config for book in books] == [host.engine.world.config] * 2
    assert host.paper.lazy[-1].kind == "stopped"


async def test_an_answer_is_journaled_with_what_was_asked_of_whom(desk: Open) -> None:
    """Commands, queries and questions about the host: the id alone says too little later."""
    host = await desk(STOP).start()
    host.event()
    await host.rest()
    rows = host.paper.inputs + host.paper.lazy
    asked = {(row.guest, row.name) for row in rows if row.kind == "answered"}
    assert ("web-1", "stop") in asked
    assert asked <= {("web-1", "stop"), ("web-1", "query-status")}
