"""Rows of many batches, written in as few SQLite steps as possible.

Each step gives up the interpreter lock and must win it back. Beside a thread
that computes without a pause this takes ``sys.getswitchinterval()`` (5 ms):
1,000 rows by ``executemany`` took 2 to 4 s, in steps of 100 rows 0.06 s. So
every statement here takes many rows at once: as many as there are, and empty ones
up to the next of few sizes.
"""

import sqlite3
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TypeVar

import msgspec

from reactor.adapters.journal.rows import Batch, InputRow

T = TypeVar("T")
Row = tuple[object, ...]

RUN_COLUMNS = (
    "policy",
    "guest",
    "state",
    "outcome",
    "error",
    "started",
    "ended",
    "admitted",
    "body",
)

_FIXED = frozenset({"policy", "guest"})
"""What never changes of a run: an index of it is written once then."""

# Few sizes, so that SQLite's compiled statements are found again.
STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)


def write(
    connection: sqlite3.Connection, inputs: Sequence[InputRow], batches: Sequence[Batch]
) -> None:
    """The inputs, and all of the batches but their own inputs and messages.

    Belongs inside the caller's transaction.

    Raises:
        sqlite3.Error, TypeError, ValueError, OverflowError: nothing is undone here.
    """
    write_rows(
        connection,
        "INSERT INTO history(at, guest, kind, name, body)",
        [(row.at, row.guest, row.kind, row.name, row.body) for row in inputs],
    )
    _keeps(connection, batches)
    _traces(connection, batches)
    _intents(connection, batches)
    _outcomes(connection, batches)
    _runs(connection, batches)
    _revisions(connection, batches)
    _loaded(connection, batches)


def write_rows(
    connection: sqlite3.Connection, head: str, rows: Sequence[Row], tail: str = ""
) -> sqlite3.Cursor | None:
    """The cursor of the last step, None without rows; ``head`` ends before the rows."""
    cursor = None
    for some in batched(rows):
        width, step = len(some[0]), step_of(len(some))
        values = [value for row in some for value in row]
        values += [None] * (width * (step - len(some)))
        cursor = connection.execute(_statement(head, tail, width, step), (*values, len(some)))
    return cursor


def batched(values: Sequence[T]) -> Iterable[Sequence[T]]:
    """As many at once as one statement takes."""
    return (values[start : start + STEPS[-1]] for start in range(0, len(values), STEPS[-1]))


def step_of(number: int) -> int:
    """How many places the statement for so many has."""
    return STEPS[bisect_left(STEPS, number)]


@cache
def _statement(head: str, tail: str, width: int, rows: int) -> str:
    row = f"({', '.join('?' * width)})"
    some = ", ".join([row] * rows)
    return f"{head} SELECT * FROM (VALUES {some}) LIMIT ? {tail}"  # noqa: S608 - texts of ours


def delete(
    connection: sqlite3.Connection, head: str, values: Iterable[object], *first: object
) -> int:
    """How many rows went; ``head`` ends before IN, ``first`` are its own values."""
    gone = 0
    for some in batched(list(values)):
        step = step_of(len(some))
        marks = ", ".join("?" * step)
        nothing = [None] * (step - len(some))
        gone += connection.execute(f"{head} IN ({marks})", (*first, *some, *nothing)).rowcount
    return gone


def count(connection: sqlite3.Connection, counters: dict[str, int]) -> None:
    """The counters have these values."""
    write_rows(
        connection,
        "INSERT INTO counter(name, value)",
        list(counters.items()),
        "ON CONFLICT(name) DO UPDATE SET value = excluded.value",
    )


def _keeps(connection: sqlite3.Connection, batches: Sequence[Batch]) -> None:
    last = {(keep.kind, keep.key): keep.value for batch in batches for keep in batch.keeps}
    write_rows(
        connection,
        "INSERT INTO state(kind, key, value)",
        [(*key, value) for key, value in last.items() if value is not None],
        "ON CONFLICT(kind, key) DO UPDATE SET value = excluded.value",
    )
    # One kind at a time: for pairs, (kind, key) IN (VALUES ...), SQLite reads the whole table.
    gone = defaultdict(list)
    for (kind, key), value in last.items():
        if value is None:
            gone[kind].append(key)
    for kind, keys in gone.items():
        delete(connection, "DELETE FROM state WHERE kind = ? AND key", keys, kind)


def _traces(connection: sqlite3.Connection, batches: Sequence[Batch]) -> None:
    write_rows(
        connection,
        'INSERT INTO trace(at, run, policy, guest, path, verdict, reason, "values")',
        [
            (
                trace.at,
                trace.run,
                trace.policy,
                trace.guest,
                trace.path,
                trace.verdict,
                trace.reason,
                msgspec.json.encode(trace.values).decode(),
            )
            for batch in batches
            for trace in batch.traces
        ],
    )


def _intents(connection: sqlite3.Connection, batches: Sequence[Batch]) -> None:
    write_rows(
        connection,
        "INSERT INTO intent(id, at, guest, command, arguments, run)",
        [
            (row.id, row.at, row.guest, row.command, row.arguments, row.run)
            for batch in batches
            for row in batch.intents
        ],
    )


def _outcomes(connection: sqlite3.Connection, batches: Sequence[Batch]) -> None:
    first: dict[str, Row] = {}
    for batch in batches:
        for row in batch.outcomes:
            first.setdefault(row.id, (row.id, row.outcome, row.detail, row.at))
    write_rows(
        connection,
        "UPDATE intent SET outcome = new.column2, detail = new.column3, ended = new.column4 FROM (",
        list(first.values()),
        ") AS new WHERE intent.id = new.column1 AND intent.outcome IS NULL",
    )


def _runs(connection: sqlite3.Connection, batches: Sequence[Batch]) -> None:
    last = {row.id: row for batch in batches for row in batch.runs}
    write_rows(
        connection,
        f"INSERT INTO run(id, {', '.join(RUN_COLUMNS)})",
        [
            (
                row.id,
                row.policy,
                row.guest,
                row.state,
                row.outcome,
                row.error,
                row.started,
                row.ended,
                row.admitted,
                row.body,
            )
            for row in last.values()
        ],
        "ON CONFLICT(id) DO UPDATE SET "
        + ", ".join(f"{name} = excluded.{name}" for name in RUN_COLUMNS if name not in _FIXED),
    )


def _revisions(connection: sqlite3.Connection, batches: Sequence[Batch]) -> None:
    write_rows(
        connection,
        "INSERT INTO revision(revision, policy, source)",
        [revision for batch in batches for revision in batch.revisions],
        "ON CONFLICT(revision) DO NOTHING",
    )


def _loaded(connection: sqlite3.Connection, batches: Sequence[Batch]) -> None:
    """A row for each policy that came into force, changed or went; none for the others."""
    for loaded in filter(None, (batch.loaded for batch in batches)):
        rows = connection.execute(
            # SQLite gives the revision of the row that has the maximum.
            "SELECT policy, revision, max(at) FROM loaded GROUP BY policy"
        )
        before = {policy: revision for policy, revision, _ in rows if revision}
        gone = dict.fromkeys(before.keys() - loaded.revisions.keys(), "")
        write_rows(
            connection,
            "INSERT OR REPLACE INTO loaded(policy, at, revision)",
            [
                (policy, loaded.at, revision)
                for policy, revision in ({**loaded.revisions, **gone}).items()
                if before.get(policy) != revision
            ],
        )
