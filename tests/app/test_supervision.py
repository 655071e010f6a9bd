"""What a supervisor such as systemd hears of a daemon, from its start to its end."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from reactor.adapters.supervisor import Supervisor
from reactor.app import commits, supervision
from reactor.app.daemon import Daemon, serve
from reactor.app.settings import MqttSettings
from reactor.app.supervision import Supervision
from reactor.core.orders import HoldGuests
from reactor.core.policy import Enforcement
from reactor.demo.waiting import until
from reactor.errors import JournalError
from tests.app.house import House
from tests.fakes.supervisor import Ear, hearing

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(40)]

SLOW = (
    "policy: slow\ndescription: d\ntrigger: {event: WATCHDOG}\n"
    "steps: [{wait: {until: guest.status == 'suspended', timeout: 1m}}]\n"
)
WRONG = "policy: wrong\n"
NOBODY = "mqtt://127.0.0.1:1"


@pytest.fixture
def ear(run: Path) -> Iterator[Ear]:
    """Somebody who listens as systemd does."""
    with hearing(f"{run}/notify") as ear:
        yield ear


@pytest.fixture
def supervisor(ear: Ear) -> Iterator[Supervisor]:
    """The daemon's side of it."""
    with contextlib.closing(Supervisor(ear.address)) as made:
        yield made


@pytest.fixture
def tells(house: House, supervisor: Supervisor) -> None:
    """The daemons of the host tell the supervisor."""
    house.supervisor = supervisor


async def told(ear: Ear, what: str, true: Callable[[list[str]], bool]) -> list[str]:
    """All that is told until something is."""
    lines: list[str] = []

    def come() -> bool:
        lines.extend(line for message in ear.news() for line in message)
        return true(lines)

    await until(what, come)
    return lines


async def test_the_whole_life_of_a_daemon_is_told(
    house: House, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It starts, is ready, lives, reads its policies anew, and stops; the order counts."""
    monkeypatch.setenv("NOTIFY_SOCKET", ear.address)
    monkeypatch.setenv("WATCHDOG_USEC", "60000")
    monkeypatch.setattr(supervision, "LOOK_S", 1000.0)
    await house.policy(SLOW).guest()
    task = asyncio.create_task(serve(house.settings))
    lines = await told(ear, "it lives", lambda lines: lines.count("WATCHDOG=1") > 3)
    assert lines[0] == "STATUS=starting: opens the journal"
    assert lines[1].startswith("STATUS=watches ")
    assert lines[2] == "READY=1"
    os.kill(os.getpid(), signal.SIGHUP)
    lines = await told(ear, "it is ready again", lambda lines: "READY=1" in lines)
    states = [line for line in lines if line in {"RELOADING=1", "READY=1"}]
    assert states == ["RELOADING=1", "READY=1"]
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(task, 10) == 0
    lines = [line for message in ear.news() for line in message]
    stopping = lines.index("STOPPING=1")
    assert "stopping: commands in flight, the outbox" in lines[stopping + 1]
    assert lines[stopping + 2 :] == []


async def test_a_loop_that_hangs_gives_no_sign_of_life(
    house: House, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the loop itself that lives, not a thread beside it."""
    monkeypatch.setenv("NOTIFY_SOCKET", ear.address)
    monkeypatch.setenv("WATCHDOG_USEC", "60000")
    task = asyncio.create_task(serve(house.settings))
    await told(ear, "it lives", lambda lines: "WATCHDOG=1" in lines)
    ear.news()
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        pass  # the loop hangs
    assert ear.news() == []
    await told(ear, "it lives again", lambda lines: "WATCHDOG=1" in lines)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, 10)


async def test_a_stop_during_a_reload_is_the_last_word(
    house: House, ear: Ear, supervisor: Supervisor
) -> None:
    """Policies that are still read do not make it ready once more."""
    daemon = Daemon(house.settings, supervisor)
    task = asyncio.create_task(daemon.run())
    await until("it is ready", daemon.ready.is_set)
    gate = asyncio.Event()
    daemon.rules.reload = gate.wait  # type: ignore[method-assign]
    os.kill(os.getpid(), signal.SIGHUP)
    await told(ear, "it reloads", lambda lines: "RELOADING=1" in lines)
    daemon.stop()
    await asyncio.wait_for(task, 10)
    lines = [line for message in ear.news() for line in message]
    assert "STOPPING=1" in lines
    assert "READY=1" not in lines


def tasks() -> set[str]:
    """The names of all that runs."""
    return {task.get_name() for task in asyncio.all_tasks()}


async def test_without_a_supervisor_nothing_runs_for_it(house: House) -> None:
    """No task that wakes for nobody, and no word in the log."""
    with capture_logs() as lines:
        await house.start()
        await until("it has nothing to do", lambda: "supervisor" not in tasks())
        await house.stop()
    assert not [line for line in lines if "supervisor" in line["event"]]


async def test_a_supervisor_that_cannot_be_told_is_told_in_the_log(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, not at each word; the daemon goes on."""
    monkeypatch.setattr(supervision, "LOOK_S", 0.01)
    supervisor = Supervisor(f"{run}/nobody")
    made = Supervision(supervisor, lambda: f"{time.monotonic()}")
    with contextlib.closing(supervisor), capture_logs() as lines:
        made.ready()
        task = asyncio.create_task(made.run())
        with hearing(f"{run}/nobody") as ear:
            await until("it is told", lambda: bool(ear.news()))
        await until("it is told again", lambda: len(lines) == 2)
        task.cancel()
        await asyncio.wait([task])
    assert [(line["event"], line["problem"]) for line in lines] == [
        ("the supervisor cannot be told", "No such file or directory"),
        ("the supervisor cannot be told", "Connection refused"),
    ]
    assert lines[0]["place"] == f"NOTIFY_SOCKET={run}/nobody"


async def test_an_address_that_is_none_is_told_in_the_log() -> None:
    """Nobody is asked how the daemon is, since nobody can be told."""
    made = Supervision(Supervisor("vsock:2:1"), lambda: str(1 / 0))
    with capture_logs() as lines:
        made.ready()
        await made.run()
    assert [(line["event"], line["problem"]) for line in lines] == [
        (
            "the supervisor cannot be told",
            "it is neither a path nor the name of an abstract socket",
        )
    ]


# ------------------------------------------------------------------ in words


async def status(house: House, ear: Ear, *watched: str) -> str:
    """How a daemon says it is, once it is at rest."""
    await house.start(*watched)
    house.daemon.supervision.ready()
    return last(ear)


def last(ear: Ear) -> str:
    """The latest status."""
    lines = [line for message in ear.news() for line in message]
    return [line for line in lines if line.startswith("STATUS=")][-1].removeprefix("STATUS=")


@pytest.mark.usefixtures("tells")
async def test_the_status_counts_guests_policies_and_runs(
    house: House, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And changes by itself when they do."""
    monkeypatch.setattr(supervision, "LOOK_S", 0.05)
    assert await status(house, ear) == "watches no guest, 0 policies"
    await house.stop()
    guest = await house.policy(SLOW).guest()
    assert await status(house, ear, "web-1") == "watches 1 guest, 1 policy"
    other = await house.policy(SLOW.replace("slow", "other")).guest("web-2")
    await house.watches("web-2")
    await house.until("it is loaded", lambda: len(house.daemon.engine.world.index.policies) == 2)
    guest.event("WATCHDOG")
    await house.until("runs are open", lambda: len(house.daemon.engine.world.runs) == 2)
    await told(
        ear, "runs", lambda lines: "STATUS=watches 2 guests, 2 policies, 2 open runs" in lines
    )
    await other.close()
    await told(
        ear, "away", lambda lines: "STATUS=watches 1 of 2 guests, 2 policies, 2 open runs" in lines
    )


@pytest.mark.parametrize(
    ("changes", "policy", "words"),
    [
        pytest.param(
            {"enforcement": Enforcement.AUDIT}, SLOW, "audit: nothing is done", id="audit"
        ),
        pytest.param({"mqtt": MqttSettings(NOBODY)}, SLOW, "the broker is away", id="no broker"),
        pytest.param({}, WRONG, "the rules have 3 errors", id="wrong rules"),
    ],
)
@pytest.mark.usefixtures("tells")
async def test_the_status_says_what_is_not_as_it_should_be(
    house: House, ear: Ear, changes: Mapping[str, Any], policy: str, words: str
) -> None:
    """Behind the counts, each in a few words."""
    house.settings = replace(house.settings, **changes)
    house.policy(policy)
    (trouble,) = (await status(house, ear)).split("; ")[1:]
    assert trouble.startswith(words)


@pytest.mark.usefixtures("tells")
async def test_the_status_says_what_an_operator_holds(house: House, ear: Ear) -> None:
    """Some guests, or everything."""
    await house.guest()
    await status(house, ear, "web-1")
    for guest, words in (("web-1", "1 guest is held"), ("", "everything is held")):
        reply = await house.daemon.orders.give("root", HoldGuests(guest))
        assert reply.ok, reply.text
        house.daemon.supervision.ready()
        assert last(ear).split("; ")[1:] == [words]


@pytest.mark.usefixtures("tells")
async def test_the_status_says_that_the_journal_is_not_written(
    house: House, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that waits for its disk lives: it is not ended for it."""
    monkeypatch.setattr(commits, "RETRY_JOURNAL_S", 0.01)
    monkeypatch.setattr(supervision, "LOOK_S", 0.01)

    def full(_batch: object, _chain: object) -> asyncio.Future[None]:
        refused = asyncio.get_running_loop().create_future()
        refused.set_exception(JournalError("journal.db", "the disk is full", "make room on it"))
        return refused

    guest = await house.policy(SLOW).guest()
    await status(house, ear, "web-1")
    with monkeypatch.context() as on:
        on.setattr(house.daemon.journal, "post", full)
        guest.event("WATCHDOG")
        said = "the journal cannot be written: the disk is full"
        await told(ear, "it is said", lambda lines: any(said in line for line in lines))
        await told(ear, "it lives", lambda lines: "WATCHDOG=1" in lines)
    await told(ear, "it is well", lambda lines: any(line.endswith("1 open run") for line in lines))
