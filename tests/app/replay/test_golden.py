"""Old recordings stay replayable: what comes of them is what came of them."""

import shutil
from pathlib import Path

from reactor.app.replay.replaying import Replayed, Request, replay
from reactor.app.replay.sources import Skipped, open_source
from reactor.app.shipped import shipped_rules
from reactor.policyfile.check import load

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
