"""What the journal holds, for the daemon and for other processes beside it."""

import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import json

from reactor.adapters.journal.figures import counts, survey
from reactor.adapters.journal.retention import HISTORY_UPTO
from reactor.adapters.journal.rows import (
    REFUSED,
    Figures,
    HistoryRow,
    InForce,
    IntentRow,
    OutboxMessage,
    OutcomeRow,
    Revision,
    RunRow,
    TraceRow,
)
from reactor.adapters.journal.schema import closed, explain, open_for_reading
from reactor.adapters.journal.tables import RUN_COLUMNS
from reactor.core.effect import Trace

_RUN = f"id, {', '.join(RUN_COLUMNS)}"


LATELY = 200_000
"""Rows of the history among which guests are looked for that are not remembered otherwise."""


class Reader:
    """A read-only connection of its own; its methods block, and may be called by any thread.

    Every method raises ``JournalError`` when the disk fails or the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        """Open the journal at ``path``.

        Raises:
            JournalError: no journal there, another program's or version's file.
        """
        self._path = path
        self._lock = threading.Lock()
        self._closed = False
        self._connection = open_for_reading(path)
        ((self._version,),) = self._ask("PRAGMA user_version")

    def close(self, within_s: float = 5.0) -> None:
        """The connection is gone; a second call does nothing.

        A question under way ends with an error. One that hangs in the disk for
        longer than ``within_s`` is left to the end of the process.
        """
        if self._closed:
            return
        self._closed = True
        end = time.monotonic() + within_s
        # Again and again: an interrupt just before the query has no effect on it.
        while not self._lock.acquire(timeout=0.01):
            if time.monotonic() > end:
                return
            self._connection.interrupt()
        self._connection.close()
        self._lock.release()

    def identity(self) -> str:
        """The journal's six letters and digits, given at its creation."""
        ((identity,),) = self._ask("SELECT value FROM meta WHERE key = 'identity'")
        return str(identity)

    def state(self, kind: str | None = None) -> list[tuple[str, str, bytes]]:
        """What was kept, all or of one kind, as (kind, key, value), sorted by kind and key."""
        rows = "SELECT kind, key, value FROM state WHERE kind = ifnull(?, kind)"
        return self._ask(f"{rows} ORDER BY kind, key", kind)

    def last(self) -> int:
        """The number of the newest row of the history, 0 when it is empty."""
        ((last,),) = self._ask("SELECT max(seq) FROM history")
        return int(last or 0)

    def history(  # noqa: PLR0913 - one for each column
        self,
        after: int,
        limit: int,
        *,
        guest: str | None = None,
        name: str | None = None,
        kind: str | None = None,
        upto: int | None = None,
    ) -> list[HistoryRow]:
        """At most ``limit`` inputs with a number beyond ``after``, in their order.

        ``upto`` is the last number that is looked at.

        A follower asks ``last`` first and goes on from there when nothing
        matched, so that rows of others are not read again and again.
        """
        where = "seq > ?"
        values: list[object] = [after]
        tests = {"guest = ?": guest, "name = ?": name, "kind = ?": kind, "seq <= ?": upto}
        for test, value in tests.items():
            if value is not None:
                where += f" AND {test}"
                values.append(value)
        rows = self._ask(
            f"SELECT seq, at, guest, kind, name, body FROM history WHERE {where} "  # noqa: S608
            "ORDER BY seq LIMIT ?",
            *values,
            limit,
        )
        return [HistoryRow(*row) for row in rows]

    def latest(self, kind: str, among: int) -> HistoryRow | None:
        """The newest input of a kind among the last so many rows of the history."""
        rows = self._ask(
            "SELECT seq, at, guest, kind, name, body FROM history "
            "WHERE seq > (SELECT max(seq) FROM history) - ? AND kind = ? "
            "ORDER BY seq DESC LIMIT 1",
            among,
            kind,
        )
        return HistoryRow(*rows[0]) if rows else None

    def before(self, at: float) -> int:
        """The number of the newest row of the history that came before ``at``; 0 without one.

        Rows stand in the order of their times, up to what a full disk held back, so a
        few look-ups find it, and no index of times must be kept for every event.
        """
        ((low, high),) = self._ask(
            "SELECT ifnull((SELECT min(seq) FROM history), 1) - 1, "
            "ifnull((SELECT max(seq) FROM history), 0)"
        )
        while low < high:
            middle = (low + high + 1) // 2
            ((seen,),) = self._ask(
                "SELECT at FROM history WHERE seq >= ? ORDER BY seq LIMIT 1", middle
            )
            low, high = (middle, high) if seen < at else (low, middle - 1)
        return int(low)

    def open_intents(self) -> list[IntentRow]:
        """Commands of which nobody knows how they ended, the oldest first."""
        rows = self._ask(
            "SELECT id, at, guest, command, arguments, run FROM intent "
            "WHERE outcome IS NULL ORDER BY at, id"
        )
        return [IntentRow(*row) for row in rows]

    def outcome(self, intent: str) -> tuple[str, bytes] | None:
        """How an intent ended, and the detail; None while it is open or unknown."""
        rows = self._ask(
            "SELECT outcome, detail FROM intent WHERE id = ? AND outcome IS NOT NULL", intent
        )
        return (rows[0][0], rows[0][1]) if rows else None

    def intents(self, run: str) -> list[tuple[IntentRow, OutcomeRow | None]]:
        """The commands of a run in their order, each with how it ended."""
        rows = self._ask(
            "SELECT id, at, guest, command, arguments, run, ended, outcome, detail FROM intent "
            "WHERE run = ? AND run <> '' ORDER BY at, length(id), id",
            run,
        )
        return [
            (IntentRow(*row[:6]), None if row[7] is None else OutcomeRow(row[0], *row[6:]))
            for row in rows
        ]

    def deeds(
        self, after: int, limit: int
    ) -> list[tuple[int, tuple[IntentRow, OutcomeRow | None]]]:
        """At most ``limit`` commands of all runs with a number beyond ``after``, in their order.

        Each behind its number, with how it ended.
        """
        rows = self._ask(
            "SELECT rowid, id, at, guest, command, arguments, run, ended, outcome, detail "
            "FROM intent WHERE rowid > ? ORDER BY rowid LIMIT ?",
            after,
            limit,
        )
        return [
            (
                row[0],
                (IntentRow(*row[1:7]), None if row[8] is None else OutcomeRow(row[1], *row[7:])),
            )
            for row in rows
        ]

    def traces(self, run: str) -> list[TraceRow]:
        """Why the run did what it did, in order."""
        return self._traces("run = ? AND run <> '' ORDER BY seq", run)

    def refusals(
        self, policy: str, guest: str, begin: float, end: float, limit: int
    ) -> list[TraceRow]:
        """Why matches of this policy and guest in that time became no runs, in order.

        At most ``limit`` of them, the newest.
        """
        where = "run = '' AND policy = ? AND guest = ? AND at BETWEEN ? AND ?"
        rows = self._traces(
            f"{where} ORDER BY at DESC, seq DESC LIMIT ?", policy, guest, begin, end, limit
        )
        return rows[::-1]

    def _traces(self, where: str, *values: object) -> list[TraceRow]:
        rows = self._ask(
            'SELECT seq, at, policy, guest, path, verdict, reason, run, "values" '  # noqa: S608
            f"FROM trace WHERE {where}",
            *values,
        )
        return [
            TraceRow(seq, Trace(*(*fields, json.decode(values)))) for seq, *fields, values in rows
        ]

    def runs(
        self,
        limit: int,
        *,
        policy: str | None = None,
        guest: str | None = None,
        only_open: bool = False,
        within: tuple[float, float] | None = None,
    ) -> list[RunRow]:
        """The runs that were journaled last, the newest first.

        ``within``: only those that were admitted, or as far as is known started or ended,
        from the first to the second time.
        """
        when = "ifnull(admitted, ifnull(started, ended))"
        tests: list[tuple[str, object]] = [("policy = ?", policy), ("guest = ?", guest)]
        tests += zip((f"{when} >= ?", f"{when} <= ?"), within or (None, None), strict=True)
        chosen = [(test, value) for test, value in tests if value is not None]
        where = [test for test, _ in chosen] + ["ended IS NULL"] * only_open
        rows = self._ask(
            f"SELECT {_RUN} FROM run "  # noqa: S608
            + (f"WHERE {' AND '.join(where)} " if where else "")
            + "ORDER BY seq DESC LIMIT ?",
            *(value for _, value in chosen),
            limit,
        )
        return [RunRow(*row) for row in rows]

    def runs_from(self, after: int, limit: int) -> list[tuple[int, RunRow]]:
        """At most ``limit`` runs with a number beyond ``after``, with it, in their order."""
        rows = self._ask(
            f"SELECT seq, {_RUN} FROM run WHERE seq > ? ORDER BY seq LIMIT ?",  # noqa: S608
            after,
            limit,
        )
        return [(row[0], RunRow(*row[1:])) for row in rows]

    def kept(self, kind: str, key: str) -> bytes | None:
        """The state of that kind and key, None when there is none."""
        rows = self._ask("SELECT value FROM state WHERE kind = ? AND key = ?", kind, key)
        return rows[0][0] if rows else None

    def names(self, limit: int) -> tuple[list[str], list[str]]:
        """At most ``limit`` policies of which a text is kept, and guests that are remembered.

        A guest that nobody names any more is remembered for the rows of the last ``LATELY``.
        One that only a refused request names is none.
        """
        policies = self._ask("SELECT DISTINCT policy FROM revision ORDER BY 1 LIMIT ?", limit)
        guests = self._ask(
            "SELECT key FROM state WHERE kind = 'guest' UNION SELECT guest FROM history "
            "WHERE seq > (SELECT max(seq) FROM history) - ? AND guest <> '' AND kind <> ? "
            "ORDER BY 1 LIMIT ?",
            LATELY,
            REFUSED,
            limit,
        )
        return [row[0] for row in policies], [row[0] for row in guests]

    def run(self, run: str) -> RunRow | None:
        """One run, None when it is unknown."""
        rows = self._ask(f"SELECT {_RUN} FROM run WHERE id = ?", run)  # noqa: S608
        return RunRow(*rows[0]) if rows else None

    def revision(self, revision: str) -> Revision | None:
        """The policy's text of that revision, None when it is unknown."""
        rows = self._ask(
            "SELECT revision, policy, source FROM revision WHERE revision = ?", revision
        )
        return Revision(*rows[0]) if rows else None

    def revisions(self, after: int, limit: int) -> list[tuple[int, Revision]]:
        """At most ``limit`` revisions with a number beyond ``after``, with it, in their order."""
        rows = self._ask(
            "SELECT rowid, revision, policy, source FROM revision WHERE rowid > ? "
            "ORDER BY rowid LIMIT ?",
            after,
            limit,
        )
        return [(row[0], Revision(*row[1:])) for row in rows]

    def latest_of_guests(self, kinds: Sequence[str], upto: int) -> list[HistoryRow]:
        """The newest row of each guest and kind up to that number, in their order."""
        marks = ", ".join("?" * len(kinds))
        rows = self._ask(
            # SQLite gives the columns of the row that has the maximum.
            "SELECT max(seq), at, guest, kind, name, body FROM history "  # noqa: S608
            f"WHERE seq <= ? AND kind IN ({marks}) GROUP BY guest, kind ORDER BY 1",
            upto,
            *kinds,
        )
        return [HistoryRow(*row) for row in rows]

    def newest(self, policy: str) -> Revision | None:
        """The revision of that policy that was journaled last, None when there is none."""
        rows = self._ask(
            "SELECT revision, policy, source FROM revision WHERE policy = ? "
            "ORDER BY rowid DESC LIMIT 1",
            policy,
        )
        return Revision(*rows[0]) if rows else None

    def in_force(self, policy: str, at: float) -> InForce | None:
        """Which revision of the policy was in force at that time, and since when.

        None when the journal does not know: it was not kept before version 2.
        """
        if self._version < 2:
            return None
        rows = self._ask(
            "SELECT at, revision FROM loaded WHERE policy = ? AND at <= ? ORDER BY at DESC LIMIT 1",
            policy,
            at,
        )
        return InForce(*rows[0]) if rows else None

    def came_into_force(self, policy: str, after: float, upto: float, limit: int) -> list[InForce]:
        """What came into force of the policy, or went, in (after, upto], in order of time.

        At most ``limit`` changes, the newest.
        """
        if self._version < 2:
            return []
        rows = self._ask(
            "SELECT at, revision FROM loaded WHERE policy = ? AND at > ? AND at <= ? "
            "ORDER BY at DESC LIMIT ?",
            policy,
            after,
            upto,
            limit,
        )
        return [InForce(*row) for row in rows[::-1]]

    def outbox(self, after: int, limit: int) -> list[OutboxMessage]:
        """At most ``limit`` messages with a number beyond ``after``, in their order."""
        rows = self._ask(
            "SELECT seq, at, topic, payload, qos, retain, expires, content_type, properties "
            "FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?",
            after,
            limit,
        )
        return [
            OutboxMessage(
                seq, at, topic, payload, qos, bool(retain), expires, kind, json.decode(properties)
            )
            for seq, at, topic, payload, qos, retain, expires, kind, properties in rows
        ]

    def counters(self) -> dict[str, int]:
        """What was dropped in all lives of the daemon, such as ``outbox.refused``."""
        return dict(self._ask("SELECT name, value FROM counter ORDER BY name"))

    def counts(self) -> dict[str, int]:
        """How many rows there are of each kind; ``intents_open`` are those without an outcome."""
        return counts(self._ask, self.counters())

    def removed_upto(self) -> int:
        """The number up to which retention has removed the history, 0 when it has not.

        What is left up to there says how things stood after it.
        """
        return self.counters().get(HISTORY_UPTO, 0)

    def figures(self) -> Figures:
        """How large the journal is, and how far back it reaches."""
        return survey(self._ask, self.counters(), self._path)

    def _ask(self, query: str, *values: object) -> list[Any]:
        with self._lock:
            try:
                return self._connection.execute(query, values).fetchall()
            except sqlite3.ProgrammingError as error:
                raise closed(self._path) from error
            except sqlite3.Error as error:
                raise explain(error, self._path) from error
