"""What is removed from a journal that grows old or large, slice by slice.

Kept in any case: the state, the outbox, open runs with their traces and commands, the texts of
policies that are in force or named by anything that is kept, the history since the oldest
command whose end an open run waits for, the newest row of every table, and of the rows
that say how things stand (``Bounds.standing``) the last one of each guest. So what is left
can still be told and replayed from its beginning on.
"""

import math
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from reactor.adapters.journal import tables

GONE = "gone"
"""What a row stands for after which nothing stands of its guest any more."""

HISTORY_UPTO = "retention.history"
TRACE_UPTO = "retention.trace"
"""Counters: up to which row the front was removed; what is left there is kept on purpose."""

REMOVED = "removed."
REMOVED_AT = "removed.at"


def _nothing(kind: str, body: bytes) -> str:
    del kind, body
    return ""


def _always(run: bytes) -> bool:
    del run
    return True


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long and how much is kept; None: without a bound.

    ``keep_s`` are seconds, ``max_bytes`` what the pages in use may need. ``standing`` says by a
    row's kind and body what it stands for until the next row of its guest that stands for
    the same; empty: for nothing. ``kinds`` are those that it must be asked for.
    ``waits`` says by what is kept of an open run whether it waits for the end of a command: one
    that was interrupted has commands of which no end is written, and may have gone on since.
    """

    keep_s: float | None = None
    max_bytes: int | None = None
    kinds: tuple[str, ...] = ()
    standing: Callable[[str, bytes], str] = _nothing
    waits: Callable[[bytes], bool] = _always


class Retention:
    """Removes what came before a time, ``rows`` at a time; every method is to be run to its end.

    Each ``yield`` lies between two transactions. ``removed`` counts, by table.
    """

    def __init__(self, connection: sqlite3.Connection, bounds: Bounds, rows: int) -> None:
        self._connection = connection
        self._bounds = bounds
        self.rows = rows
        counters = dict(connection.execute("SELECT name, value FROM counter").fetchall())
        self._history_upto = int(counters.get(HISTORY_UPTO, 0))
        self._trace_upto = int(counters.get(TRACE_UPTO, 0))
        self._standing: dict[tuple[str, str], int] | None = None
        self.removed = {
            name.removeprefix(REMOVED): value
            for name, value in counters.items()
            if name.startswith(REMOVED) and name != REMOVED_AT
        }

    def remove(self, cut: float, now: float) -> Iterator[None]:
        """Everything that came before ``cut`` and is not needed goes."""
        self._now = now
        cut = min(cut, self.floor())
        yield from self._remove_history(cut)
        yield from self._remove_runs(cut)
        yield from self._remove_traces(cut)
        yield from self._remove_intents(cut)
        yield from self._remove_texts(cut)

    def floor(self) -> float:
        """When the oldest command was announced whose end an open run waits for."""
        rows = self._connection.execute(
            "SELECT min(intent.at) AS at, run.id FROM intent JOIN run ON run.id = intent.run "
            "WHERE intent.outcome IS NULL AND run.ended IS NULL GROUP BY run.id ORDER BY at"
        ).fetchall()
        return next((float(at) for at, run in rows if self._waits(run)), math.inf)

    def _waits(self, run: str) -> bool:
        """Whether a run, or a branch of it, waits for the end of a command."""
        kept = self._connection.execute(
            "SELECT value FROM state WHERE kind = 'run' "
            "AND (key = ? OR instr(value, CAST(? AS BLOB)) > 0)",
            (run, f'"root":"{run}"'),
        ).fetchall()
        return any(self._bounds.waits(value) for (value,) in kept)

    def next_cut(self) -> float | None:
        """The time behind the next ``rows`` oldest rows; None when nothing more may go."""
        fronts = []
        for table, upto in (("history", self._history_upto), ("trace", self._trace_upto)):
            times = self._connection.execute(
                f"SELECT at FROM {table} WHERE seq > ? "  # noqa: S608
                f"AND seq < (SELECT max(seq) FROM {table}) ORDER BY seq LIMIT ?",
                (upto, self.rows),
            ).fetchall()
            if times:
                # What a full disk held back stands behind newer rows.
                fronts.append((times[0][0], max(times)[0]))
        if not fronts:
            return None
        cut = math.nextafter(min(fronts)[1], math.inf)
        return cut if cut < self.floor() else None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        yield
        self._connection.execute("COMMIT")

    def _count(self, table: str, gone: int, **cursors: int) -> None:
        """The rows that went in this transaction, and where its fronts are now."""
        counters = {f"retention.{name}": value for name, value in cursors.items()}
        if gone:
            self.removed[table] = self.removed.get(table, 0) + gone
            counters |= {REMOVED + table: self.removed[table], REMOVED_AT: int(self._now)}
        tables.count(self._connection, counters)

    def _front(self, table: str, key: str, after: int, cut: float) -> int:
        """The last of the next rows that came before ``cut``; ``after`` when there is none."""
        rows = self._connection.execute(
            f"SELECT {key}, at FROM {table} WHERE {key} > ? "  # noqa: S608
            f"AND {key} < (SELECT max({key}) FROM {table}) ORDER BY {key} LIMIT ?",
            (after, self.rows),
        ).fetchall()
        for seq, at in rows:
            if at >= cut:
                break
            after = seq
        return after

    # ------------------------------------------------ history

    def _remove_history(self, cut: float) -> Iterator[None]:
        if self._standing is None:
            self._standing = dict(self._rows_that_stand(0, self._history_upto))
        while (upto := self._front("history", "seq", self._history_upto, cut)) > self._history_upto:
            self._remove_history_slice(self._standing, upto)
            yield

    def _remove_history_slice(self, standing: dict[tuple[str, str], int], upto: int) -> None:
        after = self._history_upto
        before = set(standing.values())
        now = dict(standing)
        for (guest, word), seq in self._rows_that_stand(after, upto):
            if word == GONE:
                now = {key: value for key, value in now.items() if key[0] != guest}
            else:
                now[guest, word] = seq
        kept = set(now.values())
        with self._transaction():
            gone = tables.delete(
                self._connection, "DELETE FROM history WHERE seq", sorted(before - kept)
            )
            spared = ", ".join(str(seq) for seq in sorted(kept - before))
            gone += self._connection.execute(
                "DELETE FROM history WHERE seq > ? AND seq <= ? "  # noqa: S608 - numbers
                f"AND seq NOT IN ({spared})",
                (after, upto),
            ).rowcount
            self._count("history", gone, history=upto)
        self._standing, self._history_upto = now, upto

    def _rows_that_stand(self, after: int, upto: int) -> Iterator[tuple[tuple[str, str], int]]:
        marks = ", ".join("?" * len(self._bounds.kinds))
        rows = self._connection.execute(
            "SELECT seq, guest, kind, body FROM history WHERE seq > ? AND seq <= ? "  # noqa: S608
            f"AND kind IN ({marks}) ORDER BY seq",
            (after, upto, *self._bounds.kinds),
        ).fetchall()
        for seq, guest, kind, body in rows:
            if word := self._bounds.standing(kind, body):
                yield (guest, word), seq

    # ------------------------------------------------ runs, with all that belongs to them

    def _remove_runs(self, cut: float) -> Iterator[None]:
        """Runs go as a whole, when their end has come before the time."""
        after = 0
        while True:
            rows = self._connection.execute(
                "SELECT seq, id, ended, ifnull(admitted, ifnull(started, ended)) FROM run "
                "WHERE seq > ? AND seq < (SELECT max(seq) FROM run) ORDER BY seq LIMIT ?",
                (after, max(1, self.rows // 8)),
            ).fetchall()
            ended = [run for _, run, end, _ in rows if end is not None and end < cut]
            if ended:
                yield from self._remove_of_runs("trace", "seq", ended)
                yield from self._remove_of_runs("intent", "rowid", ended)
                with self._transaction():
                    gone = tables.delete(self._connection, "DELETE FROM run WHERE id", ended)
                    self._count("run", gone)
                yield
            if not rows or (rows[-1][3] or 0.0) >= cut:
                return
            after = rows[-1][0]

    def _remove_of_runs(self, table: str, key: str, runs: list[str]) -> Iterator[None]:
        marks = ", ".join("?" * len(runs))
        gone = self.rows
        while gone >= self.rows:
            most = self.rows
            with self._transaction():
                gone = self._connection.execute(
                    f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} "  # noqa: S608
                    f"WHERE run IN ({marks}) AND run <> '' "
                    f"AND {key} < (SELECT max({key}) FROM {table}) LIMIT ?)",
                    (*runs, most),
                ).rowcount
                self._count(table, gone)
            yield
            if gone < most:
                return

    # ------------------------------------------------ what belongs to no run

    def _remove_traces(self, cut: float) -> Iterator[None]:
        while (upto := self._front("trace", "seq", self._trace_upto, cut)) > self._trace_upto:
            with self._transaction():
                gone = self._remove_without_run("trace", "seq", self._trace_upto, upto)
                self._count("trace", gone, trace=upto)
            self._trace_upto = upto
            yield

    def _remove_intents(self, cut: float) -> Iterator[None]:
        after = 0
        while (upto := self._front("intent", "rowid", after, cut)) > after:
            with self._transaction():
                gone = self._remove_without_run("intent", "rowid", after, upto)
                self._count("intent", gone)
            after = upto
            yield

    def _remove_without_run(self, table: str, key: str, after: int, upto: int) -> int:
        return self._connection.execute(
            f"DELETE FROM {table} WHERE {key} > ? AND {key} <= ? "  # noqa: S608
            f"AND NOT EXISTS (SELECT 1 FROM run WHERE run.id = {table}.run)",
            (after, upto),
        ).rowcount

    # ------------------------------------------------ texts of policies

    def _remove_texts(self, cut: float) -> Iterator[None]:
        """Texts that were in force last before the time, and that nothing kept names."""
        ((is_known,),) = self._connection.execute(
            "SELECT EXISTS (SELECT 1 FROM loaded WHERE at < ?)", (cut,)
        )
        if not is_known:
            return  # since when each text is out of force was not kept before version 2
        with self._transaction():
            gone = self._connection.execute(
                "DELETE FROM loaded WHERE at < ? AND (revision = '' OR EXISTS "
                "(SELECT 1 FROM loaded AS later WHERE later.policy = loaded.policy "
                "AND later.at > loaded.at AND later.at <= ?))",
                (cut, cut),
            ).rowcount
            self._count("loaded", gone)
        yield
        unused = self._connection.execute(
            "SELECT revision FROM revision WHERE rowid < (SELECT max(rowid) FROM revision) "
            "AND revision NOT IN (SELECT revision FROM loaded)"
        ).fetchall()
        for (revision,) in unused:
            with self._transaction():
                gone = self._connection.execute(
                    # An open run names the text that it began with.
                    "DELETE FROM revision WHERE revision = ? "
                    "AND NOT EXISTS (SELECT 1 FROM state WHERE instr(value, revision) > 0)",
                    (revision,),
                ).rowcount
                self._count("revision", gone)
            yield
