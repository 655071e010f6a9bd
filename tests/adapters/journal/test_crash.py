"""What a kill -9 leaves behind."""

import subprocess
import sys
from pathlib import Path

from reactor.adapters.journal import Journal
from tests.adapters.journal import committer
from tests.adapters.journal.support import now, numbers

ROUNDS = 3


def commit_and_kill(path: Path, first: int, enough: int) -> list[int]:
    """The numbers whose commits returned in a process that was then killed."""
    with subprocess.Popen(
        [sys.executable, committer.__file__, str(path), str(first)],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
    ) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(enough)]
        child.kill()
        lines += child.stdout.readlines()
    return [int(line) for line in lines if line.endswith(b"\n")]


def test_whatever_a_commit_said_survives_kill_9(tmp_path: Path) -> None:
    """Every number that was told is in all the tables, whole batches only, round after round."""
    path = tmp_path / "journal.db"
    told: list[int] = []
    for kill in range(ROUNDS):
        # Another number of commits each time, so that the kill hits other moments.
        told += commit_and_kill(path, len(told) + kill * 1000, 100 + 150 * kill)
        journal = Journal.open(path, now=now)
        stored = numbers(journal)
        state = sorted(int(key) for _, key, _ in journal.reader.state())
        intents = sorted(int(row.id.removeprefix("i-")) for row in journal.reader.open_intents())
        topics = [int(m.topic.removeprefix("t/")) for m in journal.reader.outbox(0, 100_000)]
        journal.close_now()
        assert len(told) > 100 * kill
        assert set(told) <= set(stored)
        assert len(stored) == len(set(stored))
        assert sorted(stored) == state == intents
        assert topics == stored
