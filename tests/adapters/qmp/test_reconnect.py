"""A monitor over many connections: pauses, reports, order."""

import asyncio
from random import Random
from typing import Any

import pytest

from reactor.adapters.qmp import Limits
from reactor.adapters.qmp.monitor import pause_s
from tests.adapters.qmp.scene import Disconnected, Happened, Scene, chance, eventually
from tests.fakes.qmp_server import VM

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize(
    ("failures", "longest"),
    [(0, 0.1), (1, 0.2), (2, 0.4), (5, 3.2), (6, 5.0), (7, 5.0), (10_000, 5.0)],
)
async def test_pauses_double_up_to_five_seconds(failures: int, longest: float) -> None:
    """Each is drawn between half of its longest and that."""
    rng = chance()
    pauses = [pause_s(failures, Limits(), rng) for _ in range(200)]
    assert longest / 2 <= min(pauses) < longest * 0.55
    assert longest * 0.95 < max(pauses) <= longest


async def test_a_lost_monitor_comes_back(scene: Scene) -> None:
    """Disconnected is told before connected, and both are counted."""
    fake = await scene.connected()
    fake.cut()
    await eventually(lambda: fake.served == 2 and scene.monitors.connected())
    assert scene.recorder.story == ["connected", "disconnected", "connected"]
    assert scene.recorder.entries[1] == Disconnected("web-1", "QEMU closed the monitor")
    assert (scene.monitors.counters.connects, scene.monitors.counters.reconnects) == (2, 1)


async def test_a_trouble_is_told_once(scene: Scene) -> None:
    """Ten attempts that fail for one reason are one report."""
    fake = await scene.fake(greeting=b"hello\r\n")
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(lambda: fake.served >= 10)
    assert len(scene.recorder.troubles) == 1


async def test_another_reason_is_another_trouble(scene: Scene) -> None:
    """No socket, then garbage, then no socket again: three reports."""
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(lambda: len(scene.recorder.troubles) == 1)
    fake = await scene.fake(greeting=b"hello\r\n")
    await eventually(lambda: len(scene.recorder.troubles) == 2)
    await fake.close()
    scene.path("web-1").unlink(missing_ok=True)
    await eventually(lambda: len(scene.recorder.troubles) == 3)
    first, second, third = scene.recorder.troubles
    assert first == third != second


async def test_a_trouble_after_a_connection_is_news(scene: Scene) -> None:
    """The same reason as before the connect is told again after it."""
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(lambda: scene.recorder.troubles)
    fake = await scene.fake()
    await eventually(scene.monitors.connected)
    await fake.close()
    scene.path("web-1").unlink(missing_ok=True)
    await eventually(lambda: len(scene.recorder.troubles) == 2)
    assert scene.recorder.story == ["trouble", "connected", "disconnected", "trouble"]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many failures in a row each pause between two connects was made for."""
    seen: list[int] = []

    def spy(failures: int, limits: Limits, rng: Random) -> float:
        seen.append(failures)
        return pause_s(failures, limits, rng)

    monkeypatch.setattr("reactor.adapters.qmp.monitor.pause_s", spy)
    return seen


async def test_short_connections_do_not_reset_the_pause(scene: Scene, pauses: list[int]) -> None:
    """A monitor that answers and dies at once is tried less and less often."""
    scene.with_limits(Limits(first_delay_s=0.001, last_delay_s=5))
    loop = asyncio.get_running_loop()
    fake = await scene.fake()

    def dump(_arguments: object) -> object:
        loop.call_soon(fake.cut)
        return VM["query-dump"]

    fake.answers["query-dump"] = dump
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(lambda: len(pauses) == 5)
    assert pauses == [0, 1, 2, 3, 4]
    assert scene.recorder.story[:4] == ["connected", "disconnected"] * 2


async def test_a_connection_that_lasted_resets_the_pause(scene: Scene, pauses: list[int]) -> None:
    """After a long one the next connect comes after the shortest pause again."""
    scene.with_limits(Limits(first_delay_s=0.001, last_delay_s=0.05))
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(lambda: len(pauses) >= 5)
    fake = await scene.fake()
    await eventually(scene.monitors.connected)
    failures = len(pauses)
    loop = asyncio.get_running_loop()
    long = loop.time() + 0.06
    await eventually(lambda: loop.time() > long)
    fake.cut()
    await eventually(lambda: fake.served == 2 and scene.monitors.connected())
    assert pauses == [*range(failures), 0]


async def test_events_come_in_order_over_connections(scene: Scene) -> None:
    """What was sent on the old connection is told before its end."""
    fake = await scene.connected()
    for number in range(100):
        fake.event("RESET", {"n": number})
    fake.cut()
    await eventually(lambda: fake.served == 2 and fake.ready)
    fake.event("RESET", {"n": 100})
    await eventually(lambda: len(scene.recorder.names) == 101)
    events = [e for e in scene.recorder.entries if isinstance(e, Happened)]
    assert [event.data["n"] for event in events] == list(range(101))
    assert scene.recorder.story[100:104] == ["RESET", "disconnected", "connected", "RESET"]


async def test_a_listener_that_fails_on_an_event(scene: Scene) -> None:
    """Its error reaches the loop's handler, the monitor is connected anew, others live on."""
    caught: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, what: caught.append(what))
    await scene.connected("db-1")
    fake = await scene.connected()
    scene.recorder.fail_on = "STOP"
    fake.event("STOP")
    await eventually(lambda: fake.served == 2 and len(scene.monitors.connected()) == 2)
    assert [str(what["exception"]) for what in caught] == ["planted"]
    assert scene.recorder.story == ["connected", "connected", "disconnected", "connected"]
    assert scene.recorder.entries[2] == Disconnected(
        "web-1", "reactor itself failed on a message (RuntimeError: planted)"
    )


@pytest.mark.parametrize("where", ["connected", "disconnected", "trouble", "held event"])
async def test_a_listener_that_fails_elsewhere(scene: Scene, where: str) -> None:
    """No method that fails ends the task of the monitor."""
    caught: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, what: caught.append(what))
    scene.recorder.fail_on = "STOP" if where == "held event" else where
    if where == "trouble":
        scene.monitors.add("web-1", str(scene.path("web-1")))
        await eventually(lambda: caught)
        await scene.fake()
    else:
        fake = await scene.fake()

        def dump(_arguments: object) -> object:
            fake.event("STOP")
            return VM["query-dump"]

        fake.answers["query-dump"] = dump
        scene.monitors.add("web-1", str(scene.path("web-1")))
        await eventually(lambda: fake.ready)
        if where == "disconnected":
            fake.cut()
        await eventually(lambda: caught)
    scene.recorder.fail_on = ""
    await eventually(scene.monitors.connected)
    assert str(caught[0]["exception"]) == "planted"


@pytest.mark.parametrize(
    "place",
    ["reactor.adapters.qmp.monitor.connect", "reactor.adapters.qmp.session.Session.take_commands"],
    ids=["as it connects", "with a connection"],
)
async def test_a_fault_of_ours_leaves_no_guest_unwatched(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """It reaches the loop's handler, and the monitor is tried again."""
    caught: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, what: caught.append(what))

    def fault(*_args: object) -> None:
        raise RuntimeError("planted")

    fake = await scene.fake()
    with monkeypatch.context() as faulty:
        faulty.setattr(place, fault)
        scene.monitors.add("web-1", str(scene.path("web-1")))
        await eventually(lambda: len(caught) == 2)
    await eventually(scene.monitors.connected)
    assert {str(what["exception"]) for what in caught} == {"planted"}
    assert scene.recorder.story == ["connected"]
    assert fake.ready
