"""What leaves the process is answered once, in the words that the engine knows."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from reactor.adapters.qmp.commands import Then
from reactor.app.breaks import Breaks
from reactor.app.calls import Calls
from reactor.app.clock import Clock
from reactor.app.depth import DEPTH_MAX, is_too_deep
from reactor.app.dumps import Dumps
from reactor.app.ports import Outside
from reactor.app.settings import DumpsSettings
from reactor.core.effect import AskFree, AskPath, CallAgent, CallHttp, Execute, StartProgram
from reactor.core.inputs import Answered, Disconnected, Refusal
from reactor.errors import GuestError, LostReply, MonitorError

pytestmark = pytest.mark.asyncio


class World:
    """Everybody outside at once: each call is noted and answered as the test says.

    ``answer`` is a value, an exception, or None: then it waits for ``gate``.
    """

    def __init__(self, folder: Path) -> None:
        self.seen: list[tuple[object, ...]] = []
        self.answer: object = {}
        self.refuses: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.cancelled = 0
        self.answers: list[Answered] = []
        self.woken = 0
        self.clock = Clock()
        space, programs, http = _Space(self), _Programs(self), _Http(self)
        outside = Outside(
            monitors=_Monitors(self),
            agents=_Agents(self),
            http=http,
            programs=programs,
            space=space,
            dumps=Dumps(DumpsSettings(folder)),
        )
        self.calls = Calls(outside, self.answers.append, self._wake, self.clock)

    def _wake(self) -> None:
        self.woken += 1

    def future(self, *what: object) -> asyncio.Future[object]:
        """Note a command and promise its answer."""
        self.seen.append(what)
        if self.refuses is not None:
            raise self.refuses
        return asyncio.ensure_future(self.give())

    async def give(self) -> object:
        """The answer, when the gate is open."""
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def answered(self) -> Answered:
        """The one answer."""
        async with asyncio.timeout(5):
            while not self.answers:  # noqa: ASYNC110 - the answer has no event of its own
                await asyncio.sleep(0.001)
        (answer,) = self.answers
        return answer

    def soon(self, seconds: float = 7.0) -> float:
        """A deadline."""
        return self.clock.now() + seconds


class _Part:
    def __init__(self, world: World) -> None:
        self._world = world

    async def _give(self, name: str) -> Answered:
        given = await self._world.give()
        return given if isinstance(given, Answered) else Answered(name, result=given)


class _Monitors(_Part):
    def send(
        self,
        guest: str,
        command: str,
        arguments: Mapping[str, object],
        *,
        timeout: float,
        then: Then,
    ) -> asyncio.Future[object]:
        reply = self._world.future("monitor", guest, command, arguments, timeout)
        reply.add_done_callback(then)
        return reply


class _Agents(_Part):
    def send(
        self,
        guest: str,
        command: str,
        arguments: Mapping[str, object],
        *,
        timeout: float,
        replies: bool,
    ) -> asyncio.Future[object]:
        return self._world.future("agent", guest, command, arguments, replies, timeout)


class _Http(_Part):
    async def send(self, call: CallHttp, timeout_s: float) -> Answered:
        self._world.seen.append(("http", call.url, timeout_s))
        return await self._give(call.id)


class _Programs(_Part):
    async def run(
        self, start: StartProgram, timeout_s: float, facts: Mapping[str, str]
    ) -> Answered:
        self._world.seen.append(("exec", start.program, dict(facts), timeout_s))
        return await self._give(start.id)


class _Space(_Part):
    async def ask(self, question: AskFree) -> Answered:
        self._world.seen.append(("space", question.path))
        return await self._give(question.id)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Nobody has asked for anything."""
    return World(tmp_path / "dumps")


def monitor(world: World, *, changes: bool = True) -> Execute:
    """A command for QEMU."""
    return Execute("q1", "web-1", "stop", {}, world.soon(), changes)


def agent(world: World, *, replies: bool = True) -> CallAgent:
    """A command for the guest's agent."""
    return CallAgent("q1", "web-1", "guest-ping", {"a": 1}, world.soon(), replies)


def request(world: World) -> CallHttp:
    """A request."""
    return CallHttp("q1", "web-1", "GET", "http://h/", {}, world.soon())


def program(world: World) -> StartProgram:
    """A program."""
    return StartProgram("q1", "web-1", "/bin/page", ("x",), world.soon(), "r-1", "call-me")


DEEDS = [
    pytest.param(monitor, id="QMP"),
    pytest.param(agent, id="agent"),
    pytest.param(request, id="HTTP"),
    pytest.param(program, id="program"),
]

Make = Callable[[World], Execute | CallAgent | CallHttp | StartProgram]


@pytest.mark.parametrize("make", DEEDS)
async def test_a_result_is_submitted_once(world: World, make: Make) -> None:
    """And the deed is in flight until then."""
    world.answer = {"value": [1]}
    world.gate.clear()
    world.calls.do(make(world))
    assert world.calls.in_flight == 1
    world.gate.set()
    assert await world.answered() == Answered("q1", result={"value": [1]})
    assert world.calls.in_flight == 0
    assert world.woken == 1


@pytest.mark.parametrize("make", DEEDS)
async def test_a_result_that_is_too_deep_is_cut(world: World, make: Make) -> None:
    """What comes from outside must fit into the journal."""
    deep: object = 1
    for _ in range(DEPTH_MAX + 1):
        deep = [deep]
    world.answer = deep
    world.calls.do(make(world))
    assert not is_too_deep((await world.answered()).result)


@pytest.mark.parametrize("why", ["held_up", "gone"])
@pytest.mark.parametrize(
    ("make", "is_sent"),
    [
        pytest.param(monitor, False, id="QMP"),
        pytest.param(agent, False, id="agent"),
        pytest.param(request, True, id="HTTP"),
        pytest.param(program, True, id="program"),
    ],
)
async def test_what_was_decided_for_a_guest_does_not_meet_another_qemu(
    world: World, make: Make, why: str, is_sent: bool
) -> None:
    """A full disk held it up, or the monitor came or went meanwhile: it is decided anew."""
    world.calls.do(make(world), held_up=why == "held_up", gone=why == "gone")
    answer = await world.answered()
    assert (bool(world.seen), not answer.unsent) == (is_sent, is_sent)


@pytest.mark.parametrize("make", DEEDS[:2])
async def test_a_break_counts_for_whatever_goes_to_the_guest(world: World, make: Make) -> None:
    """From when it is heard of, and for what was decided before it and waits for the disk."""
    breaks, deed = Breaks(), make(world)
    assert not breaks.came_before(deed)
    breaks.heard(Disconnected("web-1", "cut"))
    assert breaks.came_before(deed)
    breaks.handled(Disconnected("web-1", "cut"), [deed])
    assert [breaks.came_before(deed), breaks.came_before(deed)] == [True, False]


async def test_what_each_of_them_is_told(world: World) -> None:
    """The time that is left, and what belongs to its kind."""
    for make in (monitor, agent, request, program):
        world.calls.do(make(world))
    for _ in range(5):
        await asyncio.sleep(0)
    facts = {"REACTOR_GUEST": "web-1", "REACTOR_POLICY": "call-me", "REACTOR_RUN": "r-1"}
    assert [seen[:-1] for seen in world.seen] == [
        ("monitor", "web-1", "stop", {}),
        ("agent", "web-1", "guest-ping", {"a": 1}, True),
        ("http", "http://h/"),
        ("exec", "/bin/page", facts),
    ]
    assert all(seen[-1] == pytest.approx(7.0, abs=1.0) for seen in world.seen)


async def test_a_command_without_a_reply_is_told_to_be_one(world: World) -> None:
    """Else its answer would be waited for."""
    world.calls.do(agent(world, replies=False))
    assert world.seen[0][4] is False


@pytest.mark.parametrize("make", DEEDS)
async def test_a_deed_whose_time_is_over_is_not_begun(
    world: World, make: Callable[[World], Execute | CallAgent | CallHttp | StartProgram]
) -> None:
    """It waited for the disk for so long: by now the engine may have given it up."""
    world.calls.do(msgspec.structs.replace(make(world), deadline=world.soon(-0.001)))
    assert world.seen == []
    late = "its time was over before the journal had it"
    assert world.answers == [Answered("q1", unsent=late)]
    assert world.calls.in_flight == 0


@pytest.mark.parametrize(
    ("make", "begun"),
    [
        pytest.param(monitor, [0, 1, 1, 2], id="QMP"),
        pytest.param(agent, [0, 1, 1, 2], id="agent"),
        pytest.param(lambda world: monitor(world, changes=False), [1, 2, 3, 4], id="a question"),
        pytest.param(program, [1, 2, 3, 4], id="program"),
    ],
)
async def test_what_goes_to_a_guest_long_after_its_decision_is_decided_anew_once(
    world: World,
    make: Callable[[World], Execute | CallAgent | CallHttp | StartProgram],
    begun: Sequence[int],
) -> None:
    """Then it is done, also where the disk is always that slow."""
    counts = []
    for _ in range(4):
        world.calls.do(make(world), late=True)
        await asyncio.sleep(0)
        counts.append(len(world.seen))
    assert counts == begun
    told = [answer.unsent for answer in world.answers if answer.unsent]
    assert set(told) <= {"the disk took long to write it down"}


async def test_a_question_whose_time_is_over_is_left_a_moment(world: World) -> None:
    """It does nothing to the guest; the engine decides whether its answer comes too late."""
    query = monitor(world, changes=False)
    world.calls.do(msgspec.structs.replace(query, deadline=world.soon(-9.0)))
    assert world.seen[0][-1] == 0.05


@pytest.mark.parametrize("make", DEEDS[:2])
@pytest.mark.parametrize(
    ("error", "answer"),
    [
        pytest.param(
            GuestError("web-1", "x", "GenericError", "no"),
            Answered("q1", error=Refusal("GenericError", "no")),
            id="refused",
        ),
        pytest.param(LostReply("x", "gone", "look"), Answered("q1", lost="gone"), id="lost"),
        pytest.param(
            MonitorError("x", "not sent: no", "look"),
            Answered("q1", unsent="not sent: no"),
            id="no",
        ),
    ],
)
async def test_the_errors_of_a_command(
    world: World, make: Make, error: Exception, answer: Answered
) -> None:
    """Each says what is known of the outcome."""
    world.answer = error
    world.calls.do(make(world))
    assert await world.answered() == answer


@pytest.mark.parametrize("make", DEEDS[:2])
async def test_a_command_that_is_refused_at_once_was_not_sent(world: World, make: Make) -> None:
    """It is not in flight, either."""
    world.refuses = MonitorError("x", "not sent: nobody there", "look")
    world.calls.do(make(world))
    assert world.answers == [Answered("q1", unsent="not sent: nobody there")]
    assert world.calls.in_flight == 0


@pytest.mark.parametrize("make", DEEDS)
async def test_an_error_of_ours_leaves_no_run_waiting(world: World, make: Make) -> None:
    """Whether it was done is unknown then, and the log has the error."""
    world.answer = ZeroDivisionError("planted")
    with capture_logs() as lines:
        world.calls.do(make(world))
        answer = await world.answered()
    assert answer == Answered("q1", lost="reactor itself failed: see its log")
    assert [line["event"] for line in lines] == ["internal error"]
    assert world.calls.in_flight == 0


async def test_the_words_of_a_request_or_program_pass_as_they_are(world: World) -> None:
    """They are answers already."""
    for given in (
        Answered("q1", error=Refusal("Status", "500")),
        Answered("q1", lost="no answer"),
        Answered("q1", unsent="too many"),
    ):
        world.answers.clear()
        world.answer = given
        world.calls.do(request(world))
        assert await world.answered() == given


async def test_a_question_for_free_space(world: World) -> None:
    """It is no deed: nobody waits for it at the end."""
    world.answer = 4096
    world.gate.clear()
    world.calls.ask(AskFree("q1", "/var/crash"))
    assert world.calls.in_flight == 0
    world.gate.set()
    assert await world.answered() == Answered("q1", result=4096)
    assert world.seen == [("space", "/var/crash")]


async def test_a_question_for_a_path(world: World, tmp_path: Path) -> None:
    """Null when a dump may be written there, an error that says why not."""
    world.calls.ask(AskPath("q1", str(tmp_path / "dumps" / "a.kdump")))
    assert await world.answered() == Answered("q1")
    world.answers.clear()
    world.calls.ask(AskPath("q1", str(tmp_path / "no" / "a.kdump")))
    error = (await world.answered()).error
    assert error is not None
    assert error.error_class == "Target"


# -------------------------------------------------------------------- stop


@pytest.mark.parametrize("make", DEEDS)
async def test_after_stop_nothing_is_begun(world: World, make: Make) -> None:
    """It certainly was not sent."""
    world.calls.stop()
    world.calls.do(make(world))
    assert world.answers == [Answered("q1", unsent="the daemon is stopping")]
    assert world.seen == []


async def test_after_stop_a_query_has_no_answer(world: World) -> None:
    """It is asked again at the next start."""
    world.calls.stop()
    world.calls.do(monitor(world, changes=False))
    assert (world.answers, world.seen) == ([], [])


@pytest.mark.parametrize("make", DEEDS)
async def test_what_is_given_up_has_no_answer(world: World, make: Make) -> None:
    """The next start finds it in doubt; a request or program is not left alone meanwhile."""
    world.gate.clear()
    world.calls.do(make(world))
    await asyncio.sleep(0)
    await world.calls.abandon()
    assert world.calls.in_flight == 0
    assert world.cancelled == (make in {request, program})
    world.gate.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert world.answers == []


async def test_a_task_that_fails_is_told(world: World) -> None:
    """Nothing of it is lost in silence."""

    async def fail() -> None:
        raise ZeroDivisionError("planted")

    work: Awaitable[None] = fail()
    with capture_logs() as lines:
        world.calls.start(work)
        for _ in range(5):
            await asyncio.sleep(0)
    assert lines == [
        {"event": "internal error", "error": "ZeroDivisionError('planted')", "log_level": "error"}
    ]
