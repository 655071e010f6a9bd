"""Many monitors together, and how they come and go."""

import asyncio

import pytest

from reactor.adapters.qmp import Limits
from reactor.core.inputs import Facts
from reactor.errors import LostReply, MonitorError, SettingsError
from tests.adapters.qmp.scene import Disconnected, Happened, Scene, eventually
from tests.fakes.qmp_server import SILENT, VM

pytestmark = pytest.mark.asyncio


async def test_two_guests_of_one_name(scene: Scene) -> None:
    """The second is refused, the first stays."""
    await scene.connected()
    with pytest.raises(SettingsError) as caught:
        scene.monitors.add("web-1", "unix:/other.sock")
    assert str(caught.value) == (
        "guest web-1, monitor unix:/other.sock: a guest of this name is watched already\n"
        "  fix: give every guest a name of its own"
    )
    assert scene.monitors.connected() == ["web-1"]


async def test_guests_are_bounded(scene: Scene) -> None:
    """At the bound there is room, beyond it there is a sentence."""
    scene.with_limits(Limits(guests=2))
    scene.monitors.add("a", "/a.sock")
    scene.monitors.add("b", "/b.sock")
    with pytest.raises(SettingsError) as caught:
        scene.monitors.add("c", "/c.sock")
    assert str(caught.value) == (
        "guest c, monitor unix:/c.sock: 2 guests are watched already, the most that is allowed\n"
        "  fix: watch fewer guests with this reactor"
    )
    scene.monitors.remove("a")
    scene.monitors.add("c", "/c.sock")


async def test_a_guest_that_is_removed(scene: Scene) -> None:
    """It is told at once, its commands are lost, its connection is closed, it does not return."""
    fake = await scene.connected()
    fake.answers["stop"] = SILENT
    reply = scene.monitors.send("web-1", "stop", {}, timeout=5)
    scene.monitors.remove("web-1")
    assert scene.recorder.entries[1:] == [
        Disconnected("web-1", "the guest is not watched any more")
    ]
    with pytest.raises(LostReply) as caught:
        await reply
    assert str(caught.value).startswith(
        "guest web-1, command stop: sent, but no reply: the guest is not watched any more\n"
    )
    with pytest.raises(MonitorError):
        scene.monitors.send("web-1", "stop", {}, timeout=5)
    await eventually(lambda: not fake.occupied)
    await eventually(lambda: "monitor web-1" not in {t.get_name() for t in asyncio.all_tasks()})
    assert fake.served == 1


async def test_a_guest_that_was_never_connected_is_removed_in_silence(scene: Scene) -> None:
    """Whoever was never told of a connect is not told of an end."""
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(lambda: scene.recorder.troubles)
    scene.monitors.remove("web-1")
    scene.monitors.remove("web-2")
    assert scene.recorder.story == ["trouble"]


async def test_a_guest_removed_by_its_own_listener(scene: Scene) -> None:
    """In the middle of on_connected: its held events are not told any more."""
    fake = await scene.fake()

    def dump(_arguments: object) -> object:
        fake.event("STOP")
        return VM["query-dump"]

    fake.answers["query-dump"] = dump
    on_connected = scene.recorder.on_connected

    def remove(guest: str, epoch: str, facts: Facts) -> None:
        on_connected(guest, epoch, facts)
        scene.monitors.remove(guest)

    scene.recorder.on_connected = remove  # type: ignore[method-assign]
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(lambda: len(scene.recorder.entries) == 2 and not fake.occupied)
    assert scene.recorder.story == ["connected", "disconnected"]
    assert scene.monitors.counters.dropped == 1


async def test_a_guest_that_comes_again(scene: Scene) -> None:
    """Removed and added at once, it is connected by a new monitor."""
    fake = await scene.connected()
    scene.monitors.remove("web-1")
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(lambda: fake.served == 2 and scene.monitors.connected())
    assert scene.recorder.story == ["connected", "disconnected", "connected"]


async def test_commands_go_through_inside_on_connected(scene: Scene) -> None:
    """What a policy arms at every connect is sent before any event is told."""
    fake = await scene.fake()
    on_connected = scene.recorder.on_connected
    replies: list[asyncio.Future[object]] = []

    def arm(guest: str, epoch: str, facts: Facts) -> None:
        on_connected(guest, epoch, facts)
        replies.append(scene.monitors.send(guest, "set-action", {"panic": "pause"}, timeout=5))

    scene.recorder.on_connected = arm  # type: ignore[method-assign]
    fake.answers["set-action"] = {}
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(lambda: replies)
    assert await replies[0] == {}


async def test_closing_tells_nobody(scene: Scene) -> None:
    """A guest is not lost because reactor stops; commands are, and connections end."""
    fake = await scene.connected()
    fake.answers["stop"] = SILENT
    reply = scene.monitors.send("web-1", "stop", {}, timeout=5)
    await scene.monitors.close()
    with pytest.raises(LostReply) as caught:
        await reply
    assert str(caught.value).startswith(
        "guest web-1, command stop: sent, but no reply: reactor stops\n"
    )
    assert scene.recorder.story == ["connected"]
    await eventually(lambda: not fake.occupied)


async def test_one_dead_monitor_holds_up_nobody(scene: Scene) -> None:
    """With as many held monitors as connects may be under way, the others are quick."""
    scene.with_limits(Limits(connects=2, greeting_s=30))
    for number in range(4):
        await scene.fake(f"held-{number}", greeting=None)
        scene.monitors.add(f"held-{number}", str(scene.path(f"held-{number}")))
    await scene.fake("web-1")
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(scene.monitors.connected, limit_s=3)
    assert scene.monitors.connected() == ["web-1"]


async def test_many_guests(scene: Scene) -> None:
    """200 guests connect, each is told its own event and answers its own command."""
    guests = [f"g{number}" for number in range(200)]
    fakes = {guest: await scene.fake(guest) for guest in guests}
    for guest in guests:
        scene.monitors.add(guest, str(scene.path(guest)))
    await eventually(lambda: len(scene.monitors.connected()) == 200)
    scene.recorder.entries.clear()
    for guest, fake in fakes.items():
        fake.answers["who"] = guest
        fake.event("RESET", {"guest": guest})
    replies = await asyncio.gather(
        *(scene.monitors.execute(guest, "who", {}, timeout=5) for guest in guests)
    )
    assert replies == guests
    await eventually(lambda: len(scene.recorder.entries) == 200)
    assert {entry.guest for entry in scene.recorder.entries} == set(guests)
    assert all(
        isinstance(entry, Happened) and entry.data == {"guest": entry.guest}
        for entry in scene.recorder.entries
    )
    assert scene.monitors.counters.connects == 200
