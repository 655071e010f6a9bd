"""The operator's verbs: what they ask, what they print, how they end."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from reactor.adapters.control import Answer, Code
from reactor.adapters.journal import Figures
from reactor.app.control.answers import (
    DaemonLine,
    GuestLine,
    JournalLine,
    LackLine,
    Matrix,
    NotReady,
    PolicyLine,
    ReadyLine,
    RunLine,
    Status,
)
from reactor.app.control.asks import (
    AskGuests,
    AskMarks,
    AskReadiness,
    AskRun,
    AskRuns,
    AskStatus,
    AskWhy,
)
from reactor.app.refusals import Refused
from reactor.app.timeline import Entry, Timeline
from reactor.app.why.reasons import Finding, Moment, Why
from reactor.app.why.reasons import Mark as Sign
from reactor.cli.exits import Exit
from reactor.core.inputs import Happened
from reactor.core.marks import Mark, MarkKind
from reactor.core.orders import (
    AddSilence,
    Approve,
    CancelRun,
    ClearMark,
    EndInhibitions,
    ExpireSilence,
    HoldGuests,
    Order,
    ReleaseGuests,
    SetMark,
    StartRun,
)
from reactor.core.restraints import Hold, Inhibition, Silence
from tests.cli.conftest import Call
from tests.cli.fake_daemon import FakeDaemon
from tests.cli.journals import AT, event, row, write_rows

NOW = 1_800_000_000.25
"""2027-01-15T08:00:00.25Z."""


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def daemon(here: Path) -> Iterator[FakeDaemon]:
    """A daemon where the settings of this folder say."""
    (here / "r.yaml").write_text("control: {socket: c.sock}\njournal: {path: j.db}\n")
    with FakeDaemon(here / "c.sock").running() as running:
        yield running


def test_the_daemon_is_found_without_any_option(reactor: Call, tmp_path: Path) -> None:
    """Where `reactor run` without a settings file listens."""
    path = tmp_path / "home/.local/state/reactor/journal.db.sock"
    with FakeDaemon(path).running() as running:
        running.says([])
        assert reactor("guests")[0] == 0
        assert reactor("guests", "--journal", tmp_path / "other.db")[0] == Exit.NOT_RUNNING


# -------------------------------------------------------------------- orders


@pytest.mark.parametrize(
    ("words", "order"),
    [
        pytest.param("approve r-1", Approve("r-1"), id="approve"),
        pytest.param(
            "approve r-1 --no --comment never",
            Approve("r-1", yes=False, comment="never"),
            id="approve no",
        ),
        pytest.param("runs cancel r-1", CancelRun("r-1"), id="cancel"),
        pytest.param("trigger p web-1", StartRun("p", "web-1"), id="trigger"),
        pytest.param(
            'trigger p web-1 --data {"a":[1]}', StartRun("p", "web-1", {"a": [1]}), id="with data"
        ),
        pytest.param("hold --comment why", HoldGuests("", None, "why"), id="hold all"),
        pytest.param(
            "hold --guest web-1 --for 1h30m --comment why",
            HoldGuests("web-1", 5400.0, "why"),
            id="hold one",
        ),
        pytest.param("release", ReleaseGuests(""), id="release all"),
        pytest.param("release --guest web-1", ReleaseGuests("web-1"), id="release one"),
        pytest.param(
            "release --guest web-1 --inhibited", EndInhibitions("web-1"), id="end what is inhibited"
        ),
        pytest.param(
            "silence add p-* q --for 30m --comment c",
            AddSilence(("p-*", "q"), ("*",), 1800.0, "c"),
            id="silence everywhere",
        ),
        pytest.param(
            "silence add p --guest web-* --guest db-1 --for 1d --comment c",
            AddSilence(("p",), ("web-*", "db-1"), 86_400.0, "c"),
            id="silence on guests",
        ),
        pytest.param("silence expire s-3", ExpireSilence("s-3"), id="expire"),
        pytest.param(
            "marks set web-1 disk disk0 --as bad --reason smoke --expires 2h",
            SetMark("web-1", "disk", "disk0", "bad", "smoke", 7200.0),
            id="set a mark",
        ),
        pytest.param(
            "marks set web-1 guest --as odd", SetMark("web-1", "guest", "", "odd"), id="on a guest"
        ),
        pytest.param(
            "marks set web-1 guest self --as odd",
            SetMark("web-1", "guest", "self", "odd"),
            id="on a guest, as lists show it",
        ),
        pytest.param(
            "marks clear web-1 disk disk0", ClearMark("web-1", "disk", "disk0"), id="clear all"
        ),
        pytest.param(
            "marks clear web-1 disk disk0 --as bad",
            ClearMark("web-1", "disk", "disk0", "bad"),
            id="clear one",
        ),
    ],
)
def test_an_order_is_given_as_it_was_written(
    reactor: Call, daemon: FakeDaemon, words: str, order: Order
) -> None:
    """And what was done is printed as the daemon says it."""
    daemon.replies("it is done", run="r-1")
    assert reactor(*words.split(), "-c", "r.yaml") == (0, "it is done\n", "")
    assert daemon.order == order


def test_an_order_for_programs(reactor: Call, daemon: FakeDaemon) -> None:
    """With the names that they need to go on."""
    daemon.replies("silence s-1 by ...", silence="s-1")
    words = ("silence", "add", "p", "--for", "1h", "--comment", "c", "-c", "r.yaml", "-o", "json")
    code, out, err = reactor(*words)
    assert (code, err) == (0, "")
    assert json.loads(out) == {"text": "silence s-1 by ...", "data": {"silence": "s-1"}}


@pytest.mark.parametrize(
    ("answer", "code", "told"),
    [
        pytest.param(
            Answer(Code.REFUSED, "run r-1 is not open any more"),
            Exit.REFUSED,
            "reactor approve: run r-1 is not open any more\n"
            "  fix: `reactor status` and `reactor why` show how it stands\n",
            id="the engine refuses",
        ),
        pytest.param(
            Answer(Code.FORBIDDEN, "uid 7 may not", "ask root"),
            Exit.REFUSED,
            "{here}/c.sock: uid 7 may not\n  fix: ask root\n",
            id="the daemon refuses",
        ),
        pytest.param(
            Answer(Code.LATE, "no answer within 30 s", "look at the log"),
            Exit.CANNOT_CONNECT,
            "reactor approve: no answer within 30 s\n  fix: look at the log\n",
            id="too late",
        ),
        pytest.param(
            Answer(Code.BUSY, "too many connections", "try again"),
            Exit.CANNOT_CONNECT,
            "reactor approve: too many connections\n  fix: try again\n",
            id="too busy",
        ),
        pytest.param(
            Answer(Code.VERSION, "version 1", "use the other"),
            Exit.CANNOT_CONNECT,
            "reactor approve: version 1\n  fix: use the other\n",
            id="another version",
        ),
        pytest.param(
            Answer(Code.FAILED, "/j.db: the disk failed", "dmesg"),
            Exit.CANNOT_CONNECT,
            "reactor approve: /j.db: the disk failed\n  fix: dmesg\n",
            id="it failed",
        ),
    ],
)
def test_what_is_not_done_is_told_with_its_exit_code(  # noqa: PLR0917
    reactor: Call, daemon: FakeDaemon, here: Path, answer: Answer, code: int, told: str
) -> None:
    """On standard error; nothing is printed that looks like success."""
    daemon.answer = answer
    expected = told.format(here=here)
    assert reactor("approve", "r-1", "-c", "r.yaml") == (code, "", expected)


@pytest.mark.parametrize(
    "words",
    [
        *("status", "guests", "marks", "silence", "silence list", "release"),
        *("hold --comment x", "approve r-1", "trigger p g", "runs cancel r-1"),
        *("marks clear g disk d", "marks set g disk d --as w", "silence expire s-1"),
        "silence add p --for 1h --comment c",
    ],
)
def test_without_a_daemon_nothing_is_done(reactor: Call, here: Path, words: str) -> None:
    """Exit code 5 and the sentence that says so."""
    (here / "r.yaml").write_text("control: {socket: c.sock}\n")
    code, out, err = reactor(*words.split(), "-c", "r.yaml")
    assert (code, out) == (Exit.NOT_RUNNING, "")
    assert err == (
        f"{here}/c.sock: the daemon does not run: nobody listens here\n"
        "  fix: start it (`reactor run`), or name its settings with -c or its journal "
        "with --journal\n"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(
            ["hold"],
            "reactor hold: missing option '--comment'\n"
            "  fix: `reactor hold --help` shows how it is written\n",
            id="a hold says why",
        ),
        pytest.param(
            ["silence", "add", "p", "--for", "1h"],
            "reactor silence add: missing option '--comment'\n"
            "  fix: `reactor silence add --help` shows how it is written\n",
            id="a silence says why",
        ),
        pytest.param(
            ["hold", "--comment", "c", "--for", "2"],
            "reactor hold: '2' has no unit: write 2s, 2m or 2h\n"
            "  fix: write such as 30m, 2h or 1d\n",
            id="a length without its unit",
        ),
        pytest.param(
            ["hold", "--comment", " "],
            "reactor hold: the comment is empty\n"
            "  fix: say why, for who looks next: --comment 'disk swap'\n",
            id="a hold that says nothing",
        ),
        pytest.param(
            ["silence", "add", "p", "--for", "1h", "--comment", ""],
            "reactor silence add: the comment is empty\n"
            "  fix: say why, for who looks next: --comment 'disk swap'\n",
            id="a silence that says nothing",
        ),
        *(
            pytest.param(
                [*words, "--guest", ""],
                f"reactor {verb}: the name of the guest is empty\n"
                "  fix: name a guest, or leave --guest out for all\n",
                id=f"{verb}: a variable that is not set does not mean all",
            )
            for verb, words in (
                ("hold", ["hold", "--comment", "c"]),
                ("release", ["release"]),
                ("silence add", ["silence", "add", "p", "--for", "1h", "--comment", "c"]),
            )
        ),
        *(
            pytest.param(
                words,
                f"reactor {' '.join(words[:number])}: '0s' would be over at once\n"
                "  fix: write such as 30m, 2h or 1d\n",
                id=f"{words[0]} for no time",
            )
            for number, words in (
                (1, ["hold", "--comment", "c", "--for", "0s"]),
                (2, ["silence", "add", "p", "--comment", "c", "--for", "0s"]),
                (2, ["marks", "set", "g", "guest", "--as", "x", "--expires", "0s"]),
            )
        ),
        pytest.param(
            ["marks", "set", "web-1", "dsk", "a", "--as", "x"],
            "reactor marks set: 'dsk' is no kind of mark\n  fix: write 'disk'\n",
            id="a kind of mark that is near",
        ),
        pytest.param(
            ["marks", "clear", "web-1", "nothing"],
            "reactor marks clear: 'nothing' is no kind of mark\n"
            "  fix: write one of guest, host, disk, memory, port, migration\n",
            id="no kind of mark",
        ),
        pytest.param(
            ["marks", "set", "web-1", "guest", "foo", "--as", "x"],
            "reactor marks set: a mark on the guest itself has no id: 'foo' is one\n"
            "  fix: leave 'foo' out, or say what it is: `reactor marks set web-1 disk foo`\n",
            id="an id for the guest itself",
        ),
        pytest.param(
            ["marks", "clear", "web-1", "host", "foo"],
            "reactor marks clear: a mark on the host itself has no id: 'foo' is one\n"
            "  fix: leave 'foo' out, or say what it is: `reactor marks clear web-1 disk foo`\n",
            id="an id for the host itself",
        ),
        pytest.param(
            ["marks", "set", "web-1", "disk", "--as", "x"],
            "reactor marks set: it is not said which disk of the guest\n"
            "  fix: name the disk: `reactor marks set web-1 disk ID`\n",
            id="no id of a disk",
        ),
        pytest.param(
            ["marks", "set", "web-1", "guest", "--as", ""],
            "reactor marks set: the word of the mark is empty\n"
            "  fix: write such as --as degraded\n",
            id="a mark that says nothing",
        ),
        pytest.param(
            ["marks", "clear", "web-1", "disk", "disk0", "--as", ""],
            "reactor marks clear: the word of the mark is empty\n"
            "  fix: name the word, or leave --as out for all marks of it\n",
            id="clear a mark that says nothing",
        ),
        pytest.param(
            ["runs", "sho", "r-1"],
            "reactor runs: there is no verb `sho`\n  fix: did you mean `show`?\n",
            id="a near verb of a family",
        ),
        pytest.param(
            ["runs", "frobnicate"],
            "reactor runs: there is no verb `frobnicate`\n"
            "  fix: `reactor runs --help` lists the verbs\n",
            id="an unknown verb of a family",
        ),
        pytest.param(
            ["runs", "--open", "show", "r-1"],
            "reactor runs: options stand in front of `show`\n"
            "  fix: put them behind it: `reactor runs show OPTIONS`\n",
            id="options that would be lost",
        ),
        pytest.param(
            ["trigger", "p", "g", "--data", "{a"],
            "reactor trigger: --data is no JSON: Expecting property name enclosed in double "
            "quotes: line 1 column 2 (char 1)\n"
            '  fix: write an object in single quotes: --data \'{"device": "disk0"}\'\n',
            id="data that is no JSON",
        ),
        pytest.param(
            ["trigger", "p", "g", "--data", "[1]"],
            "reactor trigger: --data is no JSON object\n"
            '  fix: write an object: --data \'{"device": "disk0"}\'\n',
            id="data that is no object",
        ),
        pytest.param(
            ["release", "--inhibited"],
            "reactor release: --inhibited is about one guest\n  fix: name it with --guest\n",
            id="inhibited, on no guest",
        ),
        pytest.param(
            ["why", "p", "g", "--at", "soon"],
            "reactor why: 'soon' is no time\n"
            "  fix: write 2026-01-31T12:00:00Z, '2026-01-31 12:00', 12:00 (here) "
            "or 10m (ago)\n",
            id="no time",
        ),
    ],
)
def test_a_mistake_is_told_before_anybody_is_asked(
    reactor: Call, daemon: FakeDaemon, words: list[str], told: str
) -> None:
    """With what to write instead."""
    assert reactor(*words) == (Exit.USAGE, "", told)
    assert daemon.asked == []


@pytest.mark.parametrize(
    "words",
    [
        *("runs show", "runs cancel", "marks set", "marks clear"),
        *("silence add", "silence list", "silence expire"),
    ],
)
def test_every_verb_of_a_family_has_help_with_an_example(reactor: Call, words: str) -> None:
    """The example is a command line of that verb."""
    code, out, err = reactor(*words.split(), "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: reactor {words} [OPTIONS]")
    assert f"\n    reactor {words}" in out.partition("Examples:\n")[2].join(["\n", ""])


# -------------------------------------------------------------------- status

DAEMON = DaemonLine(
    version="0.1.0",
    pid=4711,
    host="h1",
    since=NOW - 7200,
    now=NOW,
    journal="/var/lib/reactor/journal.db",
    journal_problem="",
    broker="connected",
    broker_url="mqtt://b",
    policies=2,
    policy_problems=0,
    audit=False,
    waiting={"inputs": 0, "outbox": 3},
    dropped={},
)

AWAY = ("web-2", False, "disconnected")

LACK = LackLine("p", "cannot fire", "no panic device", 5, ["web-1", "web-2", "web-3"])

WELL = Status(
    daemon=DAEMON,
    guests=1,
    connected=1,
    away=[],
    policies=[PolicyLine("p", "enforce", 1, 1, 0)],
    not_ready=[],
    not_ready_count=0,
    lacks=[],
    lack_count=0,
    runs=[],
    run_count=0,
    marks=[],
    mark_count=0,
    holds=[],
    silences=[],
    inhibitions=[],
)


def test_the_status_of_a_daemon_that_is_well(reactor: Call, daemon: FakeDaemon) -> None:
    """Short: nothing is listed that is not there."""
    daemon.says(WELL)
    code, out, err = reactor("status", "-c", "r.yaml")
    assert (code, err) == (0, "")
    assert daemon.asked == [AskStatus()]
    assert out == (
        "reactor 0.1.0 on h1, process 4711, since 2027-01-15 06:00:00.250 (2h)\n"
        "journal:  /var/lib/reactor/journal.db: ok\n"
        "broker:   mqtt://b: connected\n"
        "waiting:  outbox: 3\n"
        "dropped:  nothing\n"
        "\n"
        "guests: 1, 1 connected\n"
        "\n"
        "policies: 2\n"
        "POLICY  ENFORCEMENT  GUESTS  READY  OPEN RUNS\n"
        "p       enforce      1       1      0\n"
        "and 1 more: `-o json` has the counts\n"
        "\n"
        "open runs: 0\n"
    )


def test_the_status_shows_the_journal_in_figures(reactor: Call, daemon: FakeDaemon) -> None:
    """Size, reach, what was removed, and how long commits take; before the first look only that."""
    rows = {"history": 7, "intents_open": 1}
    figures = Figures(3 << 20, 2 << 20, 0, rows, NOW - 60, {"history": 5, "run": 1}, NOW - 30)
    line = JournalLine(None, 12, 0.001, 0.0025, 0.25)
    young = msgspec.structs.replace(DAEMON, journal_figures=line)
    daemon.says(msgspec.structs.replace(WELL, daemon=young))
    commits = "          12 commits, the last took 1.0ms; of the last 512 p50 2.5ms, max 250.0ms\n"
    _, out, _ = reactor("status", "-c", "r.yaml")
    assert f"journal.db: ok\n{commits}broker:" in out
    line = msgspec.structs.replace(line, figures=figures, trouble="it is too large")
    old = msgspec.structs.replace(DAEMON, journal_figures=line)
    daemon.says(msgspec.structs.replace(WELL, daemon=old))
    _, out, _ = reactor("status", "-c", "r.yaml")
    assert (
        "          3MiB, 7 history, 1 intents open, since 2027-01-15 07:59:00.250; "
        "removed: 5 history, 1 run, last at 2027-01-15 07:59:30.250\n"
        f"{commits}          it is too large\nbroker:"
    ) in out


def test_the_status_says_all_that_is_wrong(reactor: Call, daemon: FakeDaemon) -> None:
    """Each with its reason, and who did it."""
    ill = msgspec.structs.replace(
        DAEMON,
        journal_problem="the disk is full",
        broker="none",
        audit=True,
        policy_problems=2,
        dropped={"history": 7, "messages for no guest": 1, "outbox: expired": 2},
        check="reactor check -c r.yaml",
    )
    mark = Mark("web-1", MarkKind.DISK, "disk0", "bad", "smoke", NOW, "p", "r-1")
    daemon.says(
        msgspec.structs.replace(
            WELL,
            daemon=ill,
            away=[GuestLine(*AWAY, NOW - 60, trouble="refused")],
            not_ready=[NotReady("p", "web-1", "not ready", "set-action: no")],
            not_ready_count=1,
            lacks=[LACK, msgspec.structs.replace(LACK, guests=2)],
            lack_count=3,
            runs=[RunLine("r-1", "p", "web-1", "running", admitted=NOW - 5, reason="held")],
            run_count=3,
            marks=[mark],
            mark_count=1,
            holds=[Hold("web-1", NOW, "uid 0 (root)", None, "swap")],
            silences=[Silence("s-1", ("p",), ("*",), NOW, NOW + 60, "uid 0 (root)")],
            inhibitions=[Inhibition("web-1", "q-*", "p", "r-1", NOW + 60)],
        )
    )
    _, out, _ = reactor("status", "-c", "r.yaml")
    for line in (
        (
            "journal:  /var/lib/reactor/journal.db: the disk is full\n"
            "          nothing is done to any guest until it can be written"
        ),
        "broker:   none in the settings",
        "dropped:  history: 7; messages for no guest: 1; outbox, expired: 2",
        "audit:    the settings let no policy act",
        "rules:    2 errors: `reactor check -c r.yaml` shows what is wrong",
        "web-2  disconnected  1m   refused",
        "p       web-1  not ready  set-action: no",
        "lacking: 3, see `reactor readiness`",
        "p       cannot fire  web-1, web-2 and 3 more  no panic device",
        "p       cannot fire  web-1, web-2             no panic device",
        "and 1 more: `-o json` has the counts",
        "r-1  p       web-1  5s   running  held",
        "and 2 more: `-o json` has the counts",
        "web-1  disk disk0  bad  smoke",
        "web-1 is held by uid 0 (root) until it is released: swap",
        "silence s-1 by uid 0 (root) until 2027-01-15T08:01:00Z",
        "p inhibits `q-*` on web-1 until 2027-01-15 08:01:00.250",
    ):
        assert f"{line}\n" in out


def test_the_status_for_programs(reactor: Call, daemon: FakeDaemon) -> None:
    """All of it, as the daemon gave it."""
    daemon.says(WELL)
    _, out, _ = reactor("status", "-c", "r.yaml", "-o", "json")
    assert msgspec.json.decode(out, type=Status) == WELL


# --------------------------------------------------------------------- lists


def test_guests_are_a_table(reactor: Call, daemon: FakeDaemon) -> None:
    """What holds or ails one is its note."""
    daemon.says(
        [
            GuestLine(*AWAY, NOW, trouble="refused"),
            GuestLine(
                *("web-1", True, "running", NOW),
                qemu="7.2.22",
                labels={"tier": "web", "a": "b"},
                marks=2,
                runs=1,
                policies=5,
                not_ready=1,
                lacking=3,
            ),
        ]
    )
    code, out, err = reactor("guests", "-c", "r.yaml")
    assert (code, err) == (0, "")
    assert daemon.asked == [AskGuests()]
    assert [" ".join(line.split()) for line in out.splitlines()] == [
        "GUEST STATUS QEMU POLICIES NOT READY LACKING RUNS MARKS LABELS NOTE",
        "web-2 disconnected - 0 0 0 0 0 - refused",
        "web-1 running 7.2.22 5 1 3 1 2 a=b,tier=web",
    ]
    words = ("STATUS", "disconnected", "running")
    assert [line.index(word) for line, word in zip(out.splitlines(), words, strict=True)] == [7] * 3


ROWS = [
    ReadyLine("p", "web-1", "cannot fire", "no panic device"),
    ReadyLine("q", "web-10", "ready"),
]


def test_readiness_is_a_table(reactor: Call, daemon: FakeDaemon) -> None:
    """What is asked for goes to the daemon; rows that are left out are told."""
    daemon.says(Matrix(ROWS, cut=True))
    glob = ("--policy", "p*", "--guest", "web-*")
    code, out, err = reactor("readiness", "-c", "r.yaml", *glob, "--all")
    assert (code, err) == (1, "")
    assert daemon.asked == [AskReadiness("p*", "web-*", whole=True)]
    assert out == (
        "POLICY  GUEST   STATE        REASON\n"
        "p       web-1   cannot fire  no panic device\n"
        "q       web-10  ready\n"
        "and more: name policies or guests with --policy, --guest\n"
    )


@pytest.mark.parametrize(
    ("words", "out"),
    [
        pytest.param((), "every policy can do all it says, as far as is known\n", id="all well"),
        pytest.param(
            ("--all",), "every policy can do all it says, as far as is known\n", id="no policies"
        ),
        pytest.param(("-o", "jsonl"), "", id="for programs"),
    ],
)
def test_readiness_without_rows(
    words: tuple[str, ...], out: str, reactor: Call, daemon: FakeDaemon
) -> None:
    """Nothing lacks, or nothing was asked for."""
    daemon.says(Matrix([], cut=False))
    assert reactor("readiness", "-c", "r.yaml", *words) == (0, out, "")
    assert daemon.asked == [AskReadiness(whole="--all" in words)]


@pytest.mark.parametrize(
    ("state", "code"),
    [
        pytest.param("ready", 0, id="ready"),
        pytest.param("cannot read", 0, id="may be harmless"),
        pytest.param("away", 0, id="away"),
        pytest.param("fails", 1, id="would fail"),
        pytest.param("not ready", 1, id="may not act"),
    ],
)
@pytest.mark.parametrize("form", ["table", "json", "jsonl"])
def test_readiness_is_a_gate(
    state: str, code: int, form: str, reactor: Call, daemon: FakeDaemon
) -> None:
    """Exit code 1 where a policy cannot do what it is for, in every form of output."""
    rows = [ReadyLine("p", "web-1", "ready"), ReadyLine("p", "web-2", state)]
    daemon.says(Matrix(rows, cut=False))
    assert reactor("readiness", "-c", "r.yaml", "--all", "-o", form)[0] == code


def test_readiness_for_programs(reactor: Call, daemon: FakeDaemon) -> None:
    """One object a line, or all with the word whether there is more."""
    daemon.says(Matrix(ROWS, cut=False))
    lines = reactor("readiness", "-c", "r.yaml", "-o", "jsonl")[1].splitlines()
    assert json.loads(lines[1]) == {"policy": "q", "guest": "web-10", "state": "ready"}
    whole = reactor("readiness", "-c", "r.yaml", "-o", "json")[1]
    assert msgspec.json.decode(whole, type=Matrix) == Matrix(ROWS, cut=False)


def test_lists_for_programs(reactor: Call, daemon: FakeDaemon) -> None:
    """One object a line, or one list."""
    daemon.says([{"guest": "a"}, {"guest": "b\x1b"}])
    assert (
        reactor("guests", "-c", "r.yaml", "-o", "jsonl")[1]
        == '{"guest": "a"}\n{"guest": "b\\u001b"}\n'
    )
    assert json.loads(reactor("guests", "-c", "r.yaml", "-o", "json")[1])[0] == {"guest": "a"}


RUNS = [
    RunLine("r-2", "p", "web-1", "waiting for its turn", admitted=NOW),
    RunLine(
        *("r-1", "p", "web-1", "ended", "failed", "it broke"),
        admitted=NOW - 60,
        started=NOW - 50,
        ended=NOW - 47.5,
    ),
    RunLine(*("r-0", "p", "web-1", "ended", "succeeded"), ended=NOW, role="on_limit"),
    RunLine(*("r-3", "p", "web-1", "handling the end", "failed", "it broke"), admitted=NOW),
]


def test_runs_are_a_table(reactor: Call, daemon: FakeDaemon) -> None:
    """The newest first; how long each took, and why it ended so."""
    daemon.says(RUNS)
    words = ("runs", "--policy", "p", "--guest", "web-1", "--open", "-n", "3", "-c", "r.yaml")
    code, out, err = reactor(*words)
    assert (code, err) == (0, "")
    assert daemon.asked == [AskRuns("p", "web-1", only_open=True, limit=3)]
    assert out == (
        "RUN  POLICY  GUEST  ADMITTED                 TOOK     STATE                      REASON\n"
        "r-2  p       web-1  2027-01-15 08:00:00.250  -        waiting for its turn\n"
        "r-1  p       web-1  2027-01-15 07:59:00.250  2s500ms  failed                     "
        "it broke\n"
        "r-0  p       web-1  2027-01-15 08:00:00.250  -        on_limit: succeeded\n"
        "r-3  p       web-1  2027-01-15 08:00:00.250  -        handling the end (failed)  "
        "it broke\n"
    )


def test_marks_and_silences_are_tables(reactor: Call, daemon: FakeDaemon) -> None:
    """With who made them and until when they stand."""
    daemon.says([Mark("g", MarkKind.GUEST, "self", "odd", "why", NOW, "p", "r-1", NOW + 60)])
    _, out, _ = reactor("marks", "--guest", "g", "-c", "r.yaml")
    assert daemon.asked == [AskMarks("g")]
    assert out.splitlines()[1] == (
        "g      guest  self  odd  2027-01-15 08:00:00.250  2027-01-15 08:01:00.250  p   why"
    )
    daemon.says([Silence("s-1", ("p", "q"), ("*",), NOW, NOW + 60, "anna", "tests")])
    for words in (("silence",), ("silence", "list")):
        _, out, _ = reactor(*words, "-c", "r.yaml")
        assert out.splitlines()[1] == (
            "s-1      p q       *       2027-01-15 08:00:00.250  2027-01-15 08:01:00.250  anna  "
            "tests"
        )


# ----------------------------------------------------------------- time lines

TIMELINE = Timeline(
    run=RunLine(
        *("r-1", "p", "web-1", "ended", "failed", "no room"),
        admitted=NOW,
        started=NOW + 0.25,
        ended=NOW + 90.25,
    ),
    entries=[
        Entry(NOW, "", "event", "GUEST_PANICKED", {"action": "pause"}),
        Entry(NOW, "trigger", "admitted", "GUEST_PANICKED"),
        Entry(NOW + 0.25, "steps/0", "begun", "guest: dump", {"attempt": 1, "within": 1800.0}),
        Entry(NOW + 90.25, "", "command", "dump-guest-memory: refused after 2ms: no room"),
    ],
    key="web-1/disk0",
    revision="abc",
)


def test_a_run_is_told_step_by_step(reactor: Call, daemon: FakeDaemon) -> None:
    """Each line with the time since the event."""
    daemon.says(TIMELINE)
    code, out, err = reactor("runs", "show", "r-1", "-c", "r.yaml")
    assert (code, err) == (0, "")
    assert daemon.asked == [AskRun("r-1")]
    assert out == (
        "run r-1 of p on web-1: failed after 1m30s: no room\n"
        "key: web-1/disk0\n"
        "revision of the policy: abc\n"
        "begin: 2027-01-15 08:00:00.250, started at +250ms\n"
        "\n"
        '   +0s           event     GUEST_PANICKED {"action": "pause"}\n'
        "   +0s  trigger  admitted  GUEST_PANICKED\n"
        "+250ms  steps/0  begun     guest: dump, 30m at most\n"
        "+1m30s           command   dump-guest-memory: refused after 2ms: no room\n"
    )


@pytest.mark.parametrize(
    ("what", "values", "text"),
    [
        pytest.param("begun", {"attempt": 1}, "x", id="the only attempt"),
        pytest.param("begun", {"attempt": 1, "of": 3}, "x, attempt 1 of 3", id="of three"),
        pytest.param("begun", {"attempt": 2}, "x, attempt 2", id="as older versions wrote it"),
        pytest.param(
            "begun",
            {"attempt": 3, "of": 3, "within": 90.0},
            "x, attempt 3 of 3, 1m30s at most",
            id="with its time",
        ),
        pytest.param("failed, tried again", {"after": 2.0}, "x, again in 2s", id="a failure"),
        pytest.param("failed, tried again", {"after": None}, "x", id="as nobody writes it"),
        pytest.param("probed", {"after": 2.0}, 'x {"after": 2.0}', id="values of others"),
    ],
)
def test_retries_and_limits_are_told_in_words(
    reactor: Call, daemon: FakeDaemon, what: str, values: dict[str, object], text: str
) -> None:
    """Which attempt of how many, how long it may take, and when the next one comes."""
    daemon.says(Timeline(RUNS[3], [Entry(NOW, "steps/0", what, "x", values)]))
    _, out, _ = reactor("runs", "show", "r-3", "-c", "r.yaml")
    assert out.splitlines()[-1] == f"+0s  steps/0  {what}  {text}"


def test_an_open_run_says_what_it_waits_for(reactor: Call, daemon: FakeDaemon) -> None:
    """At the end of what it has done."""
    run = RunLine("r-1", "p", "web-1", "running", admitted=NOW)
    daemon.says(Timeline(run, [], waits="running; the run has until ..."))
    _, out, _ = reactor("runs", "show", "r-1", "-c", "r.yaml")
    assert out == "run r-1 of p on web-1: running\n\n\nnow: running; the run has until ...\n"


def test_an_open_run_whose_end_is_being_handled(reactor: Call, daemon: FakeDaemon) -> None:
    """It has an outcome already, and is not over."""
    daemon.says(Timeline(RUNS[3], []))
    _, out, _ = reactor("runs", "show", "r-3", "-c", "r.yaml")
    assert out == "run r-3 of p on web-1: handling the end (failed): it broke\n\n"


def test_a_run_that_started_at_once(reactor: Call, daemon: FakeDaemon) -> None:
    """Its clock is that of the lines: nothing is said of it."""
    run = RunLine("r-1", "p", "web-1", "ended", "succeeded", started=NOW, ended=NOW + 1)
    daemon.says(Timeline(run, [Entry(NOW, "trigger", "admitted", "GO")]))
    _, out, _ = reactor("runs", "show", "r-1", "-c", "r.yaml")
    assert out.splitlines()[:2] == [
        "run r-1 of p on web-1: succeeded after 1s",
        "begin: 2027-01-15 08:00:00.250",
    ]


# ----------------------------------------------------------------------- why

WHY = Why(
    policy="p",
    guest="web-1",
    verdict="a match now would start no run: cooling down",
    findings=[
        Finding("guest", Sign.OK, "its monitor is connected"),
        Finding("cooldown", Sign.NO, "cooling down", NOW + 60),
        Finding("if", Sign.NOTE, "it depends on the event"),
    ],
    moments=[
        Moment(NOW, "STOP", "admitted", run="r-1", outcome="succeeded"),
        Moment(
            NOW + 1,
            "STOP",
            "`where` is false",
            "`data.a`: it is absent",
            "trigger",
            {"b": 1},
            evaluated=True,
        ),
        Moment(
            *(NOW + 2, "STOP", "limited", "3 per 1h", "trigger"),
            on_limit="r-0",
            outcome="succeeded",
        ),
    ],
    runs=RUNS[1:3],
    refused=[
        Refused(NOW, "cmd/web-1/stop", "not allowed", who="mqtt (says 'anna')", more=3),
        Refused(NOW + 1, "set/hold/web-1", "no JSON"),
    ],
    revision="0123456789abcdef",
    in_force=NOW - 60,
    online=True,
)


def test_why_is_told_condition_by_condition(reactor: Call, daemon: FakeDaemon) -> None:
    """Then what became of the events, and of the runs."""
    daemon.says(WHY)
    code, out, err = reactor("why", "p", "web-1", "-c", "r.yaml")
    assert (code, err) == (0, "")
    assert daemon.asked == [AskWhy("p", "web-1")]
    assert out == (
        "p on web-1: a match now would start no run: cooling down\n"
        "\n"
        "  ok    guest     its monitor is connected\n"
        "  no    cooldown  cooling down\n"
        "  note  if        it depends on the event\n"
        "\n"
        "events:\n"
        "  2027-01-15 08:00:00.250  STOP\n"
        "      started run r-1: succeeded\n"
        '  2027-01-15 08:00:01.250  STOP {"b": 1}\n'
        "      trigger: `where` is false: `data.a`: it is absent *\n"
        "  2027-01-15 08:00:02.250  STOP\n"
        "      trigger: limited: 3 per 1h; its on_limit is run r-0: succeeded\n"
        "\n"
        "* left no trace: looked at again now, with the event's recorded data and the policy's "
        "revision 0123456789ab, in force since 2027-01-15 07:59:00.250\n"
        "\n"
        "runs:\n"
        "  2027-01-15 07:59:10.250  r-1  failed after 2s500ms: it broke\n"
        "  2027-01-15 08:00:00.250  r-0  on_limit: succeeded after 0s\n"
        "\n"
        "refused requests about this guest or policy:\n"
        "  2027-01-15 08:00:00.250  cmd/web-1/stop  by mqtt (says 'anna'): not allowed "
        "(and 3 more before it)\n"
        "  2027-01-15 08:00:01.250  set/hold/web-1  no JSON\n"
    )


@pytest.mark.parametrize(
    ("revisions", "note"),
    [
        pytest.param(
            ("0123456789abcdef",),
            " and the policy's revision 0123456789ab, in force since 2027-01-15 07:59:00.250",
            id="that of the time that is asked about",
        ),
        pytest.param(("f" * 64,), "", id="another one"),
        pytest.param(
            ("0123456789abcdef", "f" * 64),
            " and the policy as it was in force then: revision 0123456789ab, then ffffffffffff",
            id="both",
        ),
    ],
)
def test_with_which_revision_it_was_looked_at(
    reactor: Call, daemon: FakeDaemon, revisions: tuple[str, ...], note: str
) -> None:
    """Never with one that it was not."""
    moments = [
        Moment(NOW, "STOP", "it fits", evaluated=True, revision=revision) for revision in revisions
    ]
    daemon.says(msgspec.structs.replace(WHY, moments=moments))
    _, out, _ = reactor("why", "p", "web-1", "-c", "r.yaml")
    line = "* left no trace: looked at again now, with the event's recorded data"
    assert f"{line}{note}\n" in out


@pytest.mark.parametrize(
    ("text", "at"),
    [
        pytest.param("2027-01-15T08:00:00Z", 1_800_000_000.0, id="with its zone"),
        pytest.param("2027-01-15T09:00:00+01:00", 1_800_000_000.0, id="of another zone"),
        pytest.param("2027-01-15 08:00:00.500", 1_800_000_000.5, id="with parts of a second"),
        pytest.param("2027-01-15 08:00", 1_800_000_000.0, id="to the minute"),
        pytest.param("2027-01-15", 1_799_971_200.0, id="a day"),
        pytest.param("08:00", 1_800_000_000.0, id="today"),
        pytest.param("08:00:01.25", 1_800_000_001.25, id="today, to the part of a second"),
        pytest.param("1h30m", NOW - 5400, id="ago"),
        pytest.param("08:01", 1_800_000_060.0, id="a clock that is a little ahead"),
        pytest.param("08:02", 1_799_913_720.0, id="yet to come: yesterday"),
        pytest.param("23:50", 1_799_970_600.0, id="the evening before"),
    ],
)
def test_a_time_may_be_written_in_many_ways(
    reactor: Call, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch, text: str, at: float
) -> None:
    """In the time zone of who asks."""
    monkeypatch.setattr("reactor.cli.why.time.time", lambda: NOW)
    daemon.says(WHY)
    reactor("why", "p", "web-1", "--at", text, "--around", "1m", "-c", "r.yaml")
    assert daemon.asked == [AskWhy("p", "web-1", at, 60.0)]


@pytest.mark.parametrize("text", ["2027-01-15 08:02", "2027-01-15T08:01:01Z", "2027-01-16"])
def test_a_time_that_is_yet_to_come(
    reactor: Call, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Nothing can have been decided then: it is a typo, and no answer is better."""
    monkeypatch.setattr("reactor.cli.why.time.time", lambda: NOW)
    code, out, err = reactor("why", "p", "web-1", "--at", text, "-c", "r.yaml")
    assert (code, out, daemon.asked) == (Exit.USAGE, "", [])
    assert err == f"reactor why: {text!r} is yet to come\n  fix: write a time that has been\n"


def test_an_answer_of_another_version(reactor: Call, daemon: FakeDaemon) -> None:
    """It is not guessed at."""
    daemon.says({"policy": 7})
    code, out, err = reactor("why", "p", "web-1", "-c", "r.yaml")
    assert (code, out) == (Exit.CANNOT_CONNECT, "")
    assert err.startswith("reactor: the daemon's answer is not understood: ")


def test_what_a_guest_chose_never_steers_the_terminal(reactor: Call, daemon: FakeDaemon) -> None:
    """Wherever it stands in a table."""
    daemon.says([GuestLine(*("a\x1b[2J", True, "run\nning", NOW))])
    _, out, _ = reactor("guests", "-c", "r.yaml")
    assert "\x1b" not in out
    assert "a\\x1b[2J" in out
    assert out.count("\n") == 2


def test_nobody_needs_rights_on_the_daemons_files(reactor: Call, daemon: FakeDaemon) -> None:
    """Only on its socket: the journal of these settings is not even there."""
    assert not os.path.exists("j.db")  # noqa: PTH110 - in the current folder
    daemon.says([])
    assert reactor("runs", "-c", "r.yaml")[0] == 0


# ------------------------------------------------------------ without a daemon

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "journal-v1.db"


@pytest.fixture
def golden(here: Path) -> Path:
    """A journal of the first version, and no daemon."""
    return Path(shutil.copy(GOLDEN, here / "j.db"))


def test_runs_of_an_old_journal(reactor: Call, golden: Path) -> None:
    """Read as it is, without the daemon that would bring it up to date."""
    code, out, err = reactor("runs", "--journal", golden, "-o", "jsonl")
    assert (code, err) == (0, "")
    assert [json.loads(line)["policy"] for line in out.splitlines()] == [
        *("waits", "reset-it", "paused-panic", "reset-it", "fails", "mark-it", "limited"),
    ]
    _, out, _ = reactor("runs", "--journal", golden, "--open", "--guest", "web-1")
    head, one, empty, note = out.splitlines()
    assert one.split()[:3] == ["iwf25t-7", "waits", "web-1"]
    assert one.endswith("  running  it stands still: the daemon does not run")
    assert (head.split()[0], empty) == ("RUN", "")
    assert note == (
        "the daemon does not run: the last in its journal is of 2026-11-28T11:00:22Z; "
        "1 open run stands still until it is started"
    )


def test_the_status_without_the_daemon_tells_what_stands_still(reactor: Call, golden: Path) -> None:
    """Since when, how much, and where to look; of a journal that cannot be read just the first."""
    code, out, err = reactor("status", "--journal", golden)
    assert (code, out) == (Exit.NOT_RUNNING, "")
    assert err == (
        f"{golden}.sock: the daemon does not run: nobody listens here; the last in its journal is "
        "of 2026-11-28T11:00:22Z; 1 open run stands still until it is started\n"
        "  fix: start it (`reactor run`), or name its settings with -c or its journal with "
        "--journal; `reactor runs --open` lists what is open\n"
    )
    golden.write_bytes(b"no journal" * 1000)
    _, _, err = reactor("status", "--journal", golden)
    assert err.splitlines()[0].endswith(": the daemon does not run: nobody listens here")


def test_an_open_run_stands_still_without_the_daemon(reactor: Call, golden: Path) -> None:
    """Where it stands, and that nobody goes on with it: no deadline is looked at meanwhile."""
    _, out, _ = reactor("runs", "show", "iwf25t-7", "--journal", golden)
    away, empty, now = out.splitlines()[-3:]
    assert away.split(maxsplit=2)[1:] == [
        "away",
        "no daemon runs with this journal: the last in its journal is of 2026-11-28T11:00:22Z",
    ]
    assert empty == ""
    assert now.startswith("now: it stands still: the daemon does not run, and goes on with it when")
    _, out, _ = reactor("runs", "show", "iwf25t-4", "--journal", golden)
    assert " away " not in out


def test_a_time_line_of_an_old_journal(reactor: Call, golden: Path) -> None:
    """With the commands and how they ended."""
    code, out, err = reactor("runs", "show", "iwf25t-4", "--journal", golden)
    assert (code, err) == (0, "")
    whats = [line.split()[1:4] for line in out.splitlines()[3:]]
    assert ["event", "GUEST_PANICKED", '{"action":'] in whats
    assert ["command", "system_reset:", "done"] in whats


def test_why_of_an_old_journal(reactor: Call, golden: Path) -> None:
    """Of its end, when no time is named; whatever is not known is not guessed."""
    code, out, err = reactor("why", "limited", "web-1", "--journal", golden)
    assert (code, err) == (0, "")
    assert out.startswith(
        "limited on web-1: it ran: run iwf25t-1 succeeded; not on WATCHDOG at "
        "2026-11-28T11:00:21Z: limited: 1 per 1h per guest\n"
    )
    assert "the daemon does not run: this is what its journal tells" in out
    assert "trigger: limited: 1 per 1h per guest" in out


def test_why_of_an_old_journal_looks_back_as_the_daemon_does(
    reactor: Call, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day back from its end, when neither a time nor a length is named; else as it was said."""
    at = [AT, AT + 7200]
    monkeypatch.setattr("reactor.cli.why.time.time", lambda: AT + 9000)
    write_rows(here / "j.db", [row(Happened(event("STOP")), one) for one in at])
    words = ("why", "p", "web-1", "--journal", here / "j.db", "-o", "json")
    for more, begin, end in (
        ((), at[1] - 86_400, at[1] + 86_400),
        (("--around", "1m"), at[1] - 60, at[1] + 60),
        (("--at", "2027-01-15T08:00:00.250Z"), at[0] - 300, at[0] + 300),
    ):
        found = json.loads(reactor(*words, *more)[1])
        assert (found["begin"], found["end"]) == (begin, end)


@pytest.mark.parametrize(
    ("words", "problem", "fix"),
    [
        pytest.param(
            "runs --guest web-11", "no guest is called 'web-11'", "write 'web-1'", id="guest"
        ),
        pytest.param(
            "runs --policy limits", "no policy is called 'limits'", "write 'limited'", id="policy"
        ),
    ],
)
def test_runs_of_a_name_that_nobody_has(
    reactor: Call, golden: Path, words: str, problem: str, fix: str
) -> None:
    """It is no empty list: exit code 3."""
    code, out, err = reactor(*words.split(), "--journal", golden)
    assert (code, out) == (Exit.REFUSED, "")
    assert err == f"reactor runs: {problem}\n  fix: {fix}\n"


@pytest.mark.parametrize(
    ("words", "verdict", "hint"),
    [
        pytest.param(
            "limits web-1",
            "it did not run: the journal knows no policy 'limits'",
            "no policy is called 'limits': write 'limited'",
            id="policy",
        ),
        pytest.param(
            "limited web-11",
            "it did not run: the journal holds nothing about a guest 'web-11' at that time",
            "no guest is called 'web-11': write 'web-1'",
            id="guest",
        ),
    ],
)
def test_why_of_a_name_that_nobody_has(
    reactor: Call, golden: Path, words: str, verdict: str, hint: str
) -> None:
    """All that can be said is said, and the exit code is 3."""
    code, out, err = reactor("why", *words.split(), "--journal", golden)
    assert (code, err) == (Exit.REFUSED, "")
    assert out.splitlines()[0].endswith(f": {verdict}")
    assert hint in out
    code, out, _ = reactor("why", *words.split(), "--journal", golden, "-o", "json")
    assert (code, json.loads(out)["unknown"]) == (Exit.REFUSED, True)


def test_why_of_a_time_at_which_a_guest_was_not_seen(reactor: Call, golden: Path) -> None:
    """It is known all the same."""
    words = ("why", "limited", "web-1", "--at", "2026-01-01", "--around", "1m")
    assert reactor(*words, "--journal", golden)[0] == 0


@pytest.mark.parametrize("words", ["runs", "runs show r-1", "why p g"])
def test_neither_daemon_nor_journal(reactor: Call, here: Path, words: str) -> None:
    """Exit code 5, and the journal that was looked for."""
    code, out, err = reactor(*words.split(), "--journal", "none.db")
    assert (code, out) == (Exit.NOT_RUNNING, "")
    assert err.startswith(f"{here}/none.db: there is no journal here\n")
