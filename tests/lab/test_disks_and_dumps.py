"""QUORUM_REPORT_BAD, QUORUM_FAILURE and DUMP_COMPLETED on the real programs."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from reactor.app.settings import Discovery
from reactor.demo import bootcode
from reactor.demo.guests import GuestPlan
from reactor.demo.lab import Lab
from tests.fakes.broker import Mosquitto, Subscriber
from tests.lab.rig import HOST, Rig, rig
from tests.lab.shipped import shipped

pytestmark = pytest.mark.asyncio

DUMPED = """
policy: dump-completed
description: Tell people of a dump that somebody took.
trigger: {event: DUMP_COMPLETED}
steps:
  - publish: dumped
    payload: {guest: '${guest.name}', status: '${data.result.status}', own: '${event.own}'}
"""

RESUMED = """
policy: resumed
description: Do something whenever a guest goes on.
trigger: {event: RESUME}
steps:
  - log: it goes on
"""


def sent(host: Rig) -> set[str]:
    """The commands that change something and were ever meant to be sent."""
    with contextlib.closing(sqlite3.connect(host.settings.journal.path)) as journal:
        return {name for (name,) in journal.execute("SELECT command FROM intent")}


def _broker(tmp_path: Path) -> Mosquitto:
    folder = tmp_path / "broker"
    folder.mkdir()
    return Mosquitto(folder)


async def test_a_bad_copy_is_marked_and_told_once(lab: Lab, tmp_path: Path) -> None:
    """The mark is retained on the broker, names the copy, and further reports are no new alert."""
    with _broker(tmp_path) as broker:
        async with rig(lab, tmp_path, broker=broker) as host:
            disk = lab.disk("disk0")
            store = await lab.storage_daemon("store-1", disk)
            await host.watches("store-1")
            disk.spoil(1)
            assert await store.read_disk("disk0") is None
            assert await host.outcomes(1, "quorum-report-bad") == ["succeeded"]
            await store.read_disk("disk0")
            topic = "guest/store-1/event/QUORUM_REPORT_BAD"
            await host.until("the second report arrives", lambda: len(host.heard(topic)) >= 2)
            (alert,) = host.heard("alert/warning")
            assert (alert["copy"], alert["disk"]) == ("disk0-copy1", "disk0")
            marks = list(host.running.engine.world.marks)
            assert [(m.guest, m.kind, m.id, m.word) for m in marks] == [
                ("store-1", "disk", "disk0-copy1", "degraded")
            ]
            late = Subscriber(broker.port, f"reactor/{HOST}/guest/+/mark/#")
            late.start()
            await late.until(lambda: bool(late.messages))
            late.stop()
            assert late.messages[0].retain
            assert late.messages[0].topic.endswith("/mark/disk/disk0-copy1/degraded")


async def test_a_lost_majority_calls_people_and_touches_nothing(lab: Lab, tmp_path: Path) -> None:
    """An alert and a mark; the only commands are queries."""
    with _broker(tmp_path) as broker:
        async with rig(lab, tmp_path, broker=broker) as host:
            disk = lab.disk("disk0")
            store = await lab.storage_daemon("store-1", disk)
            await host.watches("store-1")
            disk.spoil(1, 2)
            assert await store.read_disk("disk0") is not None
            assert await host.outcomes(1, "quorum-failure") == ["succeeded"]
            await host.until("people are called", lambda: bool(host.heard("alert/critical")))
            (alert,) = host.heard("alert/critical")
            assert alert["disk"] == "disk0"
            marks = list(host.running.engine.world.marks)
            assert [m.word for m in marks if m.id == "disk0"] == ["failed"]
            assert sent(host) == set()


async def test_a_lost_majority_may_be_that_of_another_disk_as_well(
    lab: Lab, tmp_path: Path
) -> None:
    """QEMU keeps quiet about the second disk; the guest is paused by its label, all hands off."""
    rules = [shipped("quorum-failure.yaml"), RESUMED]
    labelled = (Discovery(lab.pattern, {"on-quorum-failure": "stop"}),)
    with _broker(tmp_path) as broker:
        async with rig(lab, tmp_path, rules, broker=broker, discoveries=labelled) as host:
            data, logs = lab.disk("data"), lab.disk("logs")
            also = tuple(part for node in logs.blockdevs() for part in ("-blockdev", node))
            boot = bootcode.guest_code(panics=0)
            guest = await lab.guest("web-1", GuestPlan(boot=boot, options=also), disk=data)
            await host.watches("web-1")
            await guest.run()
            assert await host.outcomes(1, "resumed") == ["succeeded"]
            data.spoil(1, 2)
            logs.spoil(1, 2)
            # Within a second: the first is told, of the others the last.
            for name in ("data", "logs", "data"):
                await guest.control.hmp(f'qemu-io {name} "read 0 512"')
            assert set(await host.outcomes(1, "quorum-failure")) == {"succeeded"}
            # On a slow machine the second disk may have an event, and so a call of its own.
            await host.until(
                "people are called, and told to look at the other disk",
                lambda: ["logs"] in [one.get("disks") for one in host.heard("alert/critical")],
            )
            assert host.heard("alert/critical")[0]["disk"] == "data"
            assert await guest.control.status() == "paused"

            mark = guest.control.seen
            await guest.run()
            await guest.control.event("RESUME", after=mark)
            await guest.control.command("stop")
            topic = "guest/web-1/event/STOP"
            await host.until("the second STOP arrives", lambda: len(host.heard(topic)) == 2)
            assert len(host.ended("resumed")) == 1


async def test_a_dump_of_somebody_else_starts_a_policy(lab: Lab, tmp_path: Path) -> None:
    """An operator's dump is no effect of ours."""
    with _broker(tmp_path) as broker:
        async with rig(lab, tmp_path, [DUMPED], broker=broker) as host:
            guest = await lab.guest("web-1")
            await host.watches("web-1")
            arguments = {"paging": False, "detach": True, "protocol": f"file:{tmp_path}/theirs"}
            await guest.control.command("dump-guest-memory", arguments)
            assert await host.outcomes(1) == ["succeeded"]
            await host.until("it is told", lambda: bool(host.heard("dumped")))
            assert host.heard("dumped") == [{"guest": "web-1", "status": "completed", "own": False}]


async def test_our_own_dump_starts_no_policy(lab: Lab, tmp_path: Path) -> None:
    """Its DUMP_COMPLETED is recorded as own, and opens no trigger."""
    ours = """
policy: ours
description: dumps
trigger: {event: RESUME}
steps:
  - guest: dump
    to: ours.elf
    format: elf
"""
    with _broker(tmp_path) as broker:
        async with rig(lab, tmp_path, [DUMPED, ours], broker=broker) as host:
            guest = await lab.guest("web-1", GuestPlan(preserved=True))
            await host.watches("web-1")
            await guest.run()
            assert await host.outcomes(1, "ours") == ["succeeded"]
            topic = "guest/web-1/event/DUMP_COMPLETED"
            await host.until("the event arrives", lambda: bool(host.heard(topic)))
            assert host.heard(topic)[0]["own"] is True
            assert host.ended("dump-completed") == []
