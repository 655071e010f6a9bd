"""Breaks of a monitor in which all that is compared changes, kept as a journal and a recording.

    python -m tests.simulation.missed FOLDER

writes the golden ones, `journal-vN-compared.db` and `compared.jsonl`, anew. Commit them only
where a new version of the journal, or a new subject, is the reason: old ones must stay readable.
"""

import asyncio
import json
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from random import Random

from reactor.adapters.journal import Reader
from reactor.adapters.journal.schema import VERSION
from reactor.app.replay.writing import Part, Recorder
from reactor.core.subjects import RECOVERED
from reactor.core.subjects_devices import PERIPHERAL
from tests.simulation.loop import VirtualLoop
from tests.simulation.policies import built
from tests.simulation.stage import Stage, play

GUEST = "web-1"
PAUSE_S = 5.0
AWAY_S = 20.0
"""Seconds of virtual time."""

_TOLD = """
policy: told
description: Writes down what it is told.
mode: parallel
max: 1000
trigger: {event: [EVENTS]}
steps: [{publish: told, payload: '${event.name} ${event.synthetic} ${data}'}]
""".replace("EVENTS", ", ".join(sorted(RECOVERED)))

_WAITS = """
policy: waits
description: Waits for a port over a break.
trigger: {event: WAKEUP}
steps:
  - wait: {event: VSERPORT_CHANGE, where: 'data.id == "agent" && data.open', timeout: 5m}
  - publish: waited
"""

_FAILS = (
    _WAITS.replace("waits", "fails")
    .replace("VSERPORT_CHANGE", "QUORUM_FAILURE")
    .replace("""'data.id == "agent" && data.open'""", "'true'")
)

_ENDED = {"type": "backup", "len": 9, "offset": 9, "speed": 0}
Change = tuple[str, Mapping[str, object]]
CHANGES: Sequence[Change] = (
    ("VSERPORT_CHANGE", {"id": "agent", "open": True}),
    ("DEVICE_DELETED", {"device": "d1", "path": f"{PERIPHERAL}/d1"}),
    ("MEMORY_DEVICE_SIZE_CHANGE", {"id": "m1", "size": 4096, "qom-path": f"{PERIPHERAL}/m1"}),
    ("BALLOON_CHANGE", {"actual": 1 << 28}),
    (
        "ACPI_DEVICE_OST",
        {"info": {"slot": "0", "slot-type": "DIMM", "source": 3, "status": 1}},
    ),
    ("BLOCK_WRITE_THRESHOLD", {"node-name": "n1", "amount-exceeded": 1, "write-threshold": 9}),
    ("BLOCK_IMAGE_CORRUPTED", {"device": "", "node-name": "n1", "msg": "x", "fatal": True}),
    ("DEVICE_TRAY_MOVED", {"device": "", "id": "cd0", "tray-open": True}),
    ("BLOCK_EXPORT_DELETED", {"id": "e1"}),
    ("PR_MANAGER_STATUS_CHANGED", {"id": "p1", "connected": False}),
    ("BLOCK_JOB_COMPLETED", {"device": "j1", **_ENDED}),
    ("JOB_STATUS_CHANGE", {"id": "j1", "status": "concluded"}),
    ("BLOCK_JOB_CANCELLED", {"device": "j2", **_ENDED}),
    ("JOB_STATUS_CHANGE", {"id": "j2", "status": "concluded"}),
    ("BLOCK_JOB_READY", {"device": "j3", **_ENDED, "type": "mirror"}),
    ("BLOCK_JOB_PENDING", {"id": "j4", "type": "backup"}),
    ("BLOCK_JOB_ERROR", {"device": "j5", "operation": "read", "action": "stop"}),
    ("MIGRATION", {"status": "active"}),
    ("MIGRATION_PASS", {"pass": 2}),
    (
        "BLOCK_IO_ERROR",
        {
            "device": "",
            "node-name": "n1",
            "operation": "write",
            "action": "stop",
            "nospace": True,
            "reason": "No space left on device",
        },
    ),
)
"""Each event of each subject."""


def _happen(stage: Stage, changes: Sequence[Change]) -> None:
    for name, data in changes:
        stage.qemus.event(GUEST, name, data)


async def _scene(stage: Stage) -> None:
    """Seen, missed over a break, missed over a restart; and waits that a break cuts."""
    qemu = stage.qemus.monitors[GUEST].guest.qemu
    assert qemu is not None
    qemu.belongings.ports["agent"] = False
    for name, data in CHANGES:
        qemu.belongings.foresee(name, data)
    half = len(CHANGES) // 2
    stage.start()
    await asyncio.sleep(PAUSE_S)
    _happen(stage, CHANGES[:3])  # seen as they come: no connect tells of them again
    await asyncio.sleep(PAUSE_S)
    _happen(stage, [("VSERPORT_CHANGE", {"id": "agent", "open": False}), ("WAKEUP", {})])
    await asyncio.sleep(PAUSE_S)
    stage.qemus.cut(GUEST, lose_commands=True, lose_replies=True)
    _happen(stage, [CHANGES[0], *CHANGES[3:half]])
    await asyncio.sleep(AWAY_S)
    await stage.stop()
    _happen(stage, CHANGES[half:])
    stage.start()
    await asyncio.sleep(AWAY_S)
    await stage.stop()
    await stage.wait_for_ends()


def make(folder: Path) -> tuple[Path, Path]:
    """The journal and the recording of it, in this folder; always the same."""
    loop = VirtualLoop()
    with tempfile.TemporaryDirectory(prefix="reactor-missed-") as own:
        policies = built(_TOLD, _WAITS, _FAILS)
        stage = Stage(loop, Path(own), {GUEST: {"tier": "prod"}}, policies, Random(0))
        with stage.patched():
            play(loop, _scene(stage))
        assert loop.faults == []
        journal = folder / f"journal-v{VERSION}-compared.db"
        with closing(sqlite3.connect(stage.disk.path)) as kept:
            kept.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            kept.execute("PRAGMA journal_mode = DELETE")
            kept.execute("VACUUM")
        shutil.copy(stage.disk.path, journal)
    recording = folder / "compared.jsonl"
    with closing(Reader(journal)) as reader, recording.open("wb") as stream:
        Recorder(reader, stream.write, Part(0.0, float("inf"), None)).write()
    return journal, recording


if __name__ == "__main__":
    for made in make(Path(sys.argv[1])):
        print(json.dumps({"file": str(made), "bytes": made.stat().st_size}))
