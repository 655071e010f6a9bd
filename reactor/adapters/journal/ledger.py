"""What the outbox takes and what it drops, decided inside the writer's transaction.

The outbox holds a bounded number of messages. A message is *passing* when it is not
retained and either expires or has qos 0 (events, the progress of runs); all
others (alerts, retained state) are *lasting*. When the outbox is full:

1. passing messages whose expiry is over are removed (counted as ``expired``);
2. a new passing message is refused (``refused``);
3. a new retained message takes the place of the ones of its topic that still
   wait (``superseded``): only the last one would stay at the broker;
4. any other lasting message takes the place of the passing one that would
   expire first, qos 0 without expiry before all (``evicted``);
5. where all that waits is lasting, the new message is refused (``refused``).

Beyond the bound there are ``SPARE`` places for what tells of the drops themselves.
What leaves the outbox unsent later is counted too: too old by then (``expired``), or not
taken by the broker (``denied``).
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from reactor.adapters.journal import tables
from reactor.adapters.journal.rows import OutboxMessage, OutboxRow

COUNTERS = ("expired", "superseded", "evicted", "refused", "denied")

SPARE = 100
"""Places beyond the bound, only for rows that say so."""

_INSERT = (
    "INSERT INTO outbox"
    "(at, topic, payload, qos, retain, expires, content_type, properties, passing)"
)


@dataclass(slots=True)
class Ledger:
    """What the outbox holds and dropped: a copy is changed inside a transaction.

    ``last`` is the number of the newest message, 0 where none is known. ``fresh`` are the
    messages of this transaction; ``is_cut``: some had to give way in it.
    """

    most: int
    waiting: int = 0
    last: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    fresh: list[OutboxMessage] = field(default_factory=list)
    is_cut: bool = False

    @classmethod
    def read(cls, connection: sqlite3.Connection, most: int) -> "Ledger":
        """The ledger of a journal that was just opened."""
        waiting, last = connection.execute("SELECT count(*), max(seq) FROM outbox").fetchone()
        counters = dict(connection.execute("SELECT name, value FROM counter").fetchall())
        dropped = {name: counters.get(f"outbox.{name}", 0) for name in COUNTERS}
        return cls(most, waiting, last or 0, dropped)

    def copy(self) -> "Ledger":
        """One that can be changed and thrown away."""
        return replace(self, dropped=dict(self.dropped), fresh=[], is_cut=False)

    def counters(self) -> dict[str, int]:
        """The drops under the names of the table ``counter``."""
        return {f"outbox.{name}": value for name, value in self.dropped.items()}


def put(
    connection: sqlite3.Connection, ledger: Ledger, rows: Sequence[OutboxRow], now: float
) -> None:
    """The rows wait for the broker, as far as the outbox has room."""
    if ledger.waiting + len(rows) <= ledger.most:
        _insert(connection, ledger, rows, now)
        return
    ledger.is_cut = True
    gone = connection.execute(
        "DELETE FROM outbox WHERE passing = 1 AND expires <= ?", (now,)
    ).rowcount
    _drop(ledger, "expired", gone)
    for row in rows:
        if _has_room(connection, ledger, row):
            _insert(connection, ledger, [row], now)
        else:
            ledger.dropped["refused"] += 1


def remove(connection: sqlite3.Connection, ledger: Ledger, done: Mapping[int, str]) -> None:
    """These are through, by number: the counter of why they were dropped, empty for sent.

    Numbers that are not there are ignored: what is done twice is counted once.
    """
    for why in sorted(set(done.values())):
        seqs = sorted(seq for seq, fate in done.items() if fate == why)
        gone = tables.delete(connection, "DELETE FROM outbox WHERE seq", seqs)
        ledger.waiting -= gone
        if why:
            ledger.dropped[why] += gone


def _is_passing(row: OutboxRow) -> bool:
    return not row.retain and (row.qos == 0 or row.expiry_s is not None)


def _has_room(connection: sqlite3.Connection, ledger: Ledger, row: OutboxRow) -> bool:
    if ledger.waiting < ledger.most + (SPARE if row.spare else 0):
        return True
    if _is_passing(row):
        return False
    if row.retain:
        older = connection.execute(
            "DELETE FROM outbox WHERE retain = 1 AND topic = ?", (row.topic,)
        ).rowcount
        _drop(ledger, "superseded", older)
        if older:
            return True
    first = connection.execute(
        # NULL, a qos 0 message without expiry, sorts before all numbers.
        "DELETE FROM outbox WHERE seq = "
        "(SELECT seq FROM outbox WHERE passing = 1 ORDER BY expires LIMIT 1)"
    ).rowcount
    _drop(ledger, "evicted", first)
    return first > 0


def _drop(ledger: Ledger, reason: str, rows: int) -> None:
    ledger.waiting -= rows
    ledger.dropped[reason] += rows


def _insert(
    connection: sqlite3.Connection, ledger: Ledger, rows: Sequence[OutboxRow], now: float
) -> None:
    cursor = tables.write_rows(
        connection,
        _INSERT,
        [
            (
                now,
                row.topic,
                row.payload,
                row.qos,
                row.retain,
                None if row.expiry_s is None else now + row.expiry_s,
                row.content_type,
                msgspec.json.encode(row.properties).decode(),
                _is_passing(row),
            )
            for row in rows
        ],
    )
    if cursor is not None and cursor.lastrowid is not None:
        ledger.waiting += len(rows)
        ledger.last = cursor.lastrowid
        # AUTOINCREMENT and one writer: the rows of one statement follow each other.
        first = ledger.last + 1 - len(rows)
        ledger.fresh += [_message(row, seq, now) for seq, row in enumerate(rows, first)]


def _message(row: OutboxRow, seq: int, now: float) -> OutboxMessage:
    """The row as the reader would give it."""
    expires = None if row.expiry_s is None else now + row.expiry_s
    return OutboxMessage(
        seq,
        now,
        row.topic,
        row.payload,
        row.qos,
        row.retain,
        expires,
        row.content_type,
        row.properties,
    )
