"""``reactor events``: what the journal holds."""

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reactor.adapters.journal import InputRow
from reactor.app.records import made_row
from reactor.app.refusals import Refusals
from reactor.cli import events as verb
from reactor.cli.exits import Exit
from reactor.core.inputs import Connected, Facts, Happened
from tests.cli.conftest import Call
from tests.cli.journals import AT, event, row, write_events, write_rows


@pytest.fixture
def journal(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A journal with five events of two guests; times are those of UTC."""
    path = here / "journal.db"
    write_events(
        path,
        event("STOP"),
        event("BLOCK_IO_ERROR", "db-1", data={"node-name": "disk0", "nospace": True}),
        event("GUEST_PANICKED", data={"action": "pause"}),
        event("RESET", data={"guest": False}),
        event("BLOCK_JOB_ERROR", "db-1"),
    )
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield path
    time.tzset()


def test_text_has_a_line_for_each_event(reactor: Call, journal: Path) -> None:
    """When it came, guest, name and data."""
    assert reactor("events", "--journal", journal) == (
        Exit.OK,
        (
            "2027-01-15 08:00:00.250  web-1  STOP  {}\n"
            "2027-01-15 08:00:00.250  db-1  BLOCK_IO_ERROR  "
            '{"node-name": "disk0", "nospace": true}\n'
            '2027-01-15 08:00:00.250  web-1  GUEST_PANICKED  {"action": "pause"}\n'
            '2027-01-15 08:00:00.250  web-1  RESET  {"guest": false}\n'
            "2027-01-15 08:00:00.250  db-1  BLOCK_JOB_ERROR  {}\n"
        ),
        "",
    )


IO_ERROR = {
    "seq": 3,
    "guest": "db-1",
    "name": "BLOCK_IO_ERROR",
    "received": "2027-01-15T08:00:00.250000Z",
    "time": "2027-01-15T08:00:00Z",
    "own": False,
    "synthetic": False,
    "data": {"node-name": "disk0", "nospace": True},
}


def test_json_lines_have_an_object_for_each_event(reactor: Call, journal: Path) -> None:
    """With everything that is known of it; QMP's own hyphens in the data."""
    _, out, _ = reactor("events", "--journal", journal, "-o", "jsonl")
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines[1] == IO_ERROR
    assert [line["seq"] for line in lines] == [2, 3, 4, 5, 6]


def test_own_events_and_those_that_reactor_made_are_there_too(reactor: Call, here: Path) -> None:
    """What our commands caused says so; inputs that are no events are left out."""
    path = here / "journal.db"
    reset = event("RESET", own=True)
    made = made_row(AT, event("REACTOR_MARK_SET"))
    write_rows(path, [row(Connected("web-1", "epoch", Facts())), row(Happened(reset)), made])
    _, out, _ = reactor("events", "--journal", path)
    assert [line.split("  ")[2:] for line in out.splitlines()] == [
        ["RESET", "{} (own)"],
        ["REACTOR_MARK_SET", "{}"],
    ]


def test_json_is_a_list(reactor: Call, journal: Path) -> None:
    """Of the same objects."""
    _, out, _ = reactor("events", "--journal", journal, "-o", "json")
    assert json.loads(out)[1] == IO_ERROR


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        pytest.param([], ["STOP", "BLOCK_IO_ERROR", "GUEST_PANICKED", "RESET"], id="all"),
        pytest.param(["--guest", "web-1"], ["STOP", "GUEST_PANICKED", "RESET"], id="a guest"),
        pytest.param(["--guest", "db-*"], ["BLOCK_IO_ERROR", "BLOCK_JOB_ERROR"], id="guests"),
        pytest.param(["--event", "RESET"], ["RESET"], id="an event"),
        pytest.param(["--event", "BLOCK_*"], ["BLOCK_IO_ERROR", "BLOCK_JOB_ERROR"], id="events"),
        pytest.param(["--event", "BLOCK_JOB_READY"], [], id="one that did not come"),
        pytest.param(["--guest", "none", "-n", "0"], [], id="none are wanted"),
        pytest.param(
            ["--event", "*_ERROR", "--guest", "web-1"], [], id="an event of another guest"
        ),
        pytest.param(["-n", "2"], ["RESET", "BLOCK_JOB_ERROR"], id="the latest two"),
        pytest.param(["-n", "2", "--guest", "web-1"], ["GUEST_PANICKED", "RESET"], id="of a guest"),
        pytest.param(["-n", "0"], [], id="none"),
    ],
)
def test_what_is_asked_for_is_shown(
    reactor: Call, journal: Path, flags: list[str], names: list[str]
) -> None:
    """In the order of arrival."""
    code, out, _ = reactor("events", "--journal", journal, "-o", "jsonl", *flags)
    shown = [json.loads(line)["name"] for line in out.splitlines()]
    assert code == Exit.OK
    assert shown[: len(names)] == names
    assert len(shown) == (5 if not flags else len(names))


@pytest.mark.parametrize(
    ("flags", "problem", "fix"),
    [
        pytest.param(
            ["--guest", "web1"], "the journal knows no guest 'web1'", "write 'web-1'", id="guest"
        ),
        pytest.param(
            ["--guest", "x*"],
            "the journal knows no guest 'x*'",
            "write one of: db-1, web-1",
            id="guests",
        ),
        pytest.param(
            ["--event", "reset"], "no event is called 'reset'", "write 'RESET'", id="capitals"
        ),
        pytest.param(["--event", "STP"], "no event is called 'STP'", "write 'STOP'", id="event"),
    ],
)
def test_a_name_that_nobody_has(
    reactor: Call, journal: Path, flags: list[str], problem: str, fix: str
) -> None:
    """It is no empty answer: exit code 3."""
    code, out, err = reactor("events", "--journal", journal, *flags)
    assert (code, out) == (Exit.REFUSED, "")
    assert err == f"reactor events: {problem}\n  fix: {fix}\n"


def test_twenty_are_shown_when_nobody_says_how_many(reactor: Call, here: Path) -> None:
    """The latest, of more than are read at once."""
    path = here / "journal.db"
    count = 2 * verb.PAGE + 7
    write_rows(path, [row(Happened(event(f"E{number}"))) for number in range(count)])
    _, out, _ = reactor("events", "--journal", path, "-o", "jsonl")
    names = [json.loads(line)["name"] for line in out.splitlines()]
    assert names == [f"E{number}" for number in range(count - 20, count)]


@pytest.mark.parametrize("number", [0, 4999, 5000, 5001, 10_001])
def test_a_rare_event_is_found_wherever_it_is(reactor: Call, here: Path, number: int) -> None:
    """On each side of what is read at once."""
    path = here / "journal.db"
    rows = [row(Happened(event("NOISE"))) for _ in range(2 * verb.PAGE + 2)]
    rows[number] = row(Happened(event("RARE", data={"n": number})))
    write_rows(path, rows)
    _, out, _ = reactor("events", "--journal", path, "--event", "RARE", "-o", "jsonl")
    (line,) = out.splitlines()
    assert json.loads(line)["data"] == {"n": number}


def test_rows_that_are_gone_show_no_event_twice(
    reactor: Call, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers are skipped, and pages overlap where they are."""
    path = here / "journal.db"
    write_rows(path, [row(Happened(event(f"E{number}"))) for number in range(1, 11)])
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM history WHERE seq IN (1, 2, 5, 6, 9)")
    monkeypatch.setattr(verb, "PAGE", 3)
    _, out, _ = reactor("events", "--journal", path, "-o", "jsonl")
    shown = [json.loads(line)["name"] for line in out.splitlines()]
    assert shown == ["E3", "E4", "E7", "E8", "E10"]


def test_refused_requests_are_shown_in_place_of_events(reactor: Call, here: Path) -> None:
    """Also those about guests that nobody has; a row of another version as far as it goes."""
    path = here / "journal.db"
    rows: list[InputRow] = []
    refusals = Refusals(rows.extend, lambda: AT)
    refusals.note("w", "set/hold/web-9", "no guest", fix="f", who="anna", about=("", "web-9"))
    refusals.note("w", "cmd/web-1/stop", "too large", about=("cmd/stop", "web-1"))
    broken = InputRow(AT, "web-1", "refused", "x", b"?")
    write_rows(path, [*rows, broken, row(Happened(event("STOP")))])
    _, out, _ = reactor("events", "--refused", "--journal", path)
    assert [line.split("  ", 1)[1] for line in out.splitlines()] == [
        "web-9  set/hold/web-9  by anna: no guest",
        "web-1  cmd/web-1/stop  too large",
        "web-1  x  (it cannot be read)",
    ]
    code, out, _ = reactor("events", "--refused", "--guest", "nobody", "--journal", path)
    assert (code, out) == (Exit.OK, "")
    # That a request named it makes it no guest.
    for words in (["events"], ["runs"], ["record", "-o", "new.jsonl"]):
        code, _, err = reactor(*words, "--guest", "web-9", "--journal", path)
        assert (code, err.partition("fix: ")[2]) == (Exit.REFUSED, "write 'web-1'\n")
    _, out, _ = reactor("events", "--refused", "--guest", "web-9", "-o", "jsonl", "--journal", path)
    assert json.loads(out) == {
        "seq": 1,
        "at": "2027-01-15T08:00:00.250000Z",
        "what": "set/hold/web-9",
        "guest": "web-9",
        "reason": "no guest",
        "fix": "f",
        "who": "anna",
    }


def test_an_empty_journal_has_no_events(reactor: Call, here: Path) -> None:
    """That is no error."""
    write_rows(here / "journal.db", [])
    for output, printed in (("text", ""), ("jsonl", ""), ("json", "[]\n")):
        shown = reactor("events", "--journal", "journal.db", "-o", output)
        assert shown == (Exit.OK, printed, "")


def test_a_row_of_another_version_is_shown_as_far_as_it_goes(reactor: Call, here: Path) -> None:
    """Nothing is left out."""
    write_rows(here / "journal.db", [InputRow(AT, "web-1", "event", "NEW", b"{}")])
    _, out, _ = reactor("events", "--journal", "journal.db")
    assert out.endswith("  web-1  NEW  (its data cannot be read)\n")
    _, out, _ = reactor("events", "--journal", "journal.db", "-o", "jsonl")
    line = json.loads(out)
    assert (line["guest"], line["name"], line["data"]) == ("web-1", "NEW", None)


def test_a_guest_cannot_steer_the_terminal(reactor: Call, here: Path) -> None:
    """Neither by its name nor by its data."""
    hostile = event("STOP", "\x1b[2Jx", data={"\x9b": "\x1b]0;x\x07"})
    write_events(here / "journal.db", hostile)
    _, out, _ = reactor("events", "--journal", "journal.db")
    assert "\x1b" not in out
    assert "\x9b" not in out
    assert "\\x1b[2Jx" in out


def test_the_settings_name_the_journal(reactor: Call, journal: Path, here: Path) -> None:
    """With -c, or where they are looked for."""
    settings = here / "settings.yaml"
    settings.write_text("journal: {path: journal.db}\n", encoding="utf-8")
    assert journal.exists()
    assert len(reactor("events", "-c", settings)[1].splitlines()) == 5
    home = here.parent / "home" / ".config" / "reactor"
    home.mkdir(parents=True)
    (home / "reactor.yaml").write_text(f"journal: {{path: {journal}}}\n", encoding="utf-8")
    assert len(reactor("events")[1].splitlines()) == 5


def test_without_settings_the_journal_of_the_user_is_read(reactor: Call, here: Path) -> None:
    """The one that `reactor run --qmp` writes."""
    path = here.parent / "home" / ".local" / "state" / "reactor" / "journal.db"
    write_events(path, event("STOP"))
    assert "STOP" in reactor("events")[1]


NO_JOURNAL = (
    "there is no journal here\n"
    "  fix: start the daemon first (`reactor run`), or name its journal with --journal or -c\n"
)


def test_without_a_journal_the_daemon_does_not_run(reactor: Call) -> None:
    """Exit code 5, and how to name another one."""
    code, out, err = reactor("events", "--journal", "none.db")
    assert (code, out) == (Exit.NOT_RUNNING, "")
    assert err == f"none.db: {NO_JOURNAL}"


def test_a_journal_that_cannot_be_reached_is_told(reactor: Call, here: Path) -> None:
    """Exit code 4."""
    (here / "file").write_text("", encoding="utf-8")
    code, out, err = reactor("events", "--journal", "file/journal.db")
    assert (code, out) == (Exit.CANNOT_CONNECT, "")
    assert err == (
        "file/journal.db: the journal cannot be read: Not a directory\n"
        "  fix: run this as the user that runs the daemon\n"
    )


def test_a_file_that_is_no_journal_is_told(reactor: Call, here: Path) -> None:
    """Exit code 4, in the journal's own words."""
    (here / "a.db").write_text("not a database, but long enough to be one" * 20, encoding="utf-8")
    code, out, err = reactor("events", "--journal", "a.db")
    assert (code, out) == (Exit.CANNOT_CONNECT, "")
    assert err.startswith("a.db: ")
    assert "\n  fix: " in err


def test_a_list_that_never_ends_is_refused(reactor: Call, journal: Path) -> None:
    """With the format to use."""
    assert reactor("events", "-f", "-o", "json", "--journal", journal) == (
        Exit.USAGE,
        "",
        (
            "reactor events: `-o json` is a list, and -f has no end\n"
            "  fix: write `-o jsonl`: one JSON object a line\n"
        ),
    )
