"""`reactor record` and `reactor replay`."""

import contextlib
import json
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reactor.cli.exits import UsageError
from reactor.cli.moments import parse_moment
from reactor.core.inputs import Connected, Facts, Happened
from tests.cli.journals import AT, event, row, write_rows

Call = Callable[..., tuple[int, str, str]]

GOLDEN = Path(__file__).parents[1] / "golden"
PANIC = """
policy: panic
description: d
trigger: {event: GUEST_PANICKED}
cooldown: 1h
steps:
  - guest: reset
  - publish: alert/info
"""


@pytest.fixture
def journal(here: Path) -> Path:
    """Two panics of a guest, five seconds apart."""
    path = here / "journal.db"
    panic = Happened(event("GUEST_PANICKED", data={"action": "pause"}))
    link = Connected("web-1", "1-1", Facts(status="running"))
    write_rows(path, [row(link, AT - 1), row(panic, AT), row(panic, AT + 5)])
    return path


@pytest.fixture
def rules(here: Path) -> Path:
    """One policy."""
    path = here / "panic.yaml"
    path.write_text(PANIC)
    return path


def test_what_was_recorded_is_replayed_as_the_journal_is(
    reactor: Call, journal: Path, rules: Path
) -> None:
    """The same counts from both."""
    code, _, err = reactor("record", "--journal", journal, "-o", "out.jsonl")
    assert (code, err) == (0, "")
    told = []
    for file in (journal, "out.jsonl"):
        code, out, err = reactor("replay", file, "--rules", rules, "-o", "json")
        assert (code, err) == (0, "")
        told.append(json.loads(out))
    assert told[0] == told[1]
    assert told[0]["policies"] == {
        "panic": {
            "matches": 2,
            "runs": {"succeeded": 1},
            "refused": {"cooling down": 1},
            "because": {},
            "commands": {"system_reset": 1, "cont": 1},
            "published": {"alert/info": 1},
            "marks": {},
        }
    }


def test_the_counts_for_people(reactor: Call, journal: Path, rules: Path) -> None:
    """One line a policy, and what it would have sent."""
    code, out, _ = reactor("replay", journal, "--rules", rules)
    first, *others = out.splitlines()
    assert code == 0
    assert first.endswith(" (6s): 3 inputs; nothing was executed")
    assert others == [
        "panic: 2 matches: 1 succeeded; 1 cooling down",
        "  sent: 1 system_reset, 1 cont",
        "  published: 1 alert/info",
        "note: 2 commands are assumed to succeed as a QEMU 7.2.22 would answer them",
    ]


def test_the_time_line(reactor: Call, journal: Path, rules: Path) -> None:
    """One object a line, in order, with reasons."""
    code, out, _ = reactor("replay", journal, "--rules", rules, "-o", "jsonl")
    told = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [one["what"] for one in told] == [
        *["step", "command", "command", "step", "publish", "run", "refused", "summary"]
    ]
    assert told[-2]["text"] == "cooling down"
    assert told[-1]["policies"]["panic"]["matches"] == 2


def test_the_time_line_for_people(reactor: Call, journal: Path, rules: Path) -> None:
    """Before the counts, each line with its reason."""
    code, out, _ = reactor("replay", journal, "--rules", rules, "-v")
    lines = [line.split("  ", 1)[1] for line in out.splitlines()[:7]]
    assert code == 0
    assert lines[0] == "web-1  panic  step  steps/0: guest: reset"
    assert lines[5] == "web-1  panic  run  succeeded"
    assert lines[6].startswith("web-1  panic  refused  cooling down: ")


def test_a_difference_is_exit_code_1(reactor: Call, journal: Path, rules: Path) -> None:
    """This journal knows of no run: the one of now is new."""
    code, out, _ = reactor("replay", journal, "--rules", rules, "--diff")
    assert code == 1
    shown = out.splitlines()[-5:-1]
    assert shown[:2] == ["--- what was done", "+++ what would be done"]
    assert shown[2].endswith("web-1 panic")
    assert shown[3] == "+ succeeded: guest: reset, publish; sent: system_reset, cont"


def test_a_journal_of_the_first_version_is_played(reactor: Call, here: Path) -> None:
    """Written by 0.1.0, with the policies that it kept; its guest was no real one."""
    file = shutil.copy(GOLDEN / "journal-v1.db", here)
    with contextlib.closing(sqlite3.connect(file)) as kept:
        texts = [text for (text,) in kept.execute("SELECT source FROM revision")]
    (here / "kept.yaml").write_text("\n---\n".join(texts))
    found: dict[str, Any] = {}
    for which in (["--rules", "kept.yaml"], ["--recorded"]):
        code, out, err = reactor("replay", file, *which, "--diff", "-o", "json")
        found = json.loads(out)
        assert (code, err) == (0, "")
        assert found["differences"] == []
    runs = {name: one["runs"] for name, one in found["policies"].items()}
    assert runs == {
        "fails": {"failed": 1},
        "limited": {"succeeded": 1},
        "mark-it": {"succeeded": 1},
        "paused-panic": {"skipped": 1},
        "reset-it": {"succeeded": 2},
        "waits": {"failed": 1},
    }
    assert found["policies"]["limited"]["refused"] == {"limited": 1}


def test_a_capture_knows_no_runs(reactor: Call, here: Path, rules: Path) -> None:
    """There is nothing to compare with."""
    (here / "web-1.jsonl").write_text('{"event": "GUEST_PANICKED", "data": {}}\nnothing\n')
    code, out, err = reactor("replay", "web-1.jsonl", "--rules", rules)
    assert code == 0
    assert "panic: 1 match: 1 succeeded" in out
    assert "note: 1 line could not be read" in out
    assert "web-1.jsonl: line 2: " in err
    code, out, _ = reactor("replay", "web-1.jsonl", "--rules", rules, "--strict", "--as", "vm")
    assert code == 1
    code, out, _ = reactor("replay", "web-1.jsonl", "--rules", rules, "--as", "vm", "--guest", "v*")
    assert (code, "panic: 1 match" in out) == (0, True)
    code, _, err = reactor("replay", "web-1.jsonl", "--rules", rules, "--diff")
    assert code == 2
    assert "a capture of events does not know what was done" in err


def test_policies_of_the_settings(reactor: Call, here: Path, journal: Path, rules: Path) -> None:
    """Their allow lists and limits count too."""
    del rules
    (here / "reactor.yaml").write_text(
        "rules: [panic.yaml]\nlimits: {reset: 1 per 1h per guest}\njournal: {path: journal.db}\n"
    )
    code, out, _ = reactor("replay", journal, "-c", "reactor.yaml")
    assert (code, "1 succeeded" in out) == (0, True)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        pytest.param(["replay", "journal.db"], 2, "no policies are named", id="no policies"),
        pytest.param(["replay", "no.db", "--rules", "panic.yaml"], 4, "cannot be read", id="file"),
        pytest.param(
            ["replay", "journal.db", "--rules", "bad.yaml"], 1, "bad.yaml:1:1", id="bad policy"
        ),
        pytest.param(
            ["replay", "journal.db", "--rules", "panic.yaml", "--since", "soon"],
            2,
            "`soon` is no moment",
            id="moment",
        ),
        pytest.param(["record", "--journal", "no.db"], 5, "there is no journal here", id="none"),
        pytest.param(
            ["record", "--journal", "journal.db", "-o", "panic.yaml"], 3, "File exists", id="there"
        ),
        pytest.param(
            ["record", "--journal", "journal.db", "-o", "new.jsonl", "--guest", "web1"],
            3,
            "the journal knows no guest 'web1'\n  fix: write 'web-1'",
            id="a guest that nobody knows",
        ),
    ],
)
@pytest.mark.usefixtures("journal", "rules")
def test_what_cannot_be_done(
    reactor: Call, here: Path, words: list[str], code: int, text: str
) -> None:
    """Each with a sentence and its exit code."""
    (here / "bad.yaml").write_text("nothing: x\n")
    found, _, err = reactor(*words)
    assert (found, text in err) == (code, True), err
    assert not (here / "new.jsonl").exists()


def test_a_policy_that_does_nothing_is_said(reactor: Call, journal: Path, rules: Path) -> None:
    """Nobody wonders whether anything was played."""
    rules.write_text(PANIC.replace("GUEST_PANICKED", "STOP"))
    code, out, _ = reactor("replay", journal, "--rules", rules)
    assert (code, out.splitlines()[1]) == (0, "no policy would have done anything")


@pytest.mark.parametrize(
    ("words", "problem", "fix"),
    [
        pytest.param(
            ("--guest", "web-11"), "no guest 'web-11' is in the record", "write 'web-1'", id="guest"
        ),
        pytest.param(
            ("--guest", "db*"),
            "no guest 'db*' is in the record",
            "write one of: web-1",
            id="a glob of guests",
        ),
        pytest.param(
            ("--policy", "panik"), "no policy 'panik' was played", "write 'panic'", id="policy"
        ),
        pytest.param(
            ("--policy", "x*", "--guest", "nosuch"),
            "no policy 'x*' was played",
            "write one of: panic",
            id="a glob of policies",
        ),
    ],
)
def test_a_name_that_nobody_has_is_no_good_result(  # noqa: PLR0917
    reactor: Call, journal: Path, rules: Path, words: tuple[str, ...], problem: str, fix: str
) -> None:
    """With the name that was meant, or those that there are."""
    code, out, err = reactor("replay", journal, "--rules", rules, *words)
    assert (code, out) == (3, "")
    assert err == f"reactor replay: {problem}\n  fix: {fix}\n"
    for glob in (("--guest", "web-*"), ("--policy", "p*")):
        assert reactor("replay", journal, "--rules", rules, *glob)[0] == 0


def test_a_name_of_the_policies_of_then(reactor: Call, here: Path) -> None:
    """Those that the record says were in force."""
    shutil.copy(GOLDEN / "journal-v1.db", here / "j.db")
    assert reactor("replay", "j.db", "--recorded", "--policy", "limited")[0] == 0
    code, _, err = reactor("replay", "j.db", "--recorded", "--policy", "limits")
    assert (code, err.splitlines()[-1]) == (3, "  fix: write 'limited'")


@pytest.mark.parametrize(
    ("text", "how"),
    [
        pytest.param("host:\n  name: h\n", "none of its 2 lines is one", id="settings"),
        pytest.param("", "it is empty", id="an empty file"),
        pytest.param('{"QMP": {}}\n', "none of its 1 lines is one", id="a greeting only"),
    ],
)
def test_a_file_that_is_no_recording(
    reactor: Call, here: Path, rules: Path, text: str, how: str
) -> None:
    """Nothing of it is played, and that is no good result."""
    (here / "what.yaml").write_text(text)
    code, out, err = reactor("replay", "what.yaml", "--rules", rules)
    assert (code, out) == (4, "")
    assert err == (
        f"what.yaml: this is neither a journal nor a recording: {how}\n"
        "  fix: name a journal, what `reactor record` wrote, or QMP events as JSON lines\n"
    )


def test_a_recording_of_nothing(reactor: Call, here: Path, rules: Path) -> None:
    """Its first line says that it is one."""
    (here / "empty.jsonl").write_text('{"recording": 1}\n')
    assert reactor("replay", "empty.jsonl", "--rules", rules)[0] == 0


@pytest.mark.parametrize(
    ("text", "at"),
    [
        pytest.param("30m", 1_000_000.0 - 1800, id="ago"),
        pytest.param("7d", 1_000_000.0 - 7 * 86400, id="days ago"),
        pytest.param("2026-01-31T12:00:00Z", 1769860800.0, id="with a zone"),
        pytest.param("2026-01-31 12:00+01:00", 1769857200.0, id="with an offset"),
    ],
)
def test_moments(text: str, at: float) -> None:
    """A time, or how long ago."""
    assert parse_moment(text, place="x", now=1_000_000.0) == at


def test_a_moment_without_a_zone_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the clock on the wall shows it."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert parse_moment("2026-01-31 12:00", place="x") == 1769857200.0
    finally:
        monkeypatch.undo()
        time.tzset()


def test_what_is_no_moment_is_a_mistake_of_usage() -> None:
    """With what to write."""
    with pytest.raises(UsageError, match="how long ago"):
        parse_moment("soon", place="reactor replay")


def test_a_part_of_a_journal_begins_with_how_things_stood(reactor: Call, here: Path) -> None:
    """The guest was connected before; the other guest and what came earlier are left out."""
    path = here / "journal.db"
    facts = Facts(status="running")
    panic = {"action": "pause"}
    write_rows(
        path,
        [
            row(Connected("web-1", "1-1", facts), AT - 9000),
            row(Connected("db-1", "1-1", facts), AT - 9000),
            row(Happened(event("GUEST_PANICKED", data=panic)), AT - 8000),
            row(Happened(event("STOP", "db-1")), AT + 1),
            row(Happened(event("STOP", "web-1")), AT + 2),
        ],
    )
    since = "2027-01-15T08:00:00Z"
    code, out, err = reactor("record", "--journal", path, "--since", since, "--guest", "web-*")
    assert (code, err) == (0, "")
    head, *lines = [json.loads(line) for line in out.splitlines()]
    assert "whole" not in head
    told = [(round(line["at"] - AT, 2), line["input"]["type"]) for line in lines]
    assert told == [(-0.25, "connected"), (2.0, "event")]
