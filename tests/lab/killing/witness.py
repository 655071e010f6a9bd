"""Who remembers what was to be published: SQLite itself, in a table that the daemon does not know.

The journal forgets a message when the broker has it. Whether it forgot one too early only somebody
can tell who wrote it down when it was promised: a trigger does, in the transaction that promises.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from reactor.adapters.journal import Journal
from tests.lab.killing.ledger import Owed

_WAIT_S = 10.0


def install(journal: Path) -> None:
    """Make the journal, and let it write down every message that is put into its outbox."""
    Journal.open(journal, now=time.time).close_now()
    with _opened(journal) as connection:
        connection.execute(
            "CREATE TABLE witness(seq INTEGER PRIMARY KEY, at REAL, topic TEXT, payload BLOB, "
            "retain INTEGER)"
        )
        connection.execute(
            "CREATE TRIGGER witness AFTER INSERT ON outbox BEGIN INSERT INTO witness "
            "VALUES (new.seq, new.at, new.topic, new.payload, new.retain); END"
        )


def owed(journal: Path) -> Sequence[Owed]:
    """What the outbox promised and holds no more, in its order."""
    with _opened(journal) as connection:
        rows = connection.execute(
            "SELECT seq, at, topic, payload, retain FROM witness "
            "WHERE seq NOT IN (SELECT seq FROM outbox) ORDER BY seq"
        ).fetchall()
    return [Owed(seq, at, topic, bytes(load), bool(kept)) for seq, at, topic, load, kept in rows]


@contextlib.contextmanager
def _opened(journal: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(journal, timeout=_WAIT_S, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()
