"""What operators ask of a journal: whose runs, which refusals, what was in force when."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from reactor.adapters.journal import (
    Batch,
    InForce,
    InputRow,
    IntentRow,
    Loaded,
    OutcomeRow,
    Reader,
    RunRow,
)
from reactor.adapters.journal.schema import VERSION
from reactor.core.effect import Keep, Trace
from tests.adapters.journal.support import connected, opened, row

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "journal-v1.db"

pytestmark = pytest.mark.asyncio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is to be."""
    return tmp_path / "journal.db"


RUNS = [
    RunRow("r-1", "p", "g", "ended", "succeeded", started=1.0, ended=2.0),
    RunRow("r-2", "p", "h", "running", started=3.0),
    RunRow("r-3", "q", "g", "running", started=4.0),
    RunRow("r-4", "p", "g", "running", started=3.5, admitted=0.5),
]


@pytest.mark.parametrize(
    ("limit", "filters", "ids"),
    [
        pytest.param(10, {}, ["r-4", "r-3", "r-2", "r-1"], id="all, the newest first"),
        pytest.param(2, {}, ["r-4", "r-3"], id="the newest two"),
        pytest.param(10, {"policy": "p"}, ["r-4", "r-2", "r-1"], id="of a policy"),
        pytest.param(10, {"guest": "g"}, ["r-4", "r-3", "r-1"], id="of a guest"),
        pytest.param(10, {"policy": "p", "guest": "g"}, ["r-4", "r-1"], id="of both"),
        pytest.param(10, {"guest": "g", "only_open": True}, ["r-4", "r-3"], id="open ones"),
        pytest.param(10, {"only_open": True}, ["r-4", "r-3", "r-2"], id="all that are open"),
        pytest.param(10, {"within": (2.0, 4.0)}, ["r-3", "r-2"], id="of a time"),
        pytest.param(10, {"within": (0.5, 0.5)}, ["r-4"], id="admitted counts first"),
        pytest.param(10, {"policy": "' OR 1 --"}, [], id="a policy's name is never SQL"),
    ],
)
async def test_runs_are_found_by_what_they_belong_to(
    path: Path, limit: int, filters: dict[str, Any], ids: list[str]
) -> None:
    """The newest first, and no more than were asked for."""
    async with opened(path) as journal:
        await journal.commit(Batch(runs=RUNS))
        found = await journal.ask(Reader.runs, limit, **filters)
        assert [run.id for run in found] == ids


def refusal(at: float, policy: str = "p", guest: str = "g", run: str = "") -> Trace:
    """A match that became no run, or a step of one."""
    return Trace(at, policy, guest, "trigger", "limited", str(at), run)


@pytest.mark.parametrize(
    ("begin", "end", "limit", "found"),
    [
        pytest.param(0.0, 9.0, 10, [1.0, 2.0, 3.0], id="all of that policy and guest"),
        pytest.param(1.0, 3.0, 10, [1.0, 2.0, 3.0], id="both ends belong to it"),
        pytest.param(1.5, 2.5, 10, [2.0], id="between"),
        pytest.param(0.0, 9.0, 2, [2.0, 3.0], id="too many: the newest"),
        pytest.param(4.0, 9.0, 10, [], id="later"),
    ],
)
async def test_refusals_are_found_by_their_time(
    path: Path, begin: float, end: float, limit: int, found: list[float]
) -> None:
    """In order; the steps of runs and the refusals of others are not among them."""
    others = [refusal(2.0, "q"), refusal(2.0, guest="h"), refusal(2.0, run="r-1")]
    async with opened(path) as journal:
        await journal.commit(Batch(traces=[refusal(1.0), *others, refusal(2.0), refusal(3.0)]))
        rows = await journal.ask(Reader.refusals, "p", "g", begin, end, limit)
        assert [each.trace.at for each in rows] == found


async def test_the_commands_of_a_run_come_with_their_ends(path: Path) -> None:
    """In the order in which they went out, those under way without an end."""
    sent = [IntentRow(f"r-1.{n}", float(n), "g", "stop", b"{}", "r-1") for n in (1, 2, 10)]
    # What a branch sends has the branch's own number, and belongs to the run.
    sent[1] = IntentRow("r-7.1", 2.0, "g", "cont", b"{}", "r-1")
    other = [IntentRow("r-10.1", 1.0, "g", "stop", b"{}", "r-10")]
    ends = [OutcomeRow("r-1.1", 1.5, "done"), OutcomeRow("r-1.10", 10.5, "refused", b"no")]
    async with opened(path) as journal:
        await journal.commit(Batch(intents=[*sent[::-1], *other]))
        await journal.commit(Batch(outcomes=ends))
        assert await journal.ask(Reader.intents, "r-1") == [
            (sent[0], ends[0]),
            (sent[1], None),
            (sent[2], ends[1]),
        ]
        assert await journal.ask(Reader.intents, "r-2") == []


@pytest.mark.parametrize(
    ("at", "number"),
    [
        pytest.param(0.5, 1, id="earlier than all: the number before the first"),
        pytest.param(2.0, 1, id="what came at that moment is not before it"),
        pytest.param(2.5, 2, id="between two"),
        pytest.param(4.0, 4, id="of several at one time, none"),
        pytest.param(4.5, 7, id="and all of them"),
        pytest.param(99.0, 8, id="later than all"),
    ],
)
async def test_a_time_leads_to_a_row_of_the_history(path: Path, at: float, number: int) -> None:
    """To the newest one before it, also when the first rows are gone."""
    times = [0.0, 2.0, 3.0, 3.5, 4.0, 4.0, 4.0, 5.0]
    async with opened(path) as journal:
        await journal.commit(
            Batch(inputs=[row(1)] + [InputRow(t, "g", "", "", b"") for t in times[1:]])
        )
        with connected(path) as connection:
            connection.execute("DELETE FROM history WHERE seq = 1")
        assert await journal.ask(Reader.before, at) == number


async def test_a_history_without_rows_has_nothing_before_any_time(path: Path) -> None:
    """The answer is a number that ``history`` takes."""
    async with opened(path) as journal:
        assert journal.reader.before(1.0) == 0


async def test_a_page_of_the_history_can_have_an_end(path: Path) -> None:
    """Its last number is the one that was asked for."""
    async with opened(path) as journal:
        await journal.commit(Batch(inputs=[row(n) for n in range(5)]))
        assert [each.seq for each in journal.reader.history(1, 10, upto=3)] == [2, 3]


async def test_state_is_found_by_its_kind_and_key(path: Path) -> None:
    """None where nothing is kept."""
    async with opened(path) as journal:
        await journal.commit(Batch(keeps=[Keep("run", "r-1", b"{}")]))
        assert journal.reader.kept("run", "r-1") == b"{}"
        assert journal.reader.kept("run", "r-2") is None


async def test_which_revision_was_in_force_when(path: Path) -> None:
    """A reload of the same leaves no row; what goes leaves one, and so does its return."""
    async with opened(path) as journal:
        for at, revisions in [
            (1.0, {"p": "p1", "q": "q1"}),
            (2.0, {"p": "p1", "q": "q2"}),
            (3.0, {"q": "q2"}),
            (4.0, {"p": "p1", "q": "q2"}),
        ]:
            await journal.commit(Batch(loaded=Loaded(at, revisions)))
        ask = journal.reader.in_force
        assert [ask("p", at) for at in (0.5, 1.0, 2.5, 3.0, 9.0)] == [
            None,
            InForce(1.0, "p1"),
            InForce(1.0, "p1"),
            InForce(3.0, ""),
            InForce(4.0, "p1"),
        ]
        assert [ask("q", at) for at in (1.5, 9.0)] == [InForce(1.0, "q1"), InForce(2.0, "q2")]
    with connected(path) as connection:
        assert connection.execute("SELECT count(*) FROM loaded").fetchone() == (5,)


async def test_two_sets_in_one_commit_are_taken_in_their_order(path: Path) -> None:
    """The second is compared with the first."""
    async with opened(path) as journal:
        first, second = Loaded(1.0, {"p": "p1"}), Loaded(2.0, {"p": "p1", "q": "q1"})
        await journal.commit(Batch(loaded=first))
        await journal.commit(Batch(loaded=second))
        assert journal.reader.in_force("p", 3.0) == InForce(1.0, "p1")


async def test_the_newest_revision_of_a_policy(path: Path) -> None:
    """The one that was journaled last; none of a policy that nobody knows."""
    async with opened(path) as journal:
        await journal.commit(Batch(revisions=[("z", "p", "1"), ("a", "p", "2"), ("m", "q", "3")]))
        assert journal.reader.newest("p") == ("a", "p", "2")
        assert journal.reader.newest("r") is None


async def test_a_journal_of_version_1_is_read_as_it_is(path: Path) -> None:
    """Without the daemon that would migrate it; what was not kept then is not known."""
    shutil.copy(GOLDEN, path)
    reader = Reader(path)
    try:
        assert [run.policy for run in reader.runs(10, guest="web-1", only_open=True)] == ["waits"]
        (refused,) = reader.refusals("limited", "web-1", 0.0, 2e9, 10)
        assert (refused.trace.verdict, refused.trace.reason) == ("limited", "1 per 1h per guest")
        assert reader.in_force("limited", 2e9) is None
        assert reader.newest("limited") is not None
    finally:
        reader.close()


async def test_a_journal_of_version_1_is_opened_and_goes_on(path: Path) -> None:
    """Its identity, runs, traces, commands and state are all there after the migration."""
    shutil.copy(GOLDEN, path)
    async with opened(path) as journal:
        assert journal.identity == "iwf25t"
        runs = {run.id: run for run in journal.reader.runs(10)}
        assert [runs[f"iwf25t-{n}"].outcome for n in range(1, 8)] == [
            *("succeeded", "succeeded", "failed", "succeeded", "skipped", "succeeded", ""),
        ]
        commands = [intent.command for intent, _ in journal.reader.intents("iwf25t-4")]
        assert commands == ["system_reset", "cont"]
        assert {"run", "mark", "guest", "ledger"} <= {kind for kind, _, _ in journal.reader.state()}
        await journal.commit(Batch(loaded=Loaded(2e9, {"limited": "new"})))
        assert journal.reader.in_force("limited", 2e9) == InForce(2e9, "new")
    with connected(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize(
    ("query", "index"),
    [
        pytest.param(
            "SELECT at FROM trace WHERE run = '' AND policy = 'p' AND guest = 'g' "
            "AND at BETWEEN 1 AND 2 ORDER BY at DESC, seq DESC",
            "INDEX trace_refused (policy=? AND guest=? AND at>? AND at<?)",
            id="refusals",
        ),
        pytest.param(
            "SELECT id FROM run WHERE policy = 'p' ORDER BY seq DESC",
            "INDEX run_policy (policy=?)",
            id="runs of a policy",
        ),
        pytest.param(
            "SELECT id FROM run WHERE guest = 'g' ORDER BY seq DESC",
            "INDEX run_guest (guest=?)",
            id="runs of a guest",
        ),
        pytest.param(
            "SELECT id FROM run WHERE ended IS NULL ORDER BY seq DESC",
            "INDEX run_open",
            id="open runs",
        ),
        pytest.param(
            "SELECT at FROM intent WHERE run = 'r' AND run <> ''",
            "INDEX intent_run (run=?)",
            id="commands of a run",
        ),
        pytest.param(
            "SELECT at FROM loaded WHERE policy = 'p' AND at <= 1 ORDER BY at DESC",
            "PRIMARY KEY (policy=? AND at<?)",
            id="what was in force",
        ),
    ],
)
async def test_no_question_reads_a_whole_table(path: Path, query: str, index: str) -> None:
    """Nor sorts what it found."""
    async with opened(path):
        pass
    with connected(path) as connection:
        plans = connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
    assert [str(plan[3]).partition("USING ")[2].removeprefix("COVERING ") for plan in plans] == [
        index
    ]


@pytest.mark.parametrize(
    ("kind", "among", "at"),
    [
        pytest.param("fired", 3, 2.0, id="the newest of its kind"),
        pytest.param("fired", 2, 2.0, id="just among them"),
        pytest.param("fired", 1, None, id="too long ago"),
        pytest.param("tick", 3, None, id="none of its kind"),
    ],
)
async def test_the_newest_input_of_a_kind_is_found(
    path: Path, kind: str, among: int, at: float | None
) -> None:
    """Among the last rows only: a long history is not searched to its beginning."""
    kinds = ["fired", "fired", "event"]
    async with opened(path) as journal:
        assert journal.reader.latest(kind, among) is None
        inputs = [InputRow(float(n), "", kind, "p", b"{}") for n, kind in enumerate(kinds, 1)]
        await journal.commit(Batch(inputs=inputs))
        found = journal.reader.latest(kind, among)
    assert (found.at if found else None) == at
