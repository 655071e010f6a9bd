"""A command in doubt on a real QEMU: found out about, done once, and the run goes on."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from reactor.app.settings import Discovery, DumpsSettings
from reactor.demo import bootcode
from reactor.demo.guests import GuestPlan
from reactor.demo.lab import Lab
from tests.lab.cutting import Line
from tests.lab.lab import Audit
from tests.lab.rig import Rig, rig
from tests.lab.test_panic import FREE

pytestmark = pytest.mark.asyncio

PANICS_ONCE = GuestPlan(boot=bootcode.guest_code(panics=1))


@contextlib.asynccontextmanager
async def _broken_line(
    lab: Lab, tmp_path: Path, command: str, *, arrives: bool
) -> AsyncIterator[tuple[Rig, Audit, Line]]:
    """A guest that panics once behind a line that breaks at this command."""
    guest = await lab.guest("web-1", PANICS_ONCE)
    behind = lab.folder / "line"
    behind.mkdir()
    line = Line(behind / "web-1.sock", guest, command, arrives=arrives)
    await line.open()
    try:
        discoveries = (Discovery(str(behind / "*.sock")),)
        async with rig(lab, tmp_path, [FREE], discoveries=discoveries) as host:
            audit = Audit(guest)
            await host.watches("web-1")
            await guest.run()
            yield host, audit, line
            await guest.up(within=30)
    finally:
        await line.close()


def _found(host: Rig) -> list[str]:
    """What the probes found, up to the colon."""
    (run,) = host.ended()
    traces = host.running.journal.reader.traces(run.id)
    return [row.trace.reason.partition(":")[0] for row in traces if row.trace.verdict == "probed"]


@pytest.mark.parametrize(
    ("command", "arrives", "found"),
    [
        pytest.param("dump-guest-memory", True, "done", id="dump: obeyed"),
        pytest.param("dump-guest-memory", False, "not done", id="dump: never there"),
        pytest.param("system_reset", True, "done", id="reset: obeyed"),
        pytest.param("system_reset", False, "not done", id="reset: never there"),
        pytest.param("cont", True, "done", id="cont: obeyed"),
        pytest.param("cont", False, "not done", id="cont: never there"),
    ],
)
async def test_a_line_that_breaks_at_a_command(
    lab: Lab, tmp_path: Path, command: str, arrives: bool, found: str
) -> None:
    """One dump, one reset, the guest runs, and the trace says what was found."""
    async with _broken_line(lab, tmp_path, command, arrives=arrives) as (host, audit, line):
        assert await host.outcomes(1, within=40) == ["succeeded"]
        assert line.broken.is_set()
        assert _found(host) == [found]
        assert audit.host_resets() == 1
        assert len(audit.events("DUMP_COMPLETED")) == 1
        assert len(host.dumps()) == 1


async def test_reactor_stopped_while_qemu_does_not_answer(lab: Lab, tmp_path: Path) -> None:
    """QEMU hangs in the opening of its dump; the next start finds that it was done."""
    hang = tmp_path / "hang"
    os.mkfifo(hang, 0o600)
    dumps = DumpsSettings(tmp_path / "dumps", frozenset({str(hang)}))
    text = FREE.replace('"${guest.name}-${run.id}.kdump"', str(hang)).replace("kdump-zlib", "elf")
    async with rig(lab, tmp_path, [text], dumps=dumps) as host:
        guest = await lab.guest("web-1", PANICS_ONCE)
        audit = Audit(guest)
        await host.watches("web-1")
        await guest.run()

        def sent() -> bool:
            runs = host.running.engine.world.runs.values()
            intents = [run.cursor.intent for run in runs if run.cursor.sent]
            asked = any(i is not None and i.command == "dump-guest-memory" for i in intents)
            calls = host.running.dispatcher._calls  # noqa: SLF001 - on its way, not only decided
            return asked and calls.in_flight > 0

        await host.until("the dump was asked for", sent)
        await host.stop()
        reader = asyncio.create_task(asyncio.to_thread(hang.read_bytes))
        await host.start()
        assert await host.outcomes(1, within=40) == ["succeeded"]
        assert len(await reader) > 0
        assert _found(host) == ["done"]
        assert audit.host_resets() == 1
        await guest.up(within=30)
