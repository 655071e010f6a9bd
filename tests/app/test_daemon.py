"""The daemon, whole, beside fake QEMUs and, where it matters, a real broker."""

import asyncio
import contextlib
import gc
import json
import os
import shutil
import signal
import sqlite3
import time
import types
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from reactor.adapters.journal import Journal
from reactor.app import clock as clock_module
from reactor.app import commits
from reactor.app import daemon as module
from reactor.app import guests as guests_module
from reactor.app.daemon import Daemon, serve
from reactor.app.rules import Rules
from reactor.app.settings import (
    Discovery,
    JournalSettings,
    MqttSettings,
    NamedGuest,
)
from reactor.core.event import Event
from reactor.core.inputs import Happened
from reactor.demo.waiting import until
from reactor.errors import Code, JournalError, Place, PolicyError, Problem, SettingsError
from tests.app.house import House, hears, said
from tests.fakes.broker import Mosquitto, Subscriber, free_port
from tests.fakes.qmp_server import SILENT, Answer, event_line

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(40)]

HEAD = """\
policy: {name}
description: d
trigger: {{event: {event}}}
mode: queued
max: 10
"""

STOP = HEAD.format(name="stop-it", event="WATCHDOG") + "steps:\n  - qmp: stop\n"

MARK = HEAD.format(name="mark-it", event="BLOCK_IO_ERROR") + (
    "steps:\n"
    "  - mark: {disk: '${data.device}', as: bad, reason: it failed, expires: 1h}\n"
    "  - publish: alert\n    payload: '${data.device}'\n"
)

ECHO = HEAD.format(name="echo", event="'*'") + (
    "steps:\n  - publish: echo\n    payload: '${data}'\n  - delay: 10ms\n"
)

LIMITED = HEAD.format(name="limited", event="WATCHDOG") + (
    "limits: [1 per 1h per guest]\nsteps:\n  - qmp: stop\n"
)

WAITS = HEAD.format(name="waits", event="POWERDOWN") + (
    "steps:\n"
    "  - wait: {until: guest.status == 'suspended', timeout: 1m}\n"
    "  - mark: {guest: self, as: went, reason: it did}\n"
)

RESET = (
    HEAD.format(name="reset-it", event="[GUEST_PANICKED, GUEST_CRASHLOADED, WATCHDOG]")
    + "steps:\n  - guest: reset\n"
)


# --------------------------------------------------------------- bad input

UNTIL_IT_IS_OVER = """policy: until-it-is-over
description: d
trigger: {event: WATCHDOG}
steps:
  - choose:
      - when: guest.migrating
        steps:
          - wait: {event: MIGRATION, timeout: 1h}
"""


async def test_it_starts_with_what_works_and_says_what_does_not(house: House) -> None:
    """A broken policy, no broker, a file that is no socket; the rest reacts."""
    house.policy(STOP)
    (house.rules / "broken.yaml").write_text("policy: broken\nstep: []\n")
    (house.run / "file").touch()
    port = free_port()
    house.settings = replace(
        house.settings,
        mqtt=MqttSettings(f"mqtt://127.0.0.1:{port}"),
        guests=(
            NamedGuest("wrong", f"unix:{house.run}/file"),
            NamedGuest("away", f"unix:{house.run}/none"),
        ),
    )
    guest = await house.guest()
    with capture_logs() as lines:
        await house.start("web-1")
        guest.event("WATCHDOG", {"action": "none"})
        assert await house.outcomes(1) == [("stop-it", "succeeded")]
        await house.until(
            "all three are told",
            lambda: (
                {"policy problem", "broker trouble", "monitor cannot be used"}
                <= {line["event"] for line in lines}
            ),
        )
    assert "stop" in [command.execute for command in guest.commands]
    told = [line for line in lines if line["log_level"] in {"warning", "error"}]
    assert all(line["place"] and line["problem"] and line["fix"] for line in told)
    (broker,) = [line for line in told if line["event"] == "broker trouble"]
    assert str(port) in broker["place"]
    places = [line["place"] for line in told if line["event"] == "monitor cannot be used"]
    assert sorted(places) == [
        f"guest away, monitor unix:{house.run}/none",
        f"guest wrong, monitor unix:{house.run}/file",
    ]
    policies = [line for line in told if line["event"] == "policy problem"]
    assert {line["place"].split(":")[0] for line in policies} == {f"{house.rules}/broken.yaml"}
    assert house.daemon.journal.outbox.counters()["waiting"] > 0


async def test_no_rules_and_no_folder_for_sockets_are_told_too(house: House) -> None:
    """It waits for both."""
    shutil.rmtree(house.rules)
    where = house.run / "later"
    house.settings = replace(house.settings, discoveries=(Discovery(f"{where}/*.sock"),))
    with capture_logs() as lines:
        await house.start()
        await house.until(
            "it is told", lambda: {"discovery", "policy problem"} <= {x["event"] for x in lines}
        )
    (line,) = [line for line in lines if line["event"] == "discovery"]
    assert (line["place"], line["problem"]) == (
        f"discover: {where}/*.sock",
        f"there is no folder {where}",
    )


class _SetTime(types.ModuleType):
    """The machine's clocks, of which the time of day has been set ``ahead`` by so much."""

    def __init__(self) -> None:
        super().__init__("time")
        vars(self).update(vars(time))
        self.ahead = 0.0
        self.time = lambda: time.time() + self.ahead


@pytest.mark.parametrize(("by", "way"), [(7200.0, "ahead"), (-7200.0, "back")])
async def test_a_time_of_day_that_was_set_moves_nothing_over_a_restart(
    house: House, by: float, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An approval that has an hour waits on, and the log says why times are as they are."""
    clocks = _SetTime()
    monkeypatch.setattr(clock_module, "time", clocks)
    ask = HEAD.format(name="ask", event="WATCHDOG") + (
        "approval: {ask: may I, expires: 1h}\nsteps: [{qmp: stop}]\n"
    )
    guest = await house.policy(ask).guest()
    await house.start("web-1")
    guest.event("WATCHDOG", {"action": "none"})
    await house.until("it waits", lambda: bool(house.runs_on_disk()))
    before = house.daemon.clock.now()
    await house.stop()
    clocks.ahead = by
    with capture_logs() as lines:
        await house.start("web-1")
    (line,) = [line for line in lines if line["event"] == "the time of day was set"]
    assert f"set {way} by " in line["problem"]
    assert 0 <= house.daemon.clock.now() - before < 600
    world = house.daemon.engine.world
    assert [run.phase.word for run in world.runs.values()] == ["waiting-approval"]


async def test_a_pattern_that_fits_the_control_socket_too(house: House) -> None:
    """Beside the journal in the guests' folder it is found, said, and watched as no guest."""
    house.settings = replace(house.settings, journal=JournalSettings(house.run / "journal.db"))
    await house.guest()
    with capture_logs() as lines:
        await house.start("web-1")
        await house.until(
            "it is told", lambda: any(x["event"].startswith("not a guest") for x in lines)
        )
    assert list(house.daemon.engine.world.guests) == ["web-1"]
    (line,) = [line for line in lines if line["event"].startswith("not a guest")]
    assert line == {
        "event": "not a guest: reactor's own control socket",
        "log_level": "info",
        "socket": f"{house.run}/journal.db.sock",
    }
    assert house.daemon.guests.troubles == {}


async def test_a_journal_that_another_daemon_holds(house: House) -> None:
    """It is refused with the other one's process id; the other one goes on."""
    await house.start()
    with pytest.raises(JournalError) as refused:
        Daemon(house.settings)
    path = house.settings.journal.path
    assert str(refused.value) == (
        f"{path}: another reactor (process {os.getpid()}) uses this journal\n"
        "  fix: stop that process, or set another 'journal.path' for this one"
    )
    await house.stop()
    await house.start()


async def test_settings_that_cannot_be_used_at_all(house: House) -> None:
    """The error is the admin's, and the journal is free for the next try."""
    mqtt = MqttSettings("mqtt://127.0.0.1", prefix="a/+")
    with pytest.raises(SettingsError, match="wildcard"):
        Daemon(replace(house.settings, mqtt=mqtt))
    wrong = replace(house.settings, discoveries=(Discovery("/a/{name}{name}"),))
    with pytest.raises(SettingsError) as refused:
        await Daemon(wrong).run()
    assert refused.value.fix
    await house.start()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(
            b'{"event": "STOP", "timestamp": {"seconds": 1000000000000000, "microseconds": 0}}',
            id="a time that no calendar has",
        ),
        pytest.param(
            b'{"event": "STOP", "timestamp": {"seconds": -1, "microseconds": -1}}',
            id="QEMU's clock failed",
        ),
        pytest.param(
            b'{"event": "A/../+#", "timestamp": {"seconds": 1, "microseconds": 0}}',
            id="a name that is no word",
        ),
        pytest.param(
            b'{"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 0}, "data": '
            + b'{"a": ' * 985
            + b"1"
            + b"}" * 985
            + b"}",
            id="data without end",
        ),
        pytest.param(
            b'{"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 0}, '
            b'"data": {"a": 123456789012345678901234567890, "b": 1e308}}',
            id="numbers that are too large",
        ),
    ],
)
async def test_no_line_of_a_monitor_ends_the_daemon(
    house: House, broker: Mosquitto, line: bytes
) -> None:
    """Whatever a QEMU that was taken over writes, the others are looked after."""
    house.policy(STOP, ECHO)
    house.settings = replace(house.settings, mqtt=MqttSettings(broker.url))
    bad, good = await house.guest("bad"), await house.guest("good")
    await house.start("bad", "good")
    bad.raw(line + b"\r\n")
    bad.event("NIC_RX_FILTER_CHANGED")
    good.event("WATCHDOG")
    await house.until(
        "the good one is done",
        lambda: ("good", "stop-it") in ((r.guest, r.policy) for r in house.runs()),
    )


# ----------------------------------------------------------------- restart


async def test_a_restart_brings_back_limits_and_open_runs(house: House) -> None:
    """Nothing that counted is forgotten, and the run goes on where it stood."""
    house.policy(LIMITED, WAITS)
    guest = await house.guest()
    await house.start("web-1")
    guest.event("WATCHDOG")
    assert await house.outcomes(1) == [("limited", "succeeded")]
    guest.event("POWERDOWN")
    await house.until("it waits", lambda: len(house.daemon.engine.world.runs) == 1)
    (run,) = house.daemon.engine.world.runs
    await house.stop()
    assert [row.policy for row in house.runs_on_disk()] == ["waits", "limited"]
    with capture_logs() as lines:
        await house.start("web-1")
    assert {"event": "open runs go on", "log_level": "info", "runs": 1} in lines
    guest.event("WATCHDOG")
    guest.status = "suspended"
    guest.event("SUSPEND")
    assert await house.outcomes(2) == [("limited", "succeeded"), ("waits", "succeeded")]
    assert house.runs()[-1].id == run
    (miss,) = house.daemon.engine.near_misses("limited")
    assert "1 per 1h per guest" in miss.reason


async def test_a_restart_says_marks_again_to_a_broker_that_forgot_them(
    house: House, broker: Mosquitto
) -> None:
    """On their own topics, and in the state of their guest."""
    house.policy(MARK)
    house.settings = replace(house.settings, mqtt=MqttSettings(broker.url))
    guest = await house.guest()
    await house.start("web-1")
    guest.event("BLOCK_IO_ERROR", {"device": "disk/0"})
    assert await house.outcomes(1) == [("mark-it", "succeeded")]
    await house.stop()
    broker.kill()
    broker.start()
    with hears(broker) as subscriber:
        await house.start("web-1")
        topic = "guest/web-1/mark/disk/disk-0/bad"
        await house.until("the mark stands", lambda: bool(said(subscriber, topic)))
        states = "guest/web-1/state"
        await house.until("the state stands", lambda: bool(said(subscriber, states)))
        mark = said(subscriber, topic)[0]
        assert (mark["id"], mark["as"], mark["by"]["policy"]) == ("disk/0", "bad", "mark-it")
        assert mark["expires"] is not None
        assert [found["id"] for found in said(subscriber, states)[-1]["marks"]] == ["disk/0"]


async def test_an_open_run_keeps_the_policy_that_started_it(house: House) -> None:
    """Today's text is another one; the journal has the old one."""
    house.policy(WAITS)
    guest = await house.guest()
    await house.start("web-1")
    guest.event("POWERDOWN")
    await house.until("it waits", lambda: len(house.daemon.engine.world.runs) == 1)
    await house.stop()
    house.policy(WAITS.replace("as: went", "as: changed"))
    await house.start("web-1")
    guest.status = "suspended"
    guest.event("SUSPEND")
    assert await house.outcomes(1) == [("waits", "succeeded")]
    assert [mark.word for mark in house.daemon.engine.world.marks] == ["went"]


@pytest.mark.parametrize("lost", ["refused", "gone"])
async def test_a_run_whose_policy_cannot_be_read_any_more_fails_with_a_reason(
    house: House, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never vanishes."""
    house.policy(WAITS)
    guest = await house.guest()
    await house.start("web-1")
    guest.event("POWERDOWN")
    await house.until("it waits", lambda: len(house.daemon.engine.world.runs) == 1)
    await house.stop()
    (house.rules / "waits.yaml").unlink()
    if lost == "gone":
        with contextlib.closing(sqlite3.connect(house.settings.journal.path)) as journal:
            journal.execute("DELETE FROM revision")
            journal.commit()
    else:

        def refuse(_source: str, place: Place) -> None:
            raise PolicyError([Problem(place, Code.YAML, "it is old", "write it again")])

        monkeypatch.setattr(module, "build_policy", refuse)
    with capture_logs() as lines:
        await house.start()
        assert await house.outcomes(1) == [("waits", "failed")]
    (row,) = house.runs()
    assert row.error.endswith("cannot be read any more")
    told = [x for x in lines if x["event"] == "a policy of an open run is gone"]
    assert len(told) == (lost == "refused")


async def test_a_guest_that_went_while_the_daemon_was_away_is_forgotten(
    house: House, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its retained topics are emptied; one that is there stays."""
    monkeypatch.setattr(guests_module, "FORGET_AFTER_S", 0.3)
    house.settings = replace(house.settings, mqtt=MqttSettings(broker.url))
    gone = await house.guest("gone")
    await house.guest("stays")
    await house.start("gone", "stays")
    await house.stop()
    await gone.close()
    house.unlink("gone")
    with hears(broker) as subscriber:
        await subscriber.until(lambda: said(subscriber, "guest/gone/availability") == ["online"])
        await house.start("stays")
        await house.until(
            "it is emptied", lambda: said(subscriber, "guest/gone/availability")[-1:] == [""]
        )
        await house.until("all of it", lambda: said(subscriber, "guest/gone/state")[-1:] == [""])
    assert set(house.daemon.engine.world.guests) == {"stays"}
    with hears(broker) as late:
        await late.until(lambda: bool(said(late, "guest/stays/availability")))
        assert said(late, "guest/gone/state") == []


# -------------------------------------------------------------------- stop


async def test_a_graceful_stop_says_offline_and_leaves_nothing(
    house: House, broker: Mosquitto
) -> None:
    """No task, no signal handler, no lock, and `offline` is the last word on availability."""
    house.policy(STOP)
    house.settings = replace(house.settings, mqtt=MqttSettings(broker.url))
    await house.guest()
    with hears(broker) as subscriber:
        await house.start("web-1")
        await house.until("it is online", lambda: said(subscriber, "availability") == ["online"])
        with capture_logs() as lines:
            await house.stop()
        await subscriber.until(lambda: said(subscriber, "availability") == ["online", "offline"])
        assert said(subscriber, "guest/web-1/availability")[-1] == "online"
    assert [(x["log_level"], x["event"]) for x in lines] == [
        ("info", "stopping"),
        ("info", "broker disconnected"),
        ("info", "stopped"),
    ]
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_it(house: House, number: signal.Signals) -> None:
    """As systemd and Ctrl-C do; the exit code is 0."""
    guest = await house.guest()
    task = asyncio.create_task(serve(house.settings))
    await house.until("it watches", lambda: guest.ready)
    os.kill(os.getpid(), number)
    assert await asyncio.wait_for(task, 10) == 0
    assert not guest.ready


async def test_what_is_there_at_the_start_is_not_looked_through_again(house: House) -> None:
    """By the garbage collector, while the daemon serves: that would stop it for a while."""
    guest = await house.guest()
    task = asyncio.create_task(serve(house.settings))
    await house.until("it watches", lambda: guest.ready)
    await house.until("the start is over", lambda: gc.get_freeze_count() > 0)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(task, 10) == 0
    assert gc.get_freeze_count() == 0


async def test_a_second_signal_does_not_cut_the_end_short(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the journal writes its last rows a signal is still not what ends the process."""
    guest = await house.guest()
    close = Journal.close
    handlers: list[object] = []

    async def closing(journal: Journal) -> None:
        handlers.append(signal.getsignal(signal.SIGTERM))
        await close(journal)

    monkeypatch.setattr(Journal, "close", closing)
    task = asyncio.create_task(serve(house.settings))
    await house.until("it watches", lambda: guest.ready)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(task, 10) == 0
    assert len(handlers) == 1
    assert handlers[0] is not signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_a_command_in_flight_is_given_up_after_a_while(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its intent is found without an outcome, and the run in doubt."""
    monkeypatch.setattr(module, "STOP_S", 0.1)
    house.policy(STOP.replace("qmp: stop", "qmp: system_powerdown"))
    guest = await house.guest()
    replies: list[str] = []
    guest.answers["system_powerdown"] = guest_silent(replies)
    await house.start("web-1")
    guest.event("WATCHDOG")
    await house.until("it is sent", lambda: bool(replies))
    await house.stop()
    await house.start("web-1")
    assert await house.outcomes(1) == [("stop-it", "unknown")]
    assert replies == ["sent"]


def guest_silent(sent: list[str]) -> Callable[[Mapping[str, object]], object]:
    """An answer that never comes; each question is noted."""

    def answer(_arguments: Mapping[str, object]) -> object:
        sent.append("sent")
        return SILENT

    return answer


async def test_a_full_disk_at_the_start_does_not_keep_it_from_stopping(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said, nothing acts, and a stop is a stop."""
    monkeypatch.setattr(module, "STOP_S", 0.1)
    monkeypatch.setattr(commits, "RETRY_JOURNAL_S", 0.01)
    house.policy(STOP)
    guest = await house.guest()
    daemon = Daemon(house.settings)

    def full(_batch: object, _chain: object) -> asyncio.Future[None]:
        refused = asyncio.get_running_loop().create_future()
        refused.set_exception(JournalError("journal.db", "the disk is full", "make room on it"))
        return refused

    monkeypatch.setattr(daemon.journal, "post", full)
    with capture_logs() as lines:
        task = asyncio.create_task(daemon.run())
        await until("it is ready", daemon.ready.is_set)
        await until("it watches", lambda: guest.ready)
        guest.event("WATCHDOG")
        await until("the event is in", lambda: daemon.dispatcher.waiting > 0)
        assert daemon.dispatcher.commits.trouble == "the disk is full"
        daemon.stop()
        await asyncio.wait_for(task, 10)
    said_so = [line["problem"] for line in lines if line["event"] == "journal cannot be written"]
    assert said_so == ["the disk is full"]
    assert "stop" not in [command.execute for command in guest.commands]


async def test_what_the_journal_says_at_the_end_is_an_error_of_its_own(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one inside a group: the command line shows its sentence."""
    await house.start()
    close = house.daemon.journal.close

    async def lost() -> None:
        await close()
        raise JournalError("journal.db", "3 events are lost", "make room")

    monkeypatch.setattr(house.daemon.journal, "close", lost)
    house.daemon.stop()
    with pytest.raises(JournalError, match="3 events are lost"):
        await house.ended()


async def test_an_engine_that_fails_ends_the_daemon_and_frees_everything(
    house: House, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last will says offline, the next daemon can start at once."""
    house.settings = replace(house.settings, mqtt=MqttSettings(broker.url))
    await house.guest()
    with hears(broker) as subscriber:
        await house.start("web-1")
        await house.until("it is online", lambda: said(subscriber, "availability") == ["online"])

        def fail(*_arguments: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(house.daemon.engine, "handle", fail)
        house.daemon.dispatcher.submit(Happened(Event("STOP", "web-1")))
        with pytest.raises(ExceptionGroup) as died:
            await house.ended()
        assert died.value.subgroup(ZeroDivisionError) is not None
        await subscriber.until(lambda: said(subscriber, "availability")[-1:] == ["offline"])
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await house.start("web-1")


# ------------------------------------------------------------------ guests


async def test_a_guest_that_vanishes_is_forgotten_after_a_while(
    house: House, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its retained topics are emptied then, and not before."""
    monkeypatch.setattr(guests_module, "FORGET_AFTER_S", 0.3)
    house.settings = replace(house.settings, mqtt=MqttSettings(broker.url))
    guest = await house.guest()
    with hears(broker) as subscriber:
        await house.start("web-1")
        link, state = "guest/web-1/availability", "guest/web-1/state"
        await house.until("it is online", lambda: said(subscriber, link)[-1:] == ["online"])
        await guest.close()
        house.unlink("web-1")
        await house.until("it is emptied", lambda: said(subscriber, state)[-1:] == [""])
        await house.until("both are", lambda: said(subscriber, link)[-1:] == [""])
        assert said(subscriber, link)[-2:] == ["offline", ""]
        assert said(subscriber, state)[-2]["status"] == "disconnected"
    assert house.daemon.engine.world.guests == {}


async def test_a_guest_of_the_settings_that_is_found_too_is_watched_once(house: House) -> None:
    """With the settings' name and labels; its socket may go and come."""
    path = f"{house.run}/db-1.sock"
    house.settings = replace(
        house.settings, guests=(NamedGuest("db", f"unix:{path}", {"tier": "db"}),)
    )
    guest = await house.guest("db-1")
    await house.guest("web-1")
    await house.start("db", "web-1")
    guests = house.daemon.engine.world.guests
    assert {name: dict(found.labels) for name, found in guests.items()} == {
        "db": {"tier": "db"},
        "web-1": {"tier": "web"},
    }
    await guest.close()
    house.unlink("db-1")
    await house.until("it is away", lambda: not guests["db"].connected)
    await house.guest("db-1")
    await house.watches("db")
    assert set(guests) == {"db", "web-1"}


@pytest.mark.parametrize("event", ["GUEST_PANICKED", "GUEST_CRASHLOADED", "WATCHDOG"])
async def test_two_hundred_guests_break_at_once(house: House, event: str) -> None:
    """Each gets exactly one reset and runs again."""
    house.policy(RESET)
    guests = [await house.guest(f"g{number}") for number in range(200)]
    await house.start(*(f"g{number}" for number in range(200)))
    for guest in guests:
        guest.panic(event)
    await house.until("all run again", lambda: all(g.status == "running" for g in guests), 30)
    await house.rest()
    assert [guest.resets for guest in guests] == [1] * 200
    assert await house.outcomes(200) == [("reset-it", "succeeded")] * 200


async def test_a_flood_of_one_guest_does_not_hold_up_another(house: House) -> None:
    """10,000 events on one monitor, one on the other; all are in the history afterwards."""
    house.policy(STOP)
    noisy, quiet = await house.guest("noisy"), await house.guest("quiet")
    await house.start("noisy", "quiet")
    waiting: list[int] = []

    def seen(name: str) -> None:
        if name == "stop":
            waiting.append(len(house.history("event")))

    quiet.on_command = seen
    noisy.raw(event_line("NIC_RX_FILTER_CHANGED", {"name": "net0"}) * 10_000)
    quiet.event("WATCHDOG")
    assert await house.outcomes(1) == [("stop-it", "succeeded")]
    await house.until("all are journaled", lambda: len(house.history("event")) > 10_000)
    assert waiting[0] < 10_000
    assert house.daemon.dispatcher.dropped == 0
    assert house.daemon.guests.monitors.counters.dropped == 0


async def test_what_a_query_found_is_not_believed_after_what_happened_since(
    house: House,
) -> None:
    """A migration ends in the same breath in which QEMU says that it runs: nobody waits for it."""
    house.policy(UNTIL_IT_IS_OVER)
    guest = await house.guest()
    await house.start("web-1")
    last = guest.answers["query-migrate"]

    def migrating(_arguments: Mapping[str, object]) -> Answer:
        guest.answers["query-migrate"] = last
        reply = json.dumps({"return": {"status": "active"}, "id": guest.commands[-1].id})
        guest.raw(reply.encode() + b"\r\n" + event_line("MIGRATION", {"status": "completed"}))
        return SILENT

    guest.answers["query-migrate"] = migrating
    guest.event("WATCHDOG", {"action": "none"})
    assert await house.outcomes(1) == [("until-it-is-over", "succeeded")]


# ------------------------------------------------------------------ reload


async def test_sighup_reloads_the_rules(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, or none; the events after it meet the new ones."""

    async def blind(_rules: Rules) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Rules, "watch", blind)
    house.policy(STOP)
    guest = await house.guest()
    await house.start("web-1")
    index = house.daemon.engine.world
    with capture_logs() as lines:
        house.policy(MARK)
        (house.rules / "broken.yaml").write_text("policy: broken\n")
        os.kill(os.getpid(), signal.SIGHUP)
        await house.until("it is refused", lambda: any("not reloaded" in x["event"] for x in lines))
        assert set(index.index.policies) == {"stop-it"}
        (house.rules / "broken.yaml").unlink()
        os.kill(os.getpid(), signal.SIGHUP)
        await house.until(
            "it is adopted", lambda: set(index.index.policies) == {"stop-it", "mark-it"}
        )
    guest.event("BLOCK_IO_ERROR", {"device": "disk0"})
    assert await house.outcomes(1) == [("mark-it", "succeeded")]


async def test_a_changed_file_is_taken_over_by_itself(house: House, broker: Mosquitto) -> None:
    """Everybody is told how many policies there are now."""
    house.policy(STOP)
    house.settings = replace(house.settings, mqtt=MqttSettings(broker.url))
    with hears(broker) as subscriber:
        await house.start()
        await house.until("info is there", lambda: bool(said(subscriber, "info")))
        house.policy(MARK)
        await house.until("info is new", lambda: said(subscriber, "info")[-1]["policies"] == 2)
    infos = said(subscriber, "info")
    assert infos[0]["policies"] == 1
    assert infos[0]["revision"] != infos[-1]["revision"]


# -------------------------------------------------------------------- MQTT


async def test_what_happens_is_on_mqtt_as_the_page_says(house: House, broker: Mosquitto) -> None:
    """Retained or not, with its content type, its expiry and its qos."""
    house.policy(MARK)
    house.settings = replace(house.settings, mqtt=MqttSettings(broker.url))
    guest = await house.guest("two words")
    with Subscriber(broker.port, "reactor/#", qos=1) as subscriber:
        await house.start("two words")
        guest.event("BLOCK_IO_ERROR", {"device": "a/b", "big": 2**60})
        await house.until("it is over", lambda: bool(said(subscriber, "policy/mark-it/last")))
        await house.until("the alert is there", lambda: bool(said(subscriber, "alert")))
        messages = {m.topic.removeprefix("reactor/h/"): m for m in subscriber.messages}
    (event,) = said(subscriber, "guest/two-words/event/BLOCK_IO_ERROR")
    assert event["data"]["big_hex"] == "0x1000000000000000"
    message = messages["guest/two-words/event/BLOCK_IO_ERROR"]
    assert message.content_type == "application/cloudevents+json"
    assert message.expiry_s is not None
    assert 3500 < message.expiry_s <= 3600
    mark = said(subscriber, "guest/two-words/mark/disk/a-b/bad")[0]
    assert (mark["guest"], mark["id"]) == ("two words", "a/b")
    assert said(subscriber, "alert") == ["a/b"]
    assert messages["alert"].content_type == "text/plain; charset=utf-8"
    assert {m.qos for m in subscriber.messages} == {1}
    run = next(topic for topic in messages if topic.startswith("run/"))
    assert messages[run].expiry_s is not None
    with hears(broker) as late:
        await late.until(lambda: bool(said(late, "policy/mark-it/last")))
        kept = {m.topic.removeprefix("reactor/h/") for m in late.messages if m.retain}
    assert kept == {
        "availability",
        "info",
        "guest/two-words/availability",
        "guest/two-words/state",
        "guest/two-words/mark/disk/a-b/bad",
        "policy/mark-it/last",
    }
