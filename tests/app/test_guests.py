"""Guests of the settings and of the discovery, and what the engine is told of them."""

import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from reactor.adapters.agent import Agents
from reactor.adapters.qmp.survey import Found
from reactor.app import guests as module
from reactor.app.depth import DEPTH_MAX, is_too_deep
from reactor.app.guests import Guests
from reactor.app.lacks.looking import Looker
from reactor.app.settings import Discovery, NamedGuest
from reactor.core.event import Event
from reactor.core.inputs import (
    Connected,
    Disconnected,
    GuestForgotten,
    GuestKnown,
    Happened,
    Input,
)
from reactor.demo.waiting import until
from reactor.errors import MonitorError, SettingsError
from tests.fakes.agent import FakeAgent
from tests.fakes.qmp_server import FakeMonitor

pytestmark = pytest.mark.asyncio

NOW = 1_800_000_000.0
PATTERN = "/run/qemu/*.sock"
DISCOVERIES = [Discovery(PATTERN, {"tier": "web"})]


class Told:
    """What the engine was told, in order."""

    def __init__(self) -> None:
        self.inputs: list[Input] = []

    def __call__(self, input_: Input) -> None:
        """Take one in."""
        self.inputs.append(input_)

    def of(self, kind: type[Input]) -> list[Input]:
        """Those of one kind."""
        return [input_ for input_ in self.inputs if isinstance(input_, kind)]


@pytest.fixture
def told() -> Told:
    """Nothing so far."""
    return Told()


@pytest.fixture
def run() -> Iterator[Path]:
    """A folder for sockets, with a path that is short enough for them."""
    with tempfile.TemporaryDirectory(prefix="rg", dir="/tmp") as folder:
        yield Path(folder)


Listen = Callable[[str], Awaitable[FakeMonitor]]


@pytest_asyncio.fixture
async def listen(run: Path) -> AsyncIterator[Listen]:
    """Makes monitors that listen on sockets of these names."""
    made: list[FakeMonitor] = []

    async def make(name: str) -> FakeMonitor:
        made.append(FakeMonitor())
        await made[-1].listen(f"{run}/{name}")
        return made[-1]

    yield make
    for monitor in made:
        await monitor.close()


@pytest_asyncio.fixture
async def guests(told: Told) -> AsyncIterator[Guests]:
    """The guests of a daemon."""
    made = Guests(told, lambda: NOW, DISCOVERIES, Agents())
    yield made
    made.close()
    await made.monitors.close()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guests are forgotten almost at once."""
    monkeypatch.setattr(module, "FORGET_AFTER_S", 0.02)


def found(guest: str, path: object) -> Found:
    """A socket that the discovery has found."""
    return Found(guest, str(path), PATTERN, os.path.realpath(str(path)))


async def test_a_guest_of_the_settings_is_watched(
    guests: Guests, told: Told, run: Path, listen: Listen
) -> None:
    """Known at once, connected when its monitor is, its events in their order."""
    monitor = await listen("a.sock")
    with capture_logs() as lines:
        guests.name(NamedGuest("web-1", f"unix:{run}/a.sock", {"tier": "db"}))
        assert told.inputs == [GuestKnown("web-1", {"tier": "db"})]
        await until("it is connected", lambda: bool(told.of(Connected)))
        monitor.event("STOP", {"a": 1}, time=7.25)
        monitor.event("RESUME", time=8.5)
        monitor.cut()
        await until("it is cut", lambda: bool(told.of(Disconnected)))
    connected = told.inputs[1]
    assert isinstance(connected, Connected)
    assert (connected.guest, connected.facts.status) == ("web-1", "running")
    assert told.inputs[2:] == [
        Happened(Event("STOP", "web-1", {"a": 1}, 7.25, NOW)),
        Happened(Event("RESUME", "web-1", {}, 8.5, NOW)),
        Disconnected("web-1", "QEMU closed the monitor"),
    ]
    assert lines[:2] == [
        {
            "event": "monitor connected",
            "log_level": "info",
            "guest": "web-1",
            "status": "running",
            "qemu": "7.2.22",
        },
        {
            "event": "monitor lost",
            "log_level": "warning",
            "guest": "web-1",
            "reason": "QEMU closed the monitor",
        },
    ]


async def test_a_monitor_that_is_not_there_is_told_once(
    guests: Guests, told: Told, run: Path
) -> None:
    """With place, problem and fix; the guest is known all the same."""
    with capture_logs() as lines:
        guests.name(NamedGuest("web-1", f"unix:{run}/none.sock"))
        await until("it is told", lambda: bool(lines))
    assert lines == [
        {
            "event": "monitor cannot be used",
            "log_level": "warning",
            "guest": "web-1",
            "place": f"guest web-1, monitor unix:{run}/none.sock",
            "problem": "there is no such socket",
            "fix": "start QEMU with -qmp unix:PATH,server=on,wait=off, or correct the path",
        }
    ]
    assert told.inputs == [GuestKnown("web-1", {})]


async def test_an_address_that_is_none_is_told(guests: Guests, told: Told) -> None:
    """The engine never hears of that guest."""
    with capture_logs() as lines:
        guests.name(NamedGuest("web-1", "127.0.0.1:99999"))
    (line,) = lines
    assert (line["event"], line["guest"]) == ("monitor cannot be used", "web-1")
    assert line["fix"]
    assert told.inputs == []


async def test_trouble_is_told_with_place_problem_and_fix(guests: Guests) -> None:
    """Of a monitor, and of the discovery."""
    with capture_logs() as lines:
        guests.on_trouble("web-1", MonitorError("guest web-1", "it is held", "let it go"))
        guests.on_problem(SettingsError("discover: /x", "there is no folder", "create it"))
    assert lines == [
        {
            "event": "monitor cannot be used",
            "log_level": "warning",
            "guest": "web-1",
            "place": "guest web-1",
            "problem": "it is held",
            "fix": "let it go",
        },
        {
            "event": "discovery",
            "log_level": "warning",
            "place": "discover: /x",
            "problem": "there is no folder",
            "fix": "create it",
        },
    ]


async def test_data_without_end_is_cut(guests: Guests, told: Told) -> None:
    """At the hundredth level, and it is said; the event itself counts."""
    deep: dict[str, object] = {}
    for _ in range(500):
        deep = {"a": [deep]}
    with capture_logs() as lines:
        guests.on_event("web-1", "STOP", deep, 1.0)
        guests.on_event("web-1", "STOP", {"a": {"b": [{}]}}, 1.0)
    assert lines == [
        {
            "event": "event cut",
            "log_level": "warning",
            "guest": "web-1",
            "event_name": "STOP",
            "reason": "its data has no end",
        }
    ]
    first, second = told.inputs
    assert isinstance(first, Happened)
    assert not is_too_deep(first.event.data, DEPTH_MAX + 1)
    assert is_too_deep(first.event.data, DEPTH_MAX - 1)
    assert second == Happened(Event("STOP", "web-1", {"a": {"b": [{}]}}, 1.0, NOW))


# --------------------------------------------------------------- discovery


async def test_a_found_guest_has_the_labels_of_its_pattern(guests: Guests, told: Told) -> None:
    """One of an unknown pattern has none."""
    with capture_logs() as lines:
        guests.on_found(found("web-1", "/nowhere/web-1.sock"))
        guests.on_found(Found("web-2", "/nowhere/2.sock", "/other/*", "/nowhere/2.sock"))
    assert told.inputs == [GuestKnown("web-1", {"tier": "web"}), GuestKnown("web-2", {})]
    assert lines[0] == {
        "event": "guest found",
        "log_level": "info",
        "guest": "web-1",
        "monitor": "/nowhere/web-1.sock",
    }


@pytest.mark.usefixtures("soon")
async def test_a_guest_whose_socket_vanished_is_forgotten(guests: Guests, told: Told) -> None:
    """After a while, once."""
    guests.on_found(found("web-1", "/nowhere/web-1.sock"))
    with capture_logs() as lines:
        guests.on_vanished("web-1")
        assert told.of(GuestForgotten) == []
        await until("it is forgotten", lambda: bool(told.of(GuestForgotten)))
        guests.on_vanished("web-1")
    assert told.inputs[-1] == GuestForgotten("web-1")
    assert [line["event"] for line in lines] == ["guest's socket vanished"]


async def test_a_guest_that_comes_back_in_time_is_not_forgotten(
    guests: Guests, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """QEMU was started again: the same guest."""
    monkeypatch.setattr(module, "FORGET_AFTER_S", 0.1)
    guests.on_found(found("web-1", "/nowhere/web-1.sock"))
    guests.on_vanished("web-1")
    guests.on_found(found("web-1", "/nowhere/web-1.sock"))
    guests.on_found(found("web-2", "/nowhere/web-2.sock"))
    guests.on_vanished("web-2")
    await until("the other one is forgotten", lambda: bool(told.of(GuestForgotten)))
    assert told.of(GuestForgotten) == [GuestForgotten("web-2")]


@pytest.mark.usefixtures("soon")
async def test_a_guest_of_an_earlier_life_is_forgotten_unless_it_is_there(
    guests: Guests, told: Told
) -> None:
    """Its QEMU went while reactor was away."""
    for name in ("found", "named", "gone"):
        guests.expect(name)
    guests.on_found(found("found", "/nowhere/found.sock"))
    guests.name(NamedGuest("named", "unix:/nowhere/named.sock"))
    await until("one is forgotten", lambda: bool(told.of(GuestForgotten)))
    assert told.of(GuestForgotten) == [GuestForgotten("gone")]


@pytest.mark.usefixtures("soon")
async def test_nothing_is_forgotten_while_the_daemon_stops(guests: Guests, told: Told) -> None:
    """A guest that is gone then will be forgotten by the next life."""
    guests.expect("old")
    guests.on_found(found("web-1", "/nowhere/web-1.sock"))
    guests.on_vanished("web-1")
    guests.close()
    other = Guests(told, lambda: NOW, (), Agents())
    other.expect("later")
    await until("time has passed", lambda: GuestForgotten("later") in told.inputs)
    assert told.of(GuestForgotten) == [GuestForgotten("later")]


@pytest.mark.usefixtures("soon")
async def test_a_socket_that_the_settings_name_belongs_to_that_guest(
    guests: Guests, told: Told, run: Path, listen: Listen
) -> None:
    """Found by the discovery too it is watched once; when it vanishes the guest stays."""
    await listen("db-1.sock")
    (run / "link.sock").symlink_to(run / "db-1.sock")
    with capture_logs() as lines:
        guests.name(NamedGuest("db", f"unix:{run}/db-1.sock", {"tier": "db"}))
        guests.on_found(found("db-1", run / "db-1.sock"))
        guests.on_found(found("link", run / "link.sock"))
        await until("it is connected", lambda: bool(told.of(Connected)))
        guests.on_vanished("db-1")
        guests.expect("old")
        await until("time has passed", lambda: bool(told.of(GuestForgotten)))
    assert told.of(GuestKnown) == [GuestKnown("db", {"tier": "db"})]
    assert told.of(GuestForgotten) == [GuestForgotten("old")]
    assert told.of(Disconnected) == []
    assert [line["event"] for line in lines] == ["monitor connected"]
    assert guests.monitors.connected() == ["db"]


async def test_a_name_of_the_settings_is_not_given_to_another_socket(
    guests: Guests, told: Told, run: Path, listen: Listen
) -> None:
    """It is said; when that socket vanishes the guest of the settings stays."""
    await listen("real.sock")
    with capture_logs() as lines:
        guests.name(NamedGuest("db", f"unix:{run}/real.sock"))
        guests.on_found(found("db", run / "db.sock"))
        await until("it is connected", lambda: bool(told.of(Connected)))
        guests.on_vanished("db")
    assert [line for line in lines if line["event"] == "monitor cannot be used"] == [
        {
            "event": "monitor cannot be used",
            "log_level": "warning",
            "guest": "db",
            "place": f"discover: {PATTERN}",
            "problem": (
                f"{run}/db.sock is not watched: the settings name the guest db with another monitor"
            ),
            "fix": "rename the socket, or the guest in the settings",
        }
    ]
    assert guests.monitors.connected() == ["db"]
    assert told.of(Disconnected) == []


class Watching(Looker):
    """Notes what it is told, and looks at nobody."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    def connected(self, guest: str, kind: str, epoch: str) -> None:
        """A connect."""
        assert epoch
        self.told.append(("connected", guest, kind))

    def disconnected(self, guest: str) -> None:
        """Its end."""
        self.told.append(("disconnected", guest))

    def changed(self, guest: str) -> None:
        """Something that may be a change."""
        self.told.append(("changed", guest))


async def test_who_looks_at_guests_is_told_when(told: Told, run: Path, listen: Listen) -> None:
    """At a connect, at its end, and at events after which it may have other devices."""
    monitor = await listen("a.sock")
    watching = Watching()
    guests = Guests(told, lambda: NOW, (), Agents(), looker=watching)
    guests.name(NamedGuest("web-1", f"unix:{run}/a.sock", {}))
    await until("it is connected", lambda: bool(told.of(Connected)))
    for name in ("STOP", "DEVICE_DELETED", "RESUME", "VSERPORT_CHANGE"):
        monitor.event(name)
    monitor.cut()
    await until("it is cut", lambda: bool(told.of(Disconnected)))
    assert watching.told == [
        ("connected", "web-1", "vm"),
        ("changed", "web-1"),
        ("changed", "web-1"),
        ("disconnected", "web-1"),
    ]
    guests.close()
    await guests.monitors.close()


async def test_the_agent_of_a_guest_of_the_settings(told: Told, run: Path) -> None:
    """The engine learns that there is one; commands find its socket."""
    agent = FakeAgent()
    await agent.listen(f"{run}/a.agent")
    agents = Agents()
    guests = Guests(told, lambda: NOW, (), agents)
    guests.name(NamedGuest("web-1", f"unix:{run}/a.sock", {}, f"{run}/a.agent"))
    assert told.inputs == [GuestKnown("web-1", {}, agent=True)]
    assert await agents.send("web-1", "guest-ping", {}, timeout=5) == {}
    await guests.monitors.close()
    await agents.close()
    await agent.close()


async def test_the_agent_of_a_guest_that_was_found(told: Told, run: Path) -> None:
    """Its name says where; with its socket its agent is gone, too."""
    agent = FakeAgent()
    await agent.listen(f"{run}/web-1.agent")
    agents = Agents()
    discoveries = [Discovery(PATTERN, {}, f"{run}/{{name}}.agent")]
    guests = Guests(told, lambda: NOW, discoveries, agents)
    guests.on_found(found("web-1", "/nowhere/web-1.sock"))
    assert told.inputs == [GuestKnown("web-1", {}, agent=True)]
    assert await agents.send("web-1", "guest-ping", {}, timeout=5) == {}
    guests.on_vanished("web-1")
    with pytest.raises(MonitorError, match="the settings name no agent of this guest"):
        agents.send("web-1", "guest-ping", {}, timeout=5)
    guests.close()
    await guests.monitors.close()
    await agents.close()
    await agent.close()
