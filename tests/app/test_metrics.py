"""Figures for a monitoring system: what is counted, and how it is written."""

import math
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.adapters.journal import Durations, Figures, Statistics
from reactor.app.control.answers import DaemonLine, JournalLine, Status
from reactor.app.metrics import tally as tallies
from reactor.app.metrics.collect import Sources, collect, collect_nothing
from reactor.app.metrics.families import FAMILIES
from reactor.app.metrics.tally import OTHER, Tally
from reactor.app.metrics.text import Family, Kind, Sample, render
from reactor.app.settings import JournalSettings
from reactor.core.effect import RunChanged, Trace
from tests.fakes.exposition import read

COUNTED = Family("reactor_x_total", Kind.COUNTER, "What it is.", ("of",))


def ended(policy: str = "p", outcome: str = "succeeded", **more: object) -> RunChanged:
    """A run that began at 10 and ended at 12.5 s."""
    run = RunChanged("r", policy, "g", "ended", outcome=outcome, started=10.0, ended=12.5)
    return msgspec.structs.replace(run, **more)


# --------------------------------------------------------------------- counts


@pytest.mark.parametrize(
    ("runs", "counts", "seconds"),
    [
        pytest.param([ended()], {("p", "succeeded"): 1}, {"p": (1, 2.5)}, id="one that ended"),
        pytest.param(
            [ended(), ended(outcome="failed"), ended(policy="q")],
            {("p", "succeeded"): 1, ("p", "failed"): 1, ("q", "succeeded"): 1},
            {"p": (2, 5.0), "q": (1, 2.5)},
            id="by policy and outcome",
        ),
        pytest.param([ended(ended=None)], {}, {}, id="one that is open"),
        pytest.param([ended(role="on_limit")], {}, {}, id="a handler of a refused match"),
        pytest.param([ended(started=None)], {("p", "succeeded"): 1}, {}, id="one that never began"),
        pytest.param(
            [ended(started=13.0)], {("p", "succeeded"): 1}, {"p": (1, 0.0)}, id="a clock set back"
        ),
    ],
)
def test_runs_that_ended(
    runs: list[RunChanged],
    counts: dict[tuple[str, str], int],
    seconds: dict[str, tuple[int, float]],
) -> None:
    """They are counted by policy and outcome, with the time that they took from their start."""
    tally = Tally()
    for run in runs:
        tally.run(run)
    assert (tally.runs, tally.seconds) == (counts, seconds)


def test_matches_that_became_no_run() -> None:
    """What a trace tells of a run is no refusal."""
    tally = Tally()
    for run in ("", "", "r-1"):
        tally.trace(Trace(1.0, "p", "g", "limits/0", "limited", run=run))
    assert tally.refused == {("p", "limited"): 2}


@pytest.mark.parametrize(
    ("names", "counts"),
    [
        pytest.param("A B", {"A": 1, "B": 1}, id="as many as there is room for"),
        pytest.param("A B C D A", {"A": 2, "B": 1, OTHER: 2}, id="beyond it"),
    ],
)
def test_names_of_events_are_bounded(
    names: str, counts: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever names are sent, a monitoring system gets so many time series and no more."""
    monkeypatch.setattr(tallies, "NAMES_MAX", 2)
    tally = Tally()
    for name in names.split():
        tally.event(name)
    assert tally.events == counts


def test_policies_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Policies that come and go for years do not fill the memory."""
    monkeypatch.setattr(tallies, "KEYS_MAX", 2)
    tally = Tally()
    for policy in "abcda":
        tally.run(ended(policy=policy))
        tally.trace(Trace(1.0, policy, "g", "", "limited"))
    assert tally.runs == {("a", "succeeded"): 2, ("b", "succeeded"): 1, (OTHER, OTHER): 2}
    assert tally.refused == {("a", "limited"): 2, ("b", "limited"): 1, (OTHER, OTHER): 2}
    assert tally.seconds == {"a": (2, 5.0), "b": (1, 2.5), OTHER: (2, 5.0)}


# ----------------------------------------------------------------------- text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(0, "0", id="nothing"),
        pytest.param(1e18, "1000000000000000000", id="a large whole number"),
        pytest.param(0.25, "0.25", id="a fraction"),
        pytest.param(math.inf, "+Inf", id="without end"),
        pytest.param(-math.inf, "-Inf", id="without end below"),
        pytest.param(math.nan, "NaN", id="no number"),
    ],
)
def test_how_a_figure_is_written(value: float, shown: str) -> None:
    """A family has its meaning and kind in front; quotes and line breaks are escaped."""
    text = render([(COUNTED, [Sample(value, {"of": 'a"b\\c\nd'})])])
    assert text == (
        "# HELP reactor_x_total What it is.\n"
        "# TYPE reactor_x_total counter\n"
        f'reactor_x_total{{of="a\\"b\\\\c\\nd"}} {shown}\n'
    )


def test_a_family_without_a_figure_is_left_out() -> None:
    """Nothing is said rather than a zero that nobody measured."""
    assert render([(COUNTED, [])]) == ""


@given(st.dictionaries(st.text(), st.floats(allow_nan=False), min_size=1, max_size=5))
def test_whatever_a_label_holds_is_read_again(counts: dict[str, float]) -> None:
    """Names that guests chose break no line and no quote."""
    # Two that cannot be written as UTF-8 may become one.
    words = {word.encode("utf-8", "replace").decode(): count for word, count in counts.items()}
    text = render([(COUNTED, [Sample(count, {"of": word}) for word, count in words.items()])])
    found = read(text)["reactor_x_total"].samples
    assert found == {("reactor_x_total", (("of", word),)): n for word, n in words.items()}


# ------------------------------------------------------------------- together


def whole(*, young: bool = False) -> Sources:
    """A daemon of which everything can be told, or one that has just started."""
    rows = {"history": 7, "runs": 1}
    figures = Figures(4096, 2048, 512, rows, 5.0, {"history": 3}, 6.0)
    line = JournalLine(None if young else figures, 12, 0.001, 0.002, 0.25)
    daemon = DaemonLine(
        version="0.1.0",
        pid=1,
        host="h",
        since=100.0,
        now=200.0,
        journal="/j.db",
        journal_problem="the disk is full",
        broker="none" if young else "away",
        broker_url="",
        policies=2,
        policy_problems=1,
        audit=False,
        waiting={"inputs": 4, "outbox": 3},
        dropped={} if young else {"inputs": 1, "outbox: expired": 2},
        journal_figures=line,
    )
    status = Status(daemon, 3, 2, [], [], [], 5, [], 1, [], 6, [], 7, [], [], [])
    tally = Tally()
    if not young:
        tally.event("STOP")
        tally.run(ended())
        tally.trace(Trace(1.0, "p", "g", "", "limited"))
    statistics = Statistics(12, 8, 5, 1, 0, 0, 0, Durations(0.001, 0.002, 0.25), "too large")
    settings = JournalSettings(path=Path("/j.db"), keep=60.0, max=1 << 30)
    return Sources(status, statistics, settings, tally, None if young else 9999)


def test_everything_is_told() -> None:
    """Each family that there is has a figure, with its kind, its meaning and its labels."""
    found = read(render(collect(whole())))
    assert found.keys() == {family.name for family in FAMILIES}
    for family in FAMILIES:
        told = found[family.name]
        assert (told.kind, told.about) == (family.kind, family.about)
        for _, labels in told.samples:
            assert tuple(name for name, _ in labels) == family.labels


@pytest.mark.parametrize(
    ("line", "young"),
    [
        pytest.param("reactor_up 1", True, id="it runs"),
        pytest.param('reactor_build_info{version="0.1.0"} 1', True, id="version"),
        pytest.param("reactor_guests_connected 2", True, id="guests"),
        pytest.param("reactor_not_ready 5", True, id="not ready"),
        pytest.param("reactor_runs_open 6", True, id="open runs"),
        pytest.param("reactor_marks 7", True, id="marks"),
        pytest.param("reactor_broker_connected 0", False, id="the broker is away"),
        pytest.param('reactor_queue_depth{queue="outbox"} 3', True, id="outbox"),
        pytest.param(
            'reactor_dropped_total{queue="outbox",reason="expired"} 2', False, id="dropped, and why"
        ),
        pytest.param(
            'reactor_dropped_total{queue="inputs",reason="no room"} 1', False, id="for want of room"
        ),
        pytest.param("reactor_journal_healthy 0", True, id="a disk that is full"),
        pytest.param("reactor_journal_bounds_kept 0", True, id="bounds that cannot be kept"),
        pytest.param("reactor_journal_size_bytes 4096", False, id="size"),
        pytest.param("reactor_journal_disk_free_bytes 9999", False, id="free space"),
        pytest.param("reactor_journal_oldest_timestamp_seconds 5", False, id="oldest row"),
        pytest.param("reactor_journal_keep_seconds 60", True, id="retention"),
        pytest.param("reactor_journal_commits_total 12", True, id="commits"),
        pytest.param('reactor_journal_commit_seconds{of="p50"} 0.002', True, id="commit time"),
        pytest.param(
            'reactor_runs_total{policy="p",outcome="succeeded"} 1', False, id="runs that ended"
        ),
        pytest.param(
            'reactor_run_duration_seconds_sum{policy="p"} 2.5', False, id="how long they took"
        ),
        pytest.param(
            'reactor_suppressed_total{policy="p",reason="limited"} 1', False, id="refused matches"
        ),
    ],
)
def test_a_figure(line: str, *, young: bool) -> None:
    """It stands for what it is called."""
    assert line in render(collect(whole(young=young))).splitlines()


def test_what_is_not_known_is_not_told() -> None:
    """No broker, no look at the journal yet, a disk that does not answer."""
    found = read(render(collect(whole(young=True))))
    lacking = {family.name for family in FAMILIES} - found.keys()
    assert {"reactor_broker_connected", "reactor_journal_size_bytes"} <= lacking
    assert {"reactor_journal_disk_free_bytes", "reactor_events_total"} <= lacking


def test_a_daemon_that_does_not_run() -> None:
    """One figure, on which an alert can be built."""
    (family,) = read(render(collect_nothing())).values()
    assert family.samples == {("reactor_up", ()): 0.0}
