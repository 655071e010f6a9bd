"""Monitors, brokers and the daemon itself come and go; nothing is lost and nothing is forgotten."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from reactor.adapters.journal import Reader
from reactor.app.settings import DumpsSettings
from reactor.demo import bootcode
from reactor.demo.control import Control
from reactor.demo.guests import Guest, GuestPlan
from reactor.demo.lab import Lab
from tests.fakes.broker import Mosquitto
from tests.lab.lab import Audit, Fifo
from tests.lab.rig import rig
from tests.lab.test_panic import FREE

pytestmark = pytest.mark.asyncio

PANIC = "panic-dump-reset"


def _broker(tmp_path: Path) -> Mosquitto:
    folder = tmp_path / "broker"
    folder.mkdir()
    return Mosquitto(folder)


async def test_a_monitor_that_somebody_else_holds(lab: Lab, tmp_path: Path) -> None:
    """It is said, with the fix; the others go on; when it is free reactor takes it."""
    held = await lab.guest("held-1")
    other = await Control.connect("held-1", held.monitor)
    with capture_logs() as lines:
        async with rig(lab, tmp_path) as host:
            await lab.guest("web-1")
            await host.watches("web-1")
            await host.until(
                "it is said", lambda: any(x["event"] == "monitor cannot be used" for x in lines)
            )
            line = next(x for x in lines if x["event"] == "monitor cannot be used")
            assert line["guest"] == "held-1"
            assert "another client holds this monitor" in line["problem"]
            await other.close()
            await host.watches("held-1")


async def test_a_broker_that_is_killed_and_comes_back(lab: Lab, tmp_path: Path) -> None:
    """What happened meanwhile arrives afterwards, and retained state stands again."""
    with _broker(tmp_path) as broker:
        async with rig(lab, tmp_path, broker=broker) as host:
            guest = await lab.guest("web-1")
            await host.watches("web-1")
            await host.until("online", lambda: host.heard("availability") == ["online"])
            broker.kill()
            await guest.run()
            assert await host.outcomes(1, PANIC) == ["succeeded"]
            assert host.heard("alert/info") == []
            broker.start()
            await host.until("the alert arrives", lambda: bool(host.heard("alert/info")), 30)
            await host.until("online again", lambda: host.heard("availability")[-1:] == ["online"])
            await host.until(
                "the guest's state stands again",
                lambda: (
                    host.heard("guest/web-1/state")[-1:] != []
                    and host.heard("guest/web-1/state")[-1]["status"] == "running"
                ),
            )
            assert len(host.heard("guest/web-1/event/GUEST_PANICKED")) == 1
            counters = host.running.journal.outbox.counters()
            await host.until(
                "the outbox is empty",
                lambda: host.running.journal.outbox.counters()["waiting"] == 0,
            )
            assert sum(n for name, n in counters.items() if name != "waiting") == 0


async def test_no_broker_at_the_start_is_no_reason_not_to_react(lab: Lab, tmp_path: Path) -> None:
    """The run is the same; its messages wait."""
    broker = _broker(tmp_path)
    with broker:
        port_only = broker
    async with rig(lab, tmp_path, broker=None, mqtt=_mqtt(port_only)) as host:
        guest = await lab.guest("web-1")
        await host.watches("web-1")
        await guest.run()
        assert await host.outcomes(1, PANIC) == ["succeeded"]
        assert host.running.journal.outbox.counters()["waiting"] > 0


def _mqtt(broker: Mosquitto) -> object:
    from reactor.app.settings import MqttSettings  # noqa: PLC0415

    return MqttSettings(broker.url)


async def test_a_graceful_stop_leaves_the_run_resumable(lab: Lab, tmp_path: Path) -> None:
    """Stopped while the dump runs, started again: the same run goes on to its end."""
    fifo = Fifo(tmp_path / "hang")
    dumps = DumpsSettings(tmp_path / "dumps", frozenset({str(tmp_path / "hang")}))
    text = FREE.replace('"${guest.name}-${run.id}.kdump"', str(tmp_path / "hang"))
    async with rig(lab, tmp_path, [text.replace("kdump-zlib", "elf")], dumps=dumps) as host:
        guest = await lab.guest("web-1")
        audit = Audit(guest)
        await host.watches("web-1")
        await guest.run()
        await fifo.begun()
        await host.stop()
        drained = asyncio.create_task(fifo.drain())
        await audit.event("DUMP_COMPLETED")
        await drained
        await host.start()
        assert await host.outcomes(1) == ["succeeded"]
        await guest.up()
        assert audit.host_resets() == 1
    fifo.close()


async def test_kill_9_of_the_daemon_in_the_middle_of_a_run(lab: Lab, tmp_path: Path) -> None:
    """The run goes on after the restart; there is one dump and one reset in all."""
    fifo = Fifo(tmp_path / "hang")
    settings = _settings(lab, tmp_path)
    guest = await lab.guest("web-1")
    audit = Audit(guest)
    first = await _reactor(settings)
    try:
        await audit_armed(tmp_path)
        await guest.run()
        await fifo.begun()
    finally:
        first.kill()
        await first.wait()
    drained = asyncio.create_task(fifo.drain())
    await audit.event("DUMP_COMPLETED")
    await drained
    await _goes_on(settings, guest)
    assert audit.host_resets() == 1
    assert len(audit.events("DUMP_COMPLETED")) == 1
    reader = Reader(tmp_path / "journal.db")
    runs = reader.runs(10)
    reader.close()
    assert [run.outcome for run in runs] == ["succeeded"]
    fifo.close()


async def _goes_on(settings: Path, guest: Guest) -> None:
    """Start the daemon again, until the guest is up; stopped in order it exits with 0."""
    process = await _reactor(settings)
    try:
        await guest.up(within=30)
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0


def _settings(lab: Lab, tmp_path: Path) -> Path:
    rules = tmp_path / "rules"
    rules.mkdir()
    text = FREE.replace('"${guest.name}-${run.id}.kdump"', str(tmp_path / "hang"))
    (rules / "p.yaml").write_text(text.replace("kdump-zlib", "elf"))
    settings = tmp_path / "reactor.yaml"
    settings.write_text(
        f"guests: [{{discover: '{lab.pattern}'}}]\nrules: ['{rules}']\n"
        f"journal: {{path: '{tmp_path}/journal.db'}}\nhost: {{name: lab}}\n"
        f"dumps: {{folder: '{tmp_path}/dumps', allow: ['{tmp_path}/hang']}}\n"
    )
    return settings


async def _reactor(settings: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "reactor",
        "run",
        "-c",
        str(settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def audit_armed(tmp_path: Path) -> None:
    """Return when the journal says that `set-action` was answered."""
    from reactor.demo.waiting import until  # noqa: PLC0415

    def armed() -> bool:
        path = tmp_path / "journal.db"
        if not path.exists():
            return False
        try:
            reader = Reader(path)
        except Exception:  # noqa: BLE001 - the daemon is still making the file
            return False
        try:
            return any(
                row.kind == "answered" and b"-1." in row.body for row in reader.history(0, 1000)
            )
        finally:
            reader.close()

    await until("the policy is armed", armed, 20)


async def test_broken_rules_at_a_reload_leave_the_old_ones_in_force(
    lab: Lab, tmp_path: Path
) -> None:
    """It is said, the guest is still brought back; mended rules are taken over."""
    with capture_logs() as lines:
        async with rig(lab, tmp_path, [FREE]) as host:
            plan = GuestPlan(boot=bootcode.guest_code(panics=1))
            guest = await lab.guest("web-1", plan)
            await host.watches("web-1")
            (tmp_path / "rules" / "1.yaml").write_text("policy: broken\nstep: []\n")
            await host.until(
                "it is said",
                lambda: any("rules not reloaded" in str(x["event"]) for x in lines),
            )
            await guest.run()
            assert await host.outcomes(1) == ["succeeded"]
            (tmp_path / "rules" / "1.yaml").write_text(
                FREE.replace("policy: free", "policy: second")
            )
            await host.until(
                "it is reloaded", lambda: any(x["event"] == "rules reloaded" for x in lines)
            )
            await host.until(
                "it is adopted",
                lambda: sorted(host.running.engine.world.index.policies) == ["free", "second"],
            )


async def test_the_tail_of_events_is_json_that_anybody_can_read(lab: Lab, tmp_path: Path) -> None:
    """The journal holds every event with QEMU's data, also those that match no policy."""
    async with rig(lab, tmp_path, []) as host:
        guest = await lab.guest("web-1")
        await host.watches("web-1")
        await guest.run()

        def seen() -> list[str]:
            rows = host.running.journal.reader.history(0, 1000)
            return [row.name for row in rows if row.kind == "event"]

        # Nobody armed it: by default a panic ends QEMU.
        await host.until("the panic is in the journal", lambda: "SHUTDOWN" in seen())
        rows = host.running.journal.reader.history(0, 1000, name="GUEST_PANICKED")
        assert json.loads(rows[0].body)["event"]["data"] == {"action": "poweroff"}
