"""When guests are looked at, what is remembered and what is told: in virtual time."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from importlib.resources import files

import pytest
import structlog

from reactor.adapters.qmp.equipment import Build
from reactor.app.lacks import judge, looking, schemas
from reactor.app.lacks.looking import Looker
from reactor.app.lacks.schemas import NOTHING, Schemas
from reactor.core.guest import Arming, Guest, Readiness
from reactor.core.inputs import Disconnected, GuestForgotten
from reactor.core.policy import Policy
from reactor.errors import GuestError, LostReply, MonitorError
from reactor.policyfile.lacks import NO_AGENT, Lack
from tests.core.simulation import Host, document
from tests.simulation.loop import VirtualLoop

SCHEMA = json.loads(files("reactor.qapi").joinpath("data", "qemu-7.2.json").read_bytes())
VERSION = {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": "pkg"}
BALLOON = document("balloon", "[{log: x}]", "{event: BALLOON_CHANGE}")
WATCHDOG = document("watchdog", "[{log: x}]", "{event: WATCHDOG}")
PING = document("ping", "[{agent: guest-ping}]", "{every: 1h}")


class Stage:
    """Guests that answer a looker, and what it asked them; ``passes`` lets time go by."""

    def __init__(self, *policies: str, guests: tuple[str, ...] = ("web-1",)) -> None:
        self.host = Host(policies, guests)
        self.answers: dict[str, object] = {
            "query-version": VERSION,
            "query-target": {"arch": "x86_64"},
            "query-qmp-schema": SCHEMA,
            "query-balloon": {"actual": 1},
            "qom-list": [],
            "query-cpus-fast": [],
        }
        self.pings: object = {}
        self.asked: list[tuple[str, str]] = []
        self.stalls: asyncio.Future[object] | None = None
        self.looker = Looker(lambda: self.host.engine.world, self._send, self)

    def _send(
        self, guest: str, command: str, arguments: Mapping[str, object], *, timeout: float
    ) -> asyncio.Future[object]:
        del arguments, timeout
        self.asked.append((guest, command))
        if command == "query-version" and self.stalls is not None:
            return self.stalls
        return _replied(self.answers[command])

    def send(
        self,
        guest: str,
        command: str,
        arguments: Mapping[str, object],
        *,
        timeout: float,
        replies: bool,
    ) -> asyncio.Future[object]:
        """An agent is asked."""
        del arguments, timeout
        assert replies
        self.asked.append((guest, command))
        return _replied(self.pings)

    def connects(self, *guests: str) -> None:
        """Their monitors are ready."""
        for guest in guests or ("web-1",):
            self.host.connect(guest)
            self.looker.connected(
                guest, self.host.guests[guest].kind, self.host.guests[guest].epoch
            )

    def looks(self, guest: str = "web-1") -> int:
        """How often a guest was looked at, or tried to."""
        return self.asked.count((guest, "query-version"))

    @staticmethod
    async def passes(seconds: float) -> None:
        """Time."""
        await asyncio.sleep(seconds)

    def lacks(self, guest: str = "web-1") -> list[str]:
        """What is said of a guest."""
        world = self.host.engine.world
        found = self.looker.judge.of_guest(world, world.guests[guest]).all
        return [f"{policy}: {lack.sentence}" for policy, lack in found]


def _replied(answer: object) -> asyncio.Future[object]:
    reply = asyncio.get_running_loop().create_future()
    if isinstance(answer, Exception):
        reply.set_exception(answer)
    else:
        reply.set_result(answer)
    return reply


def play(story: Callable[[], Coroutine[object, object, None]], stage: Stage) -> None:
    """Let a story happen beside a looker that runs."""
    loop = VirtualLoop()

    async def both() -> None:
        task = asyncio.create_task(stage.looker.run())
        try:
            await story()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    try:
        loop.run_until_complete(both())
    finally:
        loop.close()
    assert loop.faults == []


def test_a_guest_is_looked_at_a_moment_after_its_connect() -> None:
    """Once, and again an hour later; only what its policies need is asked."""
    stage = Stage(BALLOON)

    async def story() -> None:
        stage.connects()
        await stage.passes(looking.SETTLE_S - 0.01)
        assert stage.asked == []
        await stage.passes(0.1)
        assert [command for _, command in stage.asked] == [
            "query-version",
            "query-target",
            "query-qmp-schema",
            "query-balloon",
        ]
        await stage.passes(looking.EVERY_S - 1.0)
        assert stage.looks() == 1
        stage.answers["query-balloon"] = GuestError("g", "c", "DeviceNotActive", "none")
        await stage.passes(2.0)
        assert stage.looks() == 2
        assert stage.asked.count(("web-1", "query-qmp-schema")) == 1
        assert stage.lacks() == ["balloon: nothing to watch: no balloon device"]

    play(story, stage)


def test_a_guest_that_changes_for_ever_does_not_fill_the_memory() -> None:
    """Each look plans the next one in an hour, and each change brings that forward."""
    stage = Stage(BALLOON)

    async def story() -> None:
        stage.connects()
        for _ in range(500):
            stage.looker.changed("web-1")
            await stage.passes(1.5)
        assert stage.looks() == 500
        assert len(stage.looker._due._heap) <= 65  # noqa: SLF001 - its bound is what is tested

    play(story, stage)


def test_changes_that_come_together_are_one_look() -> None:
    """Also those that come while it is due anyway."""
    stage = Stage(BALLOON)

    async def story() -> None:
        stage.connects()
        stage.looker.changed("web-1")
        await stage.passes(2.0)
        assert stage.looks() == 1
        for _ in range(5):
            stage.looker.changed("web-1")
        await stage.passes(2.0)
        assert stage.looks() == 2
        stage.looker.changed("nobody")
        await stage.passes(2.0)
        assert stage.looks("nobody") == 0

    play(story, stage)


def test_a_look_waits_while_monitors_connect() -> None:
    """Until none has come for a moment, but not for ever: some come and go all the time."""
    stage = Stage(BALLOON, guests=("web-1", "web-2"))

    async def story() -> None:
        stage.connects("web-1")
        for _ in range(5):
            await stage.passes(0.9)
            stage.connects("web-2")
        await stage.passes(looking.SETTLE_S - 0.01)
        assert stage.asked == []
        await stage.passes(0.1)
        assert (stage.looks("web-1"), stage.looks("web-2")) == (1, 1)
        stage.looker.changed("web-1")
        for _ in range(100):
            await stage.passes((looking.SETTLE_S + looking.PATIENCE_S - 0.1) / 100)
            stage.connects("web-2")
        assert stage.looks("web-1") == 1
        await stage.passes(0.2)
        assert stage.looks("web-1") == 2

    play(story, stage)


def test_a_guest_that_goes_away() -> None:
    """Nothing is known of it any more, not even by a look that was under way."""
    stage = Stage(WATCHDOG)

    async def story() -> None:
        stage.connects()
        await stage.passes(2.0)
        assert stage.lacks() != []
        stage.stalls = asyncio.get_running_loop().create_future()
        stage.looker.changed("web-1")
        await stage.passes(2.0)
        stage.host.give(Disconnected("web-1", "gone"))
        stage.looker.disconnected("web-1")
        assert stage.lacks() == []
        stage.stalls.set_result(VERSION)
        await stage.passes(2 * looking.EVERY_S)
        assert stage.looker.standings == {}
        assert stage.looks() == 2

    play(story, stage)


def test_a_guest_that_goes_away_before_it_is_looked_at() -> None:
    """It is not asked."""
    stage = Stage(WATCHDOG)

    async def story() -> None:
        stage.connects()
        stage.looker.disconnected("web-1")
        await stage.passes(2.0)
        assert stage.asked == []
        # In the very moment in which its turn has come.
        await stage.looker._visit("web-1")  # noqa: SLF001
        assert stage.asked == []

    play(story, stage)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(LostReply("m", "no reply", "wait"), id="QEMU does not answer"),
        pytest.param(ZeroDivisionError(), id="a fault of ours"),
    ],
)
def test_a_look_that_comes_to_nothing(error: Exception) -> None:
    """It is tried again in a minute, and ends nothing."""
    stage = Stage(WATCHDOG)

    async def story() -> None:
        stage.answers["query-version"] = error
        stage.connects()
        await stage.passes(2.0)
        assert stage.looker.standings == {}
        stage.answers["query-version"] = VERSION
        await stage.passes(looking.RETRY_S - 10.0)
        assert stage.looks() == 1
        # Whatever changes meanwhile does not wait that long.
        stage.looker.changed("web-1")
        await stage.passes(looking.SETTLE_S + 0.1)
        assert stage.looks() == 2
        assert stage.lacks() != []
        stage.answers["query-version"] = error
        stage.looker.changed("web-1")
        await stage.passes(2.0)
        await stage.passes(looking.RETRY_S)
        assert stage.looks() == 4
        # What was known is still the best that there is.
        assert stage.lacks() != []

    with structlog.testing.capture_logs() as logs:
        play(story, stage)
    failed = [line for line in logs if line["event"] == "a guest could not be looked at"]
    assert len(failed) == (3 if isinstance(error, ZeroDivisionError) else 0)


def test_the_engine_hears_of_the_connect_first() -> None:
    """Then the arms: they may be what gives a guest what a policy needs."""
    stage = Stage(WATCHDOG)

    async def story() -> None:
        stage.looker.connected("web-1", "vm", "1-1")
        stage.looker.connected("unheard-of", "vm", "1-1")
        await stage.passes(3.5)
        assert stage.asked == []
        stage.host.connect()
        guest = stage.host.engine.world.guests["web-1"]
        guest.arming["watchdog"] = Arming("r", Readiness.ARMING)
        await stage.passes(3.0)
        assert stage.asked == []
        guest.arming.clear()
        await stage.passes(1.5)
        assert stage.looks() == 1

    play(story, stage)


def test_other_policies_are_looked_at_anew() -> None:
    """They may need other things."""
    stage = Stage(BALLOON, WATCHDOG)

    async def story() -> None:
        stage.connects()
        await stage.passes(2.0)
        assert stage.lacks() == [
            "watchdog: cannot fire: no watchdog device (such as -device i6300esb)"
        ]
        fewer = stage.host.policies[:1]
        stage.host.engine.load(fewer, stage.host.now)
        stage.looker.adopt(fewer)
        await stage.passes(2.0)
        assert stage.looks() == 2
        assert stage.lacks() == []

    play(story, stage)


def test_the_agent_is_asked_where_a_policy_needs_it() -> None:
    """And the guest runs; one that does not answer is asked again in a minute."""
    stage = Stage(PING, BALLOON)

    async def story() -> None:
        stage.pings = MonitorError("g", "nobody answers the sync", "start it")
        stage.connects()
        await stage.passes(2.0)
        assert stage.lacks() == [
            "ping: fails at steps/0: the guest agent does not answer: nobody answers the sync"
        ]
        stage.pings = {}
        await stage.passes(looking.RETRY_S + 1.0)
        assert stage.asked.count(("web-1", "guest-ping")) == 2
        assert stage.lacks() == []
        stage.host.engine.world.guests["web-1"].status = "paused"
        stage.looker.changed("web-1")
        await stage.passes(2.0)
        assert stage.asked.count(("web-1", "guest-ping")) == 2

    play(story, stage)


@pytest.mark.parametrize(
    ("policy", "sentences"),
    [
        pytest.param(PING, [f"ping: fails at steps/0: {NO_AGENT}"], id="needed"),
        pytest.param(BALLOON, [], id="not needed"),
    ],
)
def test_a_guest_without_an_agent(policy: str, sentences: list[str]) -> None:
    """It is not asked for what the settings do not name."""
    stage = Stage(policy)
    stage.host.engine.world.guests["web-1"].agent = False

    async def story() -> None:
        stage.connects()
        await stage.passes(2.0)
        assert stage.lacks() == sentences
        assert ("web-1", "guest-ping") not in stage.asked

    play(story, stage)


def test_a_lack_is_told_once() -> None:
    """With the first guest that has it; again when policies are loaded anew."""
    stage = Stage(WATCHDOG, BALLOON, guests=("web-1", "web-2"))
    stage.answers["query-balloon"] = GuestError("g", "c", "DeviceNotActive", "none")

    async def story() -> None:
        stage.connects("web-1", "web-2")
        await stage.passes(2.0)
        stage.looker.changed("web-2")
        await stage.passes(2.0)
        stage.looker.adopt(stage.host.policies)
        await stage.passes(2.0)

    with structlog.testing.capture_logs() as logs:
        play(story, stage)
    told = [line for line in logs if line["event"] == "policy lacks something on a guest"]
    assert [(line["policy"], line["guest"], line["qemu"]) for line in told] == [
        ("watchdog", "web-1", "7.2.22"),
        ("watchdog", "web-1", "7.2.22"),
    ]
    assert told[0]["problem"] == "cannot fire: no watchdog device (such as -device i6300esb)"


def test_what_is_told_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it the log is quiet."""
    monkeypatch.setattr(looking, "TOLD_MAX", 0)
    stage = Stage(WATCHDOG)

    async def story() -> None:
        stage.connects()
        await stage.passes(2.0)

    with structlog.testing.capture_logs() as logs:
        play(story, stage)
    assert [line["event"] for line in logs] == ["schema told"]


def test_guests_that_are_the_same_share_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """One schema, one judgement, however many they are; the bound of sharing harms nobody."""
    names = tuple(f"web-{number}" for number in range(30))
    stage = Stage(WATCHDOG, guests=names)

    async def story() -> None:
        stage.connects(*names)
        await stage.passes(5.0)
        assert stage.looker.schemas.asked == 1
        assert len({id(one) for one in stage.looker.standings.values()}) == 1
        assert all(stage.lacks(name) == stage.lacks() != [] for name in names)
        monkeypatch.setattr(looking, "SHARED_MAX", 1)
        stage.looker.changed("web-7")
        await stage.passes(2.0)
        assert stage.lacks("web-7") == stage.lacks()

    play(story, stage)


def test_looks_at_once_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others wait until one is done."""
    monkeypatch.setattr(looking, "LOOKS_MAX", 2)
    names = tuple(f"web-{number}" for number in range(5))
    stage = Stage(WATCHDOG, guests=names)

    async def story() -> None:
        stage.stalls = asyncio.get_running_loop().create_future()
        stage.connects(*names)
        await stage.passes(5.0)
        assert len(stage.asked) == 2
        stalled, stage.stalls = stage.stalls, None
        stalled.set_result(VERSION)
        await stage.passes(5.0)
        assert stage.looker.standings.keys() == set(names)

    play(story, stage)


def test_many_policies_are_judged_bit_by_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others have their turn in between; a guest that is forgotten meanwhile is left alone."""
    monkeypatch.setattr(looking, "POLICIES_AT_ONCE", 1)
    stage = Stage(WATCHDOG, PING, BALLOON)
    turns: list[int] = []
    judged = stage.looker.judge.of

    def judge_one(one: Policy, guest: Guest) -> tuple[Lack, ...]:
        turns.append(len(turns))
        if len(turns) == 1:
            asyncio.get_running_loop().call_soon(stage.host.give, GuestForgotten("web-1"))
        return judged(one, guest)

    async def story() -> None:
        monkeypatch.setattr(stage.looker.judge, "of", judge_one)
        stage.connects()
        await stage.passes(2.0)
        assert len(turns) == 3
        assert "web-1" not in stage.host.engine.world.selections

    with structlog.testing.capture_logs() as logs:
        play(story, stage)
    assert [line["event"] for line in logs] == ["schema told"]


def test_judgements_that_are_remembered_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it they are made anew, and are the same."""
    stage = Stage(WATCHDOG, PING, BALLOON)
    stage.pings = MonitorError("g", "nobody", "start it")

    async def story() -> None:
        stage.connects()
        await stage.passes(2.0)
        before = stage.lacks()
        monkeypatch.setattr(judge, "JUDGED_MAX", 1)
        stage.pings = MonitorError("g", "nobody at all", "start it")
        stage.looker.changed("web-1")
        await stage.passes(2.0)
        assert stage.lacks() == [before[0], before[1].replace("nobody", "nobody at all")]
        world = stage.host.engine.world
        (watchdog, ping, _) = stage.host.policies
        (lack,) = stage.looker.judge.of(watchdog, world.guests["web-1"])
        assert before[0] == f"watchdog: {lack.sentence}"
        assert len(stage.looker.judge.of(ping, world.guests["web-1"])) == 1

    play(story, stage)


# ------------------------------------------------------------------ schemas


def build(number: int) -> Build:
    """A build of its own."""
    return Build("vm", "7.2.22", f"package {number}", "x86_64")


def ask(made: Callable[[Stage], Coroutine[object, object, None]]) -> Stage:
    """Let something be asked of a stage, in virtual time."""
    stage = Stage()
    play(lambda: made(stage), stage)
    return stage


def test_builds_that_tell_the_same_share_one_schema() -> None:
    """Each is asked once."""

    async def story(stage: Stage) -> None:
        known = Schemas(stage.looker.schemas._send, list)  # noqa: SLF001
        first, same = await known.of("a", build(1)), await known.of("b", build(2))
        assert first.schema is not None
        assert first.schema is same.schema
        assert await known.of("c", build(1)) == first
        assert known.asked == 2
        stage.answers["query-qmp-schema"] = SCHEMA[:-1]
        assert (await known.of("d", build(3))).digest != first.digest

    ask(story)


def test_a_build_is_asked_once_also_by_guests_at_once() -> None:
    """Who comes while it is asked waits for its answer."""

    async def story(stage: Stage) -> None:
        found = await asyncio.gather(*(stage.looker.schemas.of(name, build(1)) for name in "abc"))
        assert len({one.digest for one in found}) == 1
        assert stage.looker.schemas.asked == 1

    ask(story)


@pytest.mark.parametrize(
    ("answer", "events"),
    [
        pytest.param([{"meta-type": "no such"}], ["schema cannot be read"], id="no schema"),
        pytest.param(GuestError("g", "c", "X", "no"), ["schema cannot be read"], id="refused"),
    ],
)
def test_a_build_that_tells_no_schema(answer: object, events: list[str]) -> None:
    """It is not asked again."""

    async def story(stage: Stage) -> None:
        stage.answers["query-qmp-schema"] = answer
        assert await stage.looker.schemas.of("a", build(1)) == NOTHING
        assert await stage.looker.schemas.of("a", build(1)) == NOTHING
        assert stage.looker.schemas.asked == 1

    with structlog.testing.capture_logs() as logs:
        ask(story)
    assert [line["event"] for line in logs] == events


def test_the_schemas_that_are_kept_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that no guest has any more make room; if all are in use no other is asked for."""
    monkeypatch.setattr(schemas, "BUILDS_MAX", 2)
    used: list[Build] = [build(1), build(2)]

    async def story(stage: Stage) -> None:
        known = Schemas(stage.looker.schemas._send, lambda: used)  # noqa: SLF001
        for number in (1, 2):
            await known.of("a", build(number))
        assert await known.of("a", build(3)) == NOTHING
        assert (known.asked, known.refused) == (2, 1)
        used[0] = build(3)
        assert (await known.of("a", build(3))).schema is not None
        assert (await known.of("a", build(1))) == NOTHING
        assert (known.asked, known.refused) == (3, 2)

    ask(story)


def test_builds_in_use_are_those_of_the_guests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest whose build is one too many is looked at all the same, without its schema."""
    monkeypatch.setattr(schemas, "BUILDS_MAX", 1)
    stage = Stage(WATCHDOG, guests=("web-1", "web-2"))

    async def story() -> None:
        stage.connects("web-1")
        await stage.passes(2.0)
        stage.answers["query-version"] = {**VERSION, "package": "another"}
        stage.connects("web-2")
        await stage.passes(2.0)
        assert stage.looker.schemas.refused == 1
        assert stage.looker.standings["web-2"].schema is None
        assert stage.lacks("web-2") == stage.lacks("web-1") != []
        stage.looker.disconnected("web-1")
        stage.looker.changed("web-2")
        await stage.passes(2.0)
        assert stage.looker.standings["web-2"].schema is not None

    play(story, stage)


def test_a_qemu_that_did_not_tell_its_schema_is_asked_again() -> None:
    """At the next look, and by any guest of the build."""
    stage = Stage(WATCHDOG, guests=("web-1", "web-2"))

    async def story() -> None:
        stage.answers["query-qmp-schema"] = LostReply("m", "no reply", "wait")
        stage.connects("web-1")
        await stage.passes(2.0)
        assert stage.looker.standings == {}
        stage.answers["query-qmp-schema"] = SCHEMA
        stage.connects("web-2")
        await stage.passes(2.0)
        assert stage.looker.standings.keys() == {"web-2"}

    play(story, stage)
