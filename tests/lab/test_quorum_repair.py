"""The shipped repair of a quorum disk on the real programs: a spare takes a bad copy's place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reactor.adapters.control import Code, ask
from reactor.app.control.asks import GiveOrder
from reactor.app.settings import Discovery, QmpSettings
from reactor.core.marks import MarkKind
from reactor.core.orders import Approve, Order, SetMark
from reactor.core.run import Phase
from reactor.demo import bootcode
from reactor.demo.control import Control
from reactor.demo.disk import QuorumDisk
from reactor.demo.guests import GuestPlan
from reactor.demo.lab import Lab
from tests.fakes.broker import Mosquitto
from tests.lab.rig import Rig, rig
from tests.lab.shipped import shipped

pytestmark = pytest.mark.asyncio

REPORTS = shipped("quorum-report-bad.yaml")
REPAIR = shipped(
    "quorum-repair.yaml",
    {"backoff: [1s, 1s, 3s, 10s, 1m, 2m]": "backoff: [10ms, 10ms, 30ms, 100ms, 200ms, 200ms]"},
)
ASKED = Phase.WAITING_APPROVAL


@asynccontextmanager
async def repairing(
    lab: Lab, tmp_path: Path, repair: str = REPAIR, **labels: str
) -> AsyncIterator[Rig]:
    """A daemon that may repair every guest of the lab from ``lab.folder/spares``."""
    (lab.folder / "spares").mkdir()
    folder = tmp_path / "broker"
    folder.mkdir()
    labels = {"quorum-spares": str(lab.folder / "spares"), **labels}
    with Mosquitto(folder) as broker:
        async with rig(
            lab,
            tmp_path,
            [REPORTS, repair],
            broker=broker,
            discoveries=(Discovery(lab.pattern, labels),),
            qmp=QmpSettings(frozenset({"blockdev-add", "blockdev-del"})),
        ) as host:
            yield host


def spare(lab: Lab, guest: str, disk: QuorumDisk) -> Path:
    """The spare that lies ready for a disk, with nothing good in it."""
    path = lab.folder / "spares" / f"{guest}-{disk.name}.raw"
    path.write_bytes(b"?" * disk.size_bytes)
    return path


async def order(host: Rig, what: Order) -> None:
    """Give the daemon an order by its socket, as an operator does."""
    message = msgspec.json.encode(GiveOrder(what))
    answer = await asyncio.to_thread(ask, host.settings.control_socket, message)
    assert answer.code is Code.DONE, answer


async def approve(host: Rig) -> None:
    """Wait until an operator is asked, and say yes."""

    def asked() -> list[str]:
        return [r.id for r in host.running.engine.world.runs.values() if r.phase is ASKED]

    await host.until("an operator is asked", lambda: bool(asked()))
    await order(host, Approve(asked()[0], yes=True, comment="go on"))


async def wants(host: Rig, guest: str, copy: str) -> None:
    """Ask for the replacement of a copy, as an operator does who waits for no report."""
    await order(host, SetMark(guest, MarkKind.DISK.value, copy, "replace-me", "by hand", None))


async def copies(control: Control, disk: QuorumDisk) -> str:
    """How QEMU describes the disk: with the files of its copies."""
    nodes = await control.command("query-named-block-nodes", {"flat": True})
    (description,) = (n["file"] for n in nodes if n["node-name"] == disk.name)
    return str(description)


async def nodes(control: Control) -> list[str]:
    """The names of all block nodes that have one of their own."""
    found = await control.command("query-named-block-nodes", {"flat": True})
    return [node["node-name"] for node in found if not node["node-name"].startswith("#")]


def words(host: Rig, copy: str) -> list[str]:
    """The words of the marks of one copy."""
    return sorted(m.word for m in host.running.engine.world.marks if m.id == copy)


async def test_five_reports_and_a_yes_replace_the_bad_copy_of_a_guest_that_works(
    lab: Lab, tmp_path: Path
) -> None:
    """The guest reads on; afterwards no read is bad, and the spare is worth a vote."""
    async with repairing(lab, tmp_path) as host:
        disk = lab.disk("disk0")
        fresh = spare(lab, "web-1", disk)
        plan = GuestPlan(boot=bootcode.guest_code(panics=0, reads_disk=True))
        guest = await lab.guest("web-1", plan, disk=disk)
        await host.watches("web-1")
        disk.spoil(1)
        await guest.run()
        await guest.up()
        await approve(host)
        assert words(host, disk.node(1)) == ["degraded", "replace-me"]
        assert await host.outcomes(1, "quorum-repair") == ["succeeded"]
        swapped = await guest.control.event("BLOCK_JOB_COMPLETED")
        assert words(host, disk.node(1)) == []
        assert fresh.read_bytes() == disk.file(0).read_bytes()

        # Of three votes two are needed: the spare's is one of them now.
        disk.spoil(0)
        await guest.control.event("QUORUM_REPORT_BAD", lambda d: d["node-name"] == disk.node(0))
        await guest.alive()
        assert guest.failed_reads == 0
        late = [
            seen
            for seen in guest.control.events("QUORUM_REPORT_BAD")
            if seen.data["node-name"] == disk.node(1) and seen.occurred > swapped.occurred
        ]
        assert late == []
        assert await guest.control.command("query-jobs") == []
        await host.until("people are told", lambda: bool(host.heard("alert/info")))
        (told,) = host.heard("alert/info")
        assert told["copy"] == disk.node(1)


async def test_a_spare_that_fails_leaves_the_quorum_as_it_was(lab: Lab, tmp_path: Path) -> None:
    """Its node and the job are gone again, the mark stands, and people are called."""
    file = "${params.folder}/${slug(guest.name)}-${slug(params.disk)}.raw"
    broken = REPAIR.replace(
        f"driver: file\n        filename: {file}",
        "driver: blkdebug\n"
        "        inject-error: [{event: none, iotype: write, errno: 5, once: false}]\n"
        f"        image: {{driver: file, filename: '{file}'}}",
    )
    assert broken != REPAIR
    async with repairing(lab, tmp_path, broken) as host:
        disk = lab.disk("disk0")
        spare(lab, "store-1", disk)
        store = await lab.storage_daemon("store-1", disk)
        await host.watches("store-1")
        before = await copies(store.control, disk), await nodes(store.control)
        disk.spoil(1)
        assert await store.read_disk("disk0") is None
        assert await host.outcomes(1, "quorum-report-bad") == ["succeeded"]
        await wants(host, "store-1", disk.node(1))
        await approve(host)
        assert await host.outcomes(1, "quorum-repair") == ["failed"]
        after = await copies(store.control, disk), await nodes(store.control)
        assert after == before
        assert await store.control.command("query-jobs") == []
        assert words(host, disk.node(1)) == ["degraded"]
        assert await store.read_disk("disk0") is None
        await host.until("people are called", lambda: bool(host.heard("alert/critical")))
        (called,) = host.heard("alert/critical")
        assert called["error"] == "the spare could not be filled: Input/output error"


async def test_a_spare_that_has_become_a_copy_is_never_filled_again(
    lab: Lab, tmp_path: Path
) -> None:
    """QEMU holds it: the next repair fails before it begins, and harms nothing."""
    async with repairing(lab, tmp_path) as host:
        disk = lab.disk("disk0")
        fresh = spare(lab, "store-1", disk)
        store = await lab.storage_daemon("store-1", disk)
        await host.watches("store-1")
        disk.spoil(1)
        await wants(host, "store-1", disk.node(1))
        await approve(host)
        assert await host.outcomes(1, "quorum-repair") == ["succeeded"]
        filled = await copies(store.control, disk)
        assert str(fresh) in filled

        await wants(host, "store-1", disk.node(2))
        await approve(host)
        assert await host.outcomes(2, "quorum-repair") == ["succeeded", "failed"]
        assert 'Failed to get "write" lock' in host.ended("quorum-repair")[1].error
        assert await copies(store.control, disk) == filled
        assert await store.read_disk("disk0") is None
        assert disk.good(2)


async def test_a_restart_of_reactor_does_not_disturb_a_rebuild(lab: Lab, tmp_path: Path) -> None:
    """The same run looks after the same job to its end."""
    slow = {"quorum-repair-mib-s": "1"}
    async with repairing(lab, tmp_path, REPAIR, **slow) as host:
        disk = QuorumDisk(name="disk0", folder=lab.folder, size_bytes=16 << 20)
        disk.create()
        fresh = spare(lab, "store-1", disk)
        store = await lab.storage_daemon("store-1", disk)
        await host.watches("store-1")
        disk.spoil(1)
        await wants(host, "store-1", disk.node(1))
        await approve(host)
        begun = await store.control.event("JOB_STATUS_CHANGE", lambda d: d["status"] == "running")
        job = begun.data["id"]
        await store.control.command("job-pause", {"id": job})
        await host.stop()
        await host.start()
        await host.watches("store-1")
        assert host.ended("quorum-repair") == []
        await store.control.command("block-job-set-speed", {"device": job, "speed": 0})
        await store.control.command("job-resume", {"id": job})
        assert await host.outcomes(1, "quorum-repair") == ["succeeded"]
        jobs = {e.data["id"] for e in store.control.events("JOB_STATUS_CHANGE")}
        assert jobs == {job}
        assert fresh.read_bytes() == disk.file(0).read_bytes()
        assert str(fresh) in await copies(store.control, disk)


async def test_without_permission_or_a_spare_nothing_begins(lab: Lab, tmp_path: Path) -> None:
    """The alert says what is missing."""
    rules: dict[str, Any] = {
        "discoveries": (Discovery(lab.pattern, {"quorum-spares": "/nowhere"}),),
    }
    async with rig(lab, tmp_path, [REPAIR], **rules) as host:
        disk = lab.disk("disk0")
        store = await lab.storage_daemon("store-1", disk)
        await host.watches("store-1")
        before = await nodes(store.control)
        await wants(host, "store-1", disk.node(1))
        await approve(host)
        assert await host.outcomes(1, "quorum-repair") == ["failed"]
        assert "blockdev-add" in host.ended("quorum-repair")[0].error
        assert await nodes(store.control) == before
