"""What can be read of a damaged journal, in a new one."""

import math
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import UnionType
from typing import Final

import msgspec

from reactor.adapters.journal.copying import failed, publish, unfinished
from reactor.adapters.journal.files import Lock, demand
from reactor.adapters.journal.pages import Pages
from reactor.adapters.journal.schema import APPLICATION_ID, IDENTITY_LETTERS, VERSION, prepare
from reactor.adapters.journal.trees import Row, Tree, Value
from reactor.core.effect import Keep
from reactor.errors import JournalError

TABLES: Final = {
    "meta": (3, "key value"),
    "counter": (4, "name value"),
    "history": (5, "seq at guest kind name body"),
    "state": (7, "kind key value"),
    "trace": (8, 'seq at run policy guest path verdict reason "values"'),
    "intent": (10, "id at guest command arguments run outcome detail ended"),
    "outbox": (
        13,
        "seq at topic payload qos retain expires content_type properties passing",
    ),
    "run": (16, "seq id policy guest state outcome error started ended admitted body"),
    "revision": (18, "revision policy source"),
    "loaded": (25, "policy at revision"),
}
"""Where the tree of each table begins, and its columns. These places are those of every journal: a
file that can be shrunk keeps its roots in front, in the order in which they were made."""

_SORTED: Final = frozenset({"meta", "counter", "state", "loaded"})
"""Tables without row ids."""

_KEYED: Final = frozenset({"intent", "revision"})
"""Tables whose row id is not one of their columns."""

_JSON: Final = {"state": (2,), "history": (5,), "outbox": (8,), "trace": (8,), "intent": (4,)}
"""Columns that hold JSON; a body that is damaged in its midst shows there."""

_TEXTS: Final = {
    "state": (0, 1),
    "history": (2, 3, 4),
    "trace": (2, 3, 4, 5, 6, 7, 8),
    "intent": (0, 2, 3, 5),
    "outbox": (2, 7, 8),
    "run": (1, 2, 3, 4, 5, 6),
    "revision": (0, 1, 2),
    "loaded": (0, 2),
    "counter": (0,),
}
_NUMBERS: Final = {
    "history": (0, 1),
    "trace": (0, 1),
    "intent": (1,),
    "outbox": (0, 1, 4, 5, 9),
    "run": (0,),
    "loaded": (1,),
    "counter": (1,),
}
_BYTES: Final = {"state": (2,), "history": (5,), "intent": (4,), "outbox": (3,), "run": (10,)}

_PERHAPS: Final[dict[str, dict[int, type | UnionType]]] = {
    "intent": {6: str, 7: bytes, 8: float | int},
    "outbox": {6: float | int},
    "run": {7: float | int, 8: float | int, 9: float | int},
}
"""What a column holds where it holds anything."""

_ROWS: Final = 500


class Saved(msgspec.Struct, frozen=True):
    """What became of a journal: rows by table, and what could not be read.

    ``pages`` of the file could not be read, ``torn`` rows of those that could. ``missing`` are the
    rows of history and traces whose numbers lack between those that are there. ``dropped`` is state
    that was read and cannot be taken up.
    """

    rows: dict[str, int]
    pages: int
    torn: int
    missing: dict[str, int]
    dropped: list[str]

    @property
    def whole(self) -> bool:
        """Whether nothing was found to be lost."""
        return not (self.pages or self.torn or self.missing or self.dropped)


def salvage(
    path: Path,
    target: Path,
    *,
    now: float,
    unsound: Callable[[Sequence[Keep]], Iterable[Keep]] = lambda _rows: (),
) -> Saved:
    """Read what can be read into a new journal, which gets a name of its own.

    Its rows, marks and messages are those of the old one, as far as they could be read; new runs
    never get the id of one that was lost.

    Args:
        path: the damaged journal, with its ``-wal``. Nothing is written there.
        target: a file that does not exist.
        now: seconds since the epoch.
        unsound: those of the kept state that cannot be taken up.

    Raises:
        JournalError: it is used by a daemon, is no journal or a newer one, or nothing of it can be
            read; the target exists or cannot be written.
    """
    demand(path, os.R_OK)
    lock = Lock(path)
    try:
        with closing(_pages(path)) as pages, unfinished(target) as part:
            try:
                with closing(sqlite3.connect(part, isolation_level=None)) as connection:
                    saved = _save(connection, part, pages, now, unsound)
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                raise failed(error, path, target) from error
            if not sum(saved.rows.values()):
                fix = "put a backup in its place, or start with a new one"
                raise JournalError(path, "nothing of a journal can be read", fix)
            publish(part, target)
            return saved
    finally:
        lock.release()


def _pages(path: Path) -> Pages:
    try:
        pages = Pages(path)
    except OSError as error:
        problem = f"the file cannot be read: {error.strerror}"
        raise JournalError(path, problem, "copy it to a sound disk first ('ddrescue')") from error
    header = pages.header
    if header.sound and header.application == APPLICATION_ID and header.version > VERSION:
        pages.close()
        problem = f"a newer reactor wrote this journal: its schema version is {header.version}"
        raise JournalError(path, problem, "use the newer reactor")
    return pages


def _save(
    connection: sqlite3.Connection,
    part: Path,
    pages: Pages,
    now: float,
    unsound: Callable[[Sequence[Keep]], Iterable[Keep]],
) -> Saved:
    prepare(connection, part, now=now)
    connection.execute("PRAGMA synchronous = OFF")  # it is synced when it is whole
    connection.execute("BEGIN IMMEDIATE")
    seen = bytearray(pages.count + 1)
    trees = {name: Tree(pages, seen, name in _SORTED) for name in TABLES}
    for name, (root, _) in TABLES.items():
        if root <= pages.count:
            _take(connection, name, trees[name], trees[name].rows(root))
    homes = {root: name for name, (root, _) in TABLES.items()}
    for number, above in pages.orphans(seen):
        home = next((homes[page] for page in reversed(above) if page in homes), None)
        if home is not None and not seen[number]:
            _take(connection, home, trees[home], trees[home].rows(number))
    dropped = _drop_unsound(connection, unsound)
    _set_apart(connection)
    connection.execute("COMMIT")
    counted = {name: _count(connection, name) for name in TABLES if name != "meta"}
    return Saved(
        rows=counted,
        pages=sum(tree.damaged for tree in trees.values()),
        torn=sum(tree.torn for tree in trees.values()),
        missing={name: n for name in ("history", "trace") if (n := _missing(connection, name))},
        dropped=dropped,
    )


def _take(connection: sqlite3.Connection, name: str, tree: Tree, rows: Iterator[Row]) -> None:
    """Write the rows of a table that make sense; the others count as torn."""
    if name == "meta":
        for _ in rows:
            pass  # the new journal has its own
        return
    columns = TABLES[name][1].split()
    marks = ", ".join("?" * len(columns))
    statement = f"INSERT OR IGNORE INTO {name}({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - names of ours
    some: list[Row] = []
    for found in rows:
        row = _row(name, found)
        if row is None or len(row) != len(columns) or not _is_sound(name, row):
            tree.torn += 1
            continue
        some.append(row)
        if len(some) == _ROWS:
            connection.executemany(statement, some)
            some.clear()
    connection.executemany(statement, some)


def _row(name: str, found: Row) -> Row | None:
    if name in _SORTED:
        return found
    number, *values = found
    if name in _KEYED:
        return tuple(values)
    # A column that is the row id is stored as NULL.
    return (number, *values[1:]) if values and values[0] is None else None


def _is_sound(name: str, row: Row) -> bool:
    """Whether each column holds what belongs there."""
    if not all(isinstance(row[place], str) for place in _TEXTS[name]):
        return False
    if not all(_is_number(row[place]) for place in _NUMBERS.get(name, ())):
        return False
    if not all(isinstance(row[place], bytes) for place in _BYTES.get(name, ())):
        return False
    for place, kind in _PERHAPS.get(name, {}).items():
        if row[place] is not None and not isinstance(row[place], kind):
            return False
    return all(_is_json(row[place]) for place in _JSON.get(name, ()))


def _is_json(value: Value) -> bool:
    """Whether it is; what has nothing to say is empty."""
    if not isinstance(value, str | bytes):
        return False
    if not value:
        return True
    try:
        msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _drop_unsound(
    connection: sqlite3.Connection, unsound: Callable[[Sequence[Keep]], Iterable[Keep]]
) -> list[str]:
    kept = [Keep(*row) for row in connection.execute("SELECT kind, key, value FROM state")]
    bad = list(unsound(kept))
    connection.executemany(
        "DELETE FROM state WHERE kind = ? AND key = ?", [(keep.kind, keep.key) for keep in bad]
    )
    return [f"{keep.kind} {keep.key}" for keep in bad]


def _set_apart(connection: sqlite3.Connection) -> None:
    """The ids of runs that were lost never come again: they begin with the journal's name."""
    identity = "".join(secrets.choice(IDENTITY_LETTERS) for _ in range(6))
    connection.execute("UPDATE meta SET value = ? WHERE key = 'identity'", (identity,))


def _count(connection: sqlite3.Connection, name: str) -> int:
    (count,) = connection.execute(f"SELECT count(*) FROM {name}").fetchone()  # noqa: S608 - a name of ours
    return int(count)


def _missing(connection: sqlite3.Connection, name: str) -> int:
    """Numbers that lack between what retention removed and the last one."""
    (missing,) = connection.execute(
        f"SELECT ifnull(max(seq) - ?1 - count(*), 0) FROM {name} WHERE seq > ?1",  # noqa: S608 - a name of ours
        (_removed_upto(connection, name),),
    ).fetchone()
    return int(missing)


def _removed_upto(connection: sqlite3.Connection, name: str) -> int:
    ask = "SELECT value FROM counter WHERE name = ?"
    row = connection.execute(ask, (f"retention.{name}",)).fetchone()
    return int(row[0]) if row else 0
