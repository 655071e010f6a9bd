"""Old recordings stay replayable: what comes of them is what came of them."""

import shutil
from contextlib import closing
from pathlib import Path

from reactor.adapters.journal import Reader
from reactor.app.replay.replaying import Replayed, Request, replay
from reactor.app.replay.sources import Skipped, open_source
from reactor.app.shipped import shipped_rules
from reactor.core.subjects import RECOVERED
from reactor.policyfile.check import load
from tests.simulation.missed import CHANGES, make

GOLDEN = Path(__file__).parents[2] / "golden"


def _replayed(path: Path, request: Request) -> Replayed:
    told: list[str] = []
    source = open_source(path, Skipped(told.append))
    try:
        return replay([source], request)
    finally:
        source.close()
        assert told == []


def _counted(found: Replayed) -> dict[str, tuple[dict[str, int], dict[str, int]]]:
    policies = sorted(found.tally.policies.items())
    return {name: (dict(one.runs), dict(one.refused)) for name, one in policies}


def test_a_capture_of_a_real_qemu() -> None:
    """What the shipped policies make of it, to the last count."""
    policies = load([shipped_rules()]).policies
    assert _counted(_replayed(GOLDEN / "capture-7.2.jsonl", Request(policies))) == {
        "block-job-ended": ({"succeeded": 1}, {}),
        # Behind a quorum's failure: every other policy keeps away from that guest.
        "block-job-error": ({}, {"inhibited": 1}),
        "dump-completed": ({"succeeded": 18}, {}),
        "guest-crashloaded": ({"succeeded": 1}, {}),
        "guest-crashloaded-over": ({"succeeded": 1}, {}),
        "guest-ended": ({"succeeded": 2}, {}),
        "panic-dump-reset": ({"succeeded": 2, "skipped": 1}, {}),
        "quorum-failure": ({"succeeded": 1}, {}),
        "quorum-report-bad": ({"succeeded": 1}, {}),
    }


def _compared(folder: Path) -> list[Path]:
    return [*sorted(folder.glob("journal-v*-compared.db")), folder / "compared.jsonl"]


def test_what_was_compared_over_breaks_is_replayed_word_for_word(tmp_path: Path) -> None:
    """Of every version that kept it, and as it is kept today: each event of each subject."""
    (tmp_path / "new").mkdir()
    make(tmp_path / "new")
    names = {path.name for path in _compared(GOLDEN)}
    assert names >= {path.name for path in _compared(tmp_path / "new")}, (
        "a new version: run python -m tests.simulation.missed tests/golden"
    )
    for path in (*_compared(GOLDEN), *_compared(tmp_path / "new")):
        here = shutil.copy(path, tmp_path / path.name)
        found = _replayed(Path(here), Request(compares=True))
        assert found.exact, path
        assert found.differing == []
        assert _counted(found) == {
            "fails": ({"unknown": 1}, {}),
            "told": ({"succeeded": 25}, {}),
            "waits": ({"succeeded": 1}, {}),
        }, path


def test_every_change_that_a_subject_proves_is_in_the_golden_journal() -> None:
    """What the connects made up for, and what was seen, is told once each."""
    assert {name for name, _ in CHANGES} == RECOVERED
    with closing(Reader(GOLDEN / "journal-v2-compared.db")) as reader:
        rows = [row for row in reader.history(0, 10_000) if row.kind == "made"]
    made = [row.name for row in rows if row.name in RECOVERED]
    seen = {"MEMORY_DEVICE_SIZE_CHANGE", "DEVICE_DELETED"}
    assert set(made) == RECOVERED - seen
    twice = {"JOB_STATUS_CHANGE"}  # one for each job
    assert len({name for name in made if made.count(name) > 1} - twice) == 0


def test_a_journal_of_version_1(tmp_path: Path) -> None:
    """Written by 0.1.0 beside a fake QEMU; its policies do what they did, failures too."""
    path = shutil.copy(GOLDEN / "journal-v1.db", tmp_path / "journal.db")
    found = _replayed(Path(path), Request(compares=True))
    assert not found.exact
    assert found.differing == []
    assert _counted(found) == {
        "fails": ({"failed": 1}, {}),
        "limited": ({"succeeded": 1}, {"limited": 1}),
        "mark-it": ({"succeeded": 1}, {}),
        "paused-panic": ({"skipped": 1}, {}),
        "reset-it": ({"succeeded": 2}, {}),
        "waits": ({"failed": 1}, {}),
    }
