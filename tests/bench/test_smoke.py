"""The bench itself: it measures every row, verifies what it measured, and compares."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import bench.__main__ as command
from bench import match, report
from bench.figures import Better, Figure, Line, Pair, Row, Wrong, percentile
from bench.memory import Fed, build
from bench.policies import mixed
from bench.report import Machine, Result
from bench.scale import SMOKE, Scale

ROOT = Path(__file__).resolve().parents[2]

SHORT = ("match", "growth", "version")

LINE = Line("row", "what", "us", "the floor", target=2.0)


@pytest.mark.timeout(90)
def test_a_smoke_run_measures_and_verifies(tmp_path: Path) -> None:
    """``python -m bench --smoke`` exits with 0 and leaves a positive figure for each row.

    `make test` runs it over all rows, once and by itself.
    """
    file = tmp_path / "result.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--smoke", "--only", *SHORT, "--json", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=80,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = msgspec.json.decode(file.read_bytes(), type=Result)
    assert [figure.row for figure in result.figures] == (["match"] * 2 + ["growth"] + ["version"])
    assert all(figure.floor > 0 for figure in result.figures)
    assert all(figure.rounds == SMOKE.rounds for figure in result.figures)


def test_a_match_of_the_wrong_policy_is_not_measured() -> None:
    """Events made for one set of policies and fed to another are found out by name."""
    policies = mixed(100)
    given = match.feed(policies, 200)
    missing = dataclasses.replace(given, hits=[*given.hits[:-1], (given.hits[-1][0], "nobody")])
    with pytest.raises(Wrong, match="2 matches instead of 2; the first that differs: "):
        match.reactor(Fed(build(policies.documents)), missing)


def test_a_match_that_is_left_out_is_not_measured() -> None:
    """An engine that lacks the policies finds none of the matches."""
    given = match.feed(mixed(100), 200)
    with pytest.raises(Wrong, match="0 matches instead of 2; the first that differs: "):
        match.reactor(Fed([]), given)


def test_a_wrong_row_fails_the_run_and_the_others_go_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is 1 and the problem is told; the figures of other rows are printed."""

    def broken(scale: Scale) -> list[Figure]:
        raise Wrong(f"{scale.events} events came to nothing")

    rows = (
        Row("broken", "", broken),
        Row("sound", "", lambda _: [LINE.of([Pair(3.0, 2.0)])]),
    )
    monkeypatch.setattr(command, "ROWS", rows)
    assert command.main(["--smoke"]) == 1
    out = capsys.readouterr().out
    assert "WRONG broken: 4000 events came to nothing" in out
    assert "1.50" in out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param([], 0, id="a missed target alone is no failure"),
        pytest.param(["--strict"], 1, id="strict makes it one"),
    ],
)
def test_a_missed_target(
    arguments: list[str], code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Targets decide the exit code only when they are asked to."""
    monkeypatch.setattr(report, "ACCEPTED", tmp_path / "none.json")
    monkeypatch.setattr(command, "ROWS", (Row("row", "", lambda _: [LINE.of([Pair(5.0, 2.0)])]),))
    assert command.main(arguments) == code


@pytest.mark.parametrize(
    ("ratio", "better", "missed"),
    [
        pytest.param(1.99, Better.LOWER, False, id="a cost below its target"),
        pytest.param(2.0, Better.LOWER, False, id="a cost at its target"),
        pytest.param(2.01, Better.LOWER, True, id="a cost above its target"),
        pytest.param(1.99, Better.HIGHER, True, id="a speed below its target"),
        pytest.param(2.0, Better.HIGHER, False, id="a speed at its target"),
        pytest.param(2.01, Better.HIGHER, False, id="a speed above its target"),
    ],
)
def test_when_a_target_is_missed(ratio: float, better: Better, *, missed: bool) -> None:
    """The target itself is good enough, whichever way is the better one."""
    figure = msgspec.structs.replace(LINE.of([Pair(ratio, 1.0)]), better=better)
    assert figure.missed is missed


def test_a_figure_is_the_median_of_its_rounds() -> None:
    """The ratio is the median of each round's ratio, not the ratio of the medians."""
    figure = LINE.of([Pair(10.0, 10.0), Pair(30.0, 10.0), Pair(40.0, 20.0)])
    assert (figure.figure, figure.floor, figure.ratio) == (30.0, 10.0, 2.0)
    assert figure.spread == pytest.approx(0.25)
    assert figure.rounds == 3


@pytest.mark.parametrize(
    ("part", "value"),
    [
        pytest.param(0.0, 1.0, id="the least"),
        pytest.param(0.5, 6.0, id="the median"),
        pytest.param(0.99, 10.0, id="nearly all"),
        pytest.param(1.0, 10.0, id="the greatest"),
    ],
)
def test_percentile(part: float, value: float) -> None:
    """The value at that place of the sorted ones."""
    assert percentile([float(number) for number in range(10, 0, -1)], part) == value


@pytest.mark.parametrize(
    ("old", "new", "better", "lines"),
    [
        pytest.param(2.0, 2.19, Better.LOWER, [], id="a cost within the noise"),
        pytest.param(
            2.0,
            2.3,
            Better.LOWER,
            ["row: what: ratio 2.30, accepted 2.00 (15% worse)"],
            id="a cost beyond it",
        ),
        pytest.param(2.0, 1.0, Better.LOWER, [], id="a cost that fell"),
        pytest.param(
            0.4,
            0.3,
            Better.HIGHER,
            ["row: what: ratio 0.30, accepted 0.40 (25% worse)"],
            id="a speed that fell",
        ),
        pytest.param(0.3, 0.4, Better.HIGHER, [], id="a speed that rose"),
    ],
)
def test_what_got_worse(old: float, new: float, better: Better, lines: list[str]) -> None:
    """Only what is worse than the accepted ratio by more than the noise is told."""
    before = msgspec.structs.replace(LINE.of([Pair(old, 1.0)]), better=better)
    now = msgspec.structs.replace(LINE.of([Pair(new, 1.0)]), better=better)
    accepted = Result(Machine("any", 1, "3", 0.0, 0.0), [before])
    assert report.worse([now], accepted) == lines
    assert report.worse([msgspec.structs.replace(now, what="new")], accepted) == []


def test_an_accepted_result_is_the_one_to_compare_with(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What ``--accept`` wrote is read by the next run, which says what got worse."""
    monkeypatch.setattr(report, "ACCEPTED", tmp_path / "accepted.json")
    figures = [LINE.of([Pair(1.0, 1.0)]), LINE.of([Pair(1.5, 1.0)])]
    rows = (Row("row", "", lambda _: [figures.pop(0)]),)
    monkeypatch.setattr(command, "ROWS", rows)
    assert command.main(["--accept"]) == 0
    assert command.main([]) == 0
    out = capsys.readouterr().out
    assert "accepted: accepted.json" in out
    assert "row: what: ratio 1.50, accepted 1.00 (50% worse)" in out


def test_some_rows_alone_can_be_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Those that were not measured stay as they were accepted."""
    monkeypatch.setattr(report, "ACCEPTED", tmp_path / "accepted.json")
    other = Line("other", "what", "us", "the floor")
    figures = [LINE.of([Pair(1.0, 1.0)]), other.of([Pair(2.0, 1.0)]), LINE.of([Pair(3.0, 1.0)])]
    row, rest = (Row(name, "", lambda _: [figures.pop(0)]) for name in ("row", "other"))
    monkeypatch.setattr(command, "ROWS", (row, rest))
    for arguments in (["--accept"], ["--accept", "--only", "row"]):
        assert command.main(arguments) == 0
    accepted = report.accepted()
    assert accepted is not None
    assert {one.row: one.ratio for one in accepted.figures} == {"row": 3.0, "other": 2.0}
