"""Journals of all versions that there ever were, made by the code of their time."""

import shutil
from pathlib import Path

import pytest

from reactor.adapters.journal import Batch, IntentRow, Limits, OutcomeRow, Reader, findings
from reactor.adapters.journal.schema import MIGRATIONS, VERSION
from tests.adapters.journal.support import connected, opened

pytestmark = pytest.mark.asyncio

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


def content(path: Path) -> dict[str, object]:
    """All that a reader can say of the golden rows."""
    reader = Reader(path)
    try:
        return {
            "history": reader.history(0, 100),
            "state": reader.state(),
            "traces": [reader.traces("golden-2"), reader.refusals("p", "web-1", 0, 2e9, 10)],
            "intents": [reader.intents("golden-1"), reader.intents("golden-2")],
            "open": [intent.command for intent in reader.open_intents()],
            "outbox": reader.outbox(0, 100),
            "runs": reader.runs(10),
            "revision": reader.revision("0123456789ab"),
        }
    finally:
        reader.close()


@pytest.mark.parametrize("version", [migration.version for migration in MIGRATIONS])
async def test_a_journal_of_an_older_version_loses_nothing(tmp_path: Path, version: int) -> None:
    """Brought up to date it says the same, goes on counting, and is sound."""
    path = tmp_path / "journal.db"
    shutil.copy(GOLDEN / f"journal-v{version}-rows.db", path)
    before = content(path)
    async with opened(path, Limits(outbox_rows=4)) as journal:
        assert content(path) == before == content(GOLDEN / f"journal-v{VERSION}-rows.db")
        assert journal.outbox.counters()["waiting"] == 3
        await journal.commit(
            Batch(
                intents=[IntentRow("golden-2.2", 1.8e9, "web-1", "cont", b"{}", "golden-2")],
                outcomes=[OutcomeRow("golden-2.1", 1.8e9, "done")],
            )
        )
        assert [i.id for i in journal.reader.open_intents()] == ["golden-2.2"]
    with connected(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert findings(path) == []
