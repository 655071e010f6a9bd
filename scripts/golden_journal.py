"""Makes ``tests/golden/journal-v<N>-rows.db``: a row of every kind, by the journal's own code.

Run it with the code of the commit before the schema's version is raised, and keep the file:

    git worktree add /tmp/before COMMIT
    PYTHONPATH=/tmp/before python scripts/golden_journal.py

It uses what all versions of the journal have had from the first one on.
"""

import asyncio
import sqlite3
from pathlib import Path

from reactor.adapters import journal as code
from reactor.adapters.journal import (
    Batch,
    InputRow,
    IntentRow,
    Journal,
    OutboxRow,
    OutcomeRow,
    RunRow,
)
from reactor.adapters.journal.schema import VERSION
from reactor.core.effect import Keep, Trace

AT = 1_795_860_000.0
GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden"


def batch() -> Batch:
    """A guest that panicked: its run is open, in the middle of a reset that nobody answered."""
    return Batch(
        inputs=[
            InputRow(AT, "web-1", "event", "GUEST_PANICKED", b'{"type":"event"}'),
            InputRow(AT + 1, "web-1", "event", "STOP", b'{"type":"event"}'),
        ],
        keeps=[
            Keep("run", "golden-2", b'{"id":"golden-2","revision":"0123456789ab"}'),
            Keep("mark", "web-1/disk/disk0/bad", b'{"guest":"web-1"}'),
            Keep("ledger", "golden-1", b'{"run":"golden-1"}'),
            Keep("window", "p|web-1", b'{"times":[1795860000.0]}'),
        ],
        traces=[
            Trace(AT, "p", "web-1", "steps/0", "begun", "guest: reset", "golden-2", {"n": 1}),
            Trace(AT, "p", "web-1", "limit", "limited", "1 per 1h per guest"),
        ],
        intents=[
            IntentRow("golden-1.1", AT, "web-1", "cont", b"{}", "golden-1"),
            IntentRow("golden-2.1", AT + 2, "web-1", "system_reset", b"{}", "golden-2"),
        ],
        outcomes=[OutcomeRow("golden-1.1", AT + 1, "done", b"{}")],
        messages=[
            OutboxRow("r/h/alert", b"lasting"),
            OutboxRow("r/h/state", b"retained", retain=True),
            OutboxRow("r/h/event", b"passing", expiry_s=3600.0, properties={"a": "b"}),
        ],
        runs=[
            RunRow("golden-1", "p", "web-1", "ended", "succeeded", "", AT, AT + 1),
            RunRow("golden-2", "p", "web-1", "running", "", "", AT + 1),
        ],
        revisions=[("0123456789ab", "p", "policy: p\n")],
    )


async def make(path: Path) -> None:
    """Write the journal, and close it as a daemon does that is stopped in order."""
    journal = Journal.open(path, now=lambda: AT)
    await journal.commit(batch())
    await journal.close()


if __name__ == "__main__":
    made = GOLDEN / f"journal-v{VERSION}-rows.db"
    asyncio.run(make(made))
    Path(f"{made}.lock").unlink()
    with sqlite3.connect(made) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    print(f"{made} by {code.__file__}")
