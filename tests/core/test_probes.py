"""What became of a command in doubt: a row for each command and verdict."""

import pytest

from reactor.core.disk_probes import ALL
from reactor.core.event import Event
from reactor.core.inputs import Answered, Facts, Refusal
from reactor.core.intent import Intent, Manner, heard_with, intent_of
from reactor.core.probes import ASK_FILE, PROBES, Ask, Finding, Seen, Verdict

DONE, NOT_DONE = Verdict.DONE, Verdict.NOT_DONE
DIFFERENT, UNKNOWN = Verdict.DIFFERENT, Verdict.UNKNOWN
REFUSED = Refusal("CommandNotFound", "no such command")


def _seen(  # noqa: PLR0917 - each is another fact
    command: str,
    was: str = "running",
    status: str = "running",
    heard: tuple[str, ...] = (),
    dumps: tuple[str, str] = ("none", "none"),
    migrations: tuple[str, str] = ("", ""),
    target: str = "",
    subject: str = "",
    manner: Manner = Manner.PLAIN,
    proof: object = None,
) -> Seen:
    """What is known; of ``dumps`` and ``migrations`` the word before and the word now."""
    intent = Intent("r.1", command, 1.0, subject, manner, was, dumps[0], migrations[0])
    answer = None
    if isinstance(proof, Refusal):
        answer = Answered("r.2", error=proof)
    elif proof is not None:
        answer = Answered("r.2", result=None if proof == "nothing" else proof)
    return Seen(intent, frozenset(heard), status, dumps[1], migrations[1], target, answer)


@pytest.mark.parametrize(
    ("was", "status", "heard", "verdict"),
    [
        pytest.param("guest-panicked", "guest-panicked", (), NOT_DONE, id="still panicked"),
        pytest.param("guest-panicked", "prelaunch", (), DONE, id="prelaunch"),
        pytest.param("guest-panicked", "guest-panicked", ("RESET",), DONE, id="RESET came"),
        pytest.param("guest-panicked", "running", (), UNKNOWN, id="somebody let it run"),
        pytest.param("io-error", "guest-panicked", (), DIFFERENT, id="another fault"),
        pytest.param("paused", "prelaunch", (), DONE, id="paused before"),
        pytest.param("shutdown", "prelaunch", (), DONE, id="shut down before"),
        pytest.param("prelaunch", "prelaunch", (), NOT_DONE, id="a second one changes nothing"),
        pytest.param("running", "running", (), UNKNOWN, id="running leaves no trace"),
        pytest.param("running", "running", ("RESET",), DONE, id="running, RESET came"),
        pytest.param("running", "guest-panicked", (), DIFFERENT, id="panicked since"),
        pytest.param("running", "prelaunch", (), UNKNOWN, id="running is never left stopped"),
    ],
)
def test_a_reset(was: str, status: str, heard: tuple[str, ...], verdict: Verdict) -> None:
    """Its RESET proves it, and so does `prelaunch` behind another state that stood still."""
    finding = PROBES["system_reset"].decide(_seen("system_reset", was, status, heard))
    assert isinstance(finding, Finding)
    assert (finding.verdict, bool(finding.reason)) == (verdict, True)


@pytest.mark.parametrize("command", ["cont", "system_wakeup"])
@pytest.mark.parametrize(
    ("was", "status", "heard", "verdict"),
    [
        pytest.param("prelaunch", "running", (), DONE, id="runs"),
        pytest.param("prelaunch", "prelaunch", (), NOT_DONE, id="stands still"),
        pytest.param("prelaunch", "guest-panicked", (), DIFFERENT, id="panicked again"),
        pytest.param("paused", "shutdown", (), DIFFERENT, id="shut down since"),
        pytest.param("io-error", "io-error", (), NOT_DONE, id="the same error"),
        pytest.param("io-error", "io-error", ("RESUME",), DIFFERENT, id="an error again"),
        pytest.param("paused", "paused", ("RESUME",), DONE, id="paused again by somebody"),
        pytest.param("paused", "save-vm", (), UNKNOWN, id="somebody saves it"),
    ],
)
def test_a_cont(
    command: str, was: str, status: str, heard: tuple[str, ...], verdict: Verdict
) -> None:
    """Done when the guest runs, a different incident when it ran and panicked again."""
    finding = PROBES[command].decide(_seen(command, was, status, heard))
    assert isinstance(finding, Finding)
    assert finding.verdict is verdict


@pytest.mark.parametrize(
    ("command", "status", "heard", "verdict"),
    [
        pytest.param("quit", "running", (), NOT_DONE, id="quit: it answers"),
        pytest.param("quit", "running", ("SHUTDOWN",), DONE, id="quit: it said so"),
        pytest.param("system_powerdown", "running", (), UNKNOWN, id="button: who knows"),
        pytest.param("system_powerdown", "running", ("POWERDOWN",), DONE, id="button: pressed"),
        pytest.param("system_powerdown", "shutdown", (), DONE, id="button: it is off"),
    ],
)
def test_the_end_of_a_guest(
    command: str, status: str, heard: tuple[str, ...], verdict: Verdict
) -> None:
    """QEMU answers, or has said that it goes; a pressed button shows only in its events."""
    finding = PROBES[command].decide(_seen(command, "running", status, heard))
    assert isinstance(finding, Finding)
    assert finding.verdict is verdict


FILE = "/var/crash/x"


@pytest.mark.parametrize(
    ("dumps", "heard", "target", "proof", "verdict"),
    [
        pytest.param(("none", "none"), (), FILE, None, NOT_DONE, id="never dumped"),
        pytest.param(("", ""), (), FILE, None, NOT_DONE, id="no query-dump"),
        pytest.param(("none", "active"), (), FILE, 1, DONE, id="active, with its file"),
        pytest.param(("none", "active"), (), FILE, "nothing", NOT_DONE, id="somebody else's"),
        pytest.param(("none", "completed"), (), FILE, 9, DONE, id="over, with its file"),
        pytest.param(("completed", "completed"), (), FILE, 9, DONE, id="as before, its file"),
        pytest.param(
            ("completed", "completed"), (), FILE, "nothing", NOT_DONE, id="as before, no file"
        ),
        pytest.param(("none", "completed"), (), "", None, DONE, id="no file to look at, changed"),
        pytest.param(("failed", "failed"), (), "", None, UNKNOWN, id="no file, as before"),
        pytest.param(("none", "failed"), (), FILE, REFUSED, DONE, id="hidden file, changed"),
        pytest.param(("failed", "failed"), (), FILE, REFUSED, UNKNOWN, id="hidden, as before"),
        pytest.param(
            ("failed", "failed"), ("DUMP_COMPLETED",), FILE, None, DONE, id="its event came"
        ),
    ],
)
def test_a_dump(
    dumps: tuple[str, str], heard: tuple[str, ...], target: str, proof: object, verdict: Verdict
) -> None:
    """query-dump tells of the last dump for ever: its file says whose it was."""
    decide = PROBES["dump-guest-memory"].decide
    seen = _seen("dump-guest-memory", heard=heard, dumps=dumps, target=target, proof=proof)
    finding = decide(seen)
    assert isinstance(finding, Finding)
    assert finding.verdict is verdict


def test_the_file_of_a_dump_is_asked_for() -> None:
    """Where query-dump has something to tell."""
    seen = _seen("dump-guest-memory", dumps=("none", "active"), target=FILE)
    assert PROBES["dump-guest-memory"].decide(seen) is ASK_FILE


@pytest.mark.parametrize(
    ("manner", "dump", "goes_on"),
    [
        pytest.param(Manner.DETACHED, "active", False, id="detached: begun is done"),
        pytest.param(Manner.PLAIN, "active", True, id="not detached: it must be over"),
        pytest.param(Manner.PLAIN, "completed", False, id="not detached: over"),
    ],
)
def test_a_dump_that_is_not_detached_is_done_when_it_is_over(
    manner: Manner, dump: str, goes_on: bool
) -> None:
    """Its reply would have come then."""
    seen = _seen("dump-guest-memory", dumps=("none", dump), manner=manner)
    finding = PROBES["dump-guest-memory"].decide(seen)
    assert isinstance(finding, Finding)
    assert (finding.verdict, finding.goes_on) == (DONE, goes_on)


@pytest.mark.parametrize(
    ("command", "was", "word", "heard", "verdict"),
    [
        pytest.param("migrate", "", "", (), NOT_DONE, id="never"),
        pytest.param("migrate", "none", "active", (), DONE, id="runs"),
        pytest.param("migrate", "failed", "completed", (), DONE, id="another end"),
        pytest.param("migrate", "failed", "failed", (), UNKNOWN, id="the same end"),
        pytest.param("migrate", "failed", "failed", ("MIGRATION",), DONE, id="MIGRATION came"),
        pytest.param("migrate_cancel", "active", "active", (), NOT_DONE, id="not cancelled"),
        pytest.param("migrate_cancel", "active", "cancelling", (), DONE, id="cancelling"),
        pytest.param("migrate_cancel", "active", "cancelled", (), DONE, id="cancelled"),
        pytest.param("migrate_cancel", "active", "completed", (), DONE, id="over anyway"),
        pytest.param("migrate-start-postcopy", "active", "active", (), NOT_DONE, id="precopy"),
        pytest.param(
            "migrate-start-postcopy", "active", "postcopy-active", (), DONE, id="postcopy"
        ),
        pytest.param("migrate-start-postcopy", "active", "completed", (), DONE, id="all over"),
    ],
)
def test_a_migration(
    command: str, was: str, word: str, heard: tuple[str, ...], verdict: Verdict
) -> None:
    """query-migrate tells, compared with what it said before."""
    finding = PROBES[command].decide(_seen(command, heard=heard, migrations=(was, word)))
    assert isinstance(finding, Finding)
    assert finding.verdict is verdict


NAMES: list[tuple[str, str, str, str, dict[str, object]]] = [
    ("device_add", "device_del", "qom-list", "name", {"path": "/machine/peripheral"}),
    ("object-add", "object-del", "qom-list", "name", {"path": "/objects"}),
    ("blockdev-add", "blockdev-del", "query-named-block-nodes", "node-name", {"flat": True}),
    ("chardev-add", "chardev-remove", "query-chardev", "label", {}),
    ("block-export-add", "block-export-del", "query-block-exports", "id", {}),
]


@pytest.mark.parametrize(("add", "remove", "query", "member", "arguments"), NAMES)
def test_what_is_added_and_taken_away(
    add: str, remove: str, query: str, member: str, arguments: dict[str, object]
) -> None:
    """Looked up by its name in the list of its kind."""
    for command, there, gone in ((add, DONE, NOT_DONE), (remove, NOT_DONE, DONE)):
        decide = PROBES[command].decide
        assert decide(_seen(command, subject="x")) == Ask(query, arguments)
        for proof, verdict in (
            ([{member: "y"}, {member: "x"}], there),
            ([{member: "y"}, "odd"], gone),
            ({"odd": 1}, gone),
            (REFUSED, UNKNOWN),
        ):
            finding = decide(_seen(command, subject="x", proof=proof))
            assert isinstance(finding, Finding)
            assert finding.verdict is verdict, (command, proof)
        for subject in ("", "/machine/peripheral-anon/device[1]"):
            finding = decide(_seen(command, subject=subject))
            assert isinstance(finding, Finding)
            assert finding.verdict is UNKNOWN


@pytest.mark.parametrize(
    ("heard", "asks"),
    [
        pytest.param("DEVICE_DELETED x", False, id="its own"),
        pytest.param("DEVICE_DELETED y", True, id="another one"),
    ],
)
def test_a_device_that_was_told_to_be_gone_is_gone(heard: str, asks: bool) -> None:
    """DEVICE_DELETED names it."""
    finding = PROBES["device_del"].decide(_seen("device_del", subject="x", heard=(heard,)))
    assert isinstance(finding, Ask) == asks


def _jobs(status: str) -> list[object]:
    return ["odd", {"id": "y", "status": "running"}, {"id": "x", "status": status}]


@pytest.mark.parametrize(
    ("command", "manner", "proof", "verdict"),
    [
        pytest.param("blockdev-mirror", Manner.PLAIN, _jobs("ready"), DONE, id="mirror: there"),
        pytest.param("blockdev-mirror", Manner.PLAIN, [], NOT_DONE, id="mirror: not there"),
        pytest.param("drive-mirror", Manner.PLAIN, {}, NOT_DONE, id="drive-mirror"),
        pytest.param("blockdev-backup", Manner.PLAIN, [], UNKNOWN, id="backup: never or over"),
        pytest.param("blockdev-backup", Manner.KEPT, [], NOT_DONE, id="backup: would be kept"),
        pytest.param("block-stream", Manner.PLAIN, _jobs("running"), DONE, id="stream"),
        pytest.param("block-commit", Manner.PLAIN, REFUSED, UNKNOWN, id="cannot be asked"),
        pytest.param("job-complete", Manner.PLAIN, _jobs("running"), NOT_DONE, id="works"),
        pytest.param("job-complete", Manner.PLAIN, _jobs("ready"), UNKNOWN, id="ready"),
        pytest.param("job-complete", Manner.PLAIN, _jobs("pending"), DONE, id="completing"),
        pytest.param("block-job-complete", Manner.PLAIN, [], DONE, id="completed and gone"),
        pytest.param("block-job-cancel", Manner.PLAIN, [], DONE, id="cancelled and gone"),
        pytest.param("job-cancel", Manner.PLAIN, _jobs("aborting"), DONE, id="aborting"),
        pytest.param("job-cancel", Manner.PLAIN, _jobs("ready"), NOT_DONE, id="not cancelled"),
        pytest.param("job-dismiss", Manner.PLAIN, _jobs("concluded"), NOT_DONE, id="stays"),
        pytest.param("block-job-dismiss", Manner.PLAIN, [], DONE, id="dismissed"),
        pytest.param("job-finalize", Manner.PLAIN, _jobs("pending"), NOT_DONE, id="pending"),
        pytest.param("block-job-finalize", Manner.PLAIN, _jobs("concluded"), DONE, id="final"),
        pytest.param("job-pause", Manner.PLAIN, _jobs("paused"), DONE, id="paused"),
        pytest.param("block-job-pause", Manner.PLAIN, _jobs("running"), NOT_DONE, id="runs on"),
        pytest.param("job-resume", Manner.PLAIN, _jobs("standby"), NOT_DONE, id="still paused"),
        pytest.param("block-job-resume", Manner.PLAIN, _jobs("running"), DONE, id="resumed"),
    ],
)
def test_a_job(command: str, manner: Manner, proof: object, verdict: Verdict) -> None:
    """query-jobs tells, where the job is still there or cannot have gone by itself."""
    decide = PROBES[command].decide
    assert decide(_seen(command, subject="x", manner=manner)) == Ask("query-jobs", {})
    finding = decide(_seen(command, subject="x", manner=manner, proof=proof))
    assert isinstance(finding, Finding)
    assert finding.verdict is verdict


@pytest.mark.parametrize("command", ["blockdev-mirror", "job-complete"])
def test_a_job_without_a_name_cannot_be_asked_for(command: str) -> None:
    """Then nobody can tell."""
    finding = PROBES[command].decide(_seen(command))
    assert isinstance(finding, Finding)
    assert finding.verdict is UNKNOWN


def test_a_job_whose_events_came_was_started() -> None:
    """Whatever became of it since."""
    finding = PROBES["block-stream"].decide(_seen("block-stream", subject="x", heard=("JOB x",)))
    assert isinstance(finding, Finding)
    assert finding.verdict is DONE


@pytest.mark.parametrize(
    ("event", "word"),
    [
        pytest.param(Event("RESET", "g", {"guest": False}), "RESET", id="our reset"),
        pytest.param(Event("RESET", "g", {"guest": True}), "", id="the firmware's"),
        pytest.param(Event("RESUME", "g"), "RESUME", id="plain"),
        pytest.param(Event("RESUME", "g", synthetic=True), "", id="made up"),
        pytest.param(
            Event("DEVICE_DELETED", "g", {"device": "d"}), "DEVICE_DELETED d", id="device"
        ),
        pytest.param(Event("JOB_STATUS_CHANGE", "g", {"id": "j"}), "JOB j", id="job"),
        pytest.param(Event("BLOCK_JOB_READY", "g", {"device": "j"}), "JOB j", id="block job"),
        pytest.param(Event("NIC_RX_FILTER_CHANGED", "g"), "", id="says nothing"),
    ],
)
def test_what_an_event_says_of_a_command(event: Event, word: str) -> None:
    """Once, however often it comes."""
    heard = heard_with((), event)
    assert heard == ((word,) if word else ())
    assert heard_with(heard, event) == heard


def test_what_is_remembered_is_bounded() -> None:
    """A guest that sends thousands of job events fills nothing."""
    heard: tuple[str, ...] = ()
    for number in range(40):
        heard = heard_with(heard, Event("JOB_STATUS_CHANGE", "g", {"id": f"j{number}"}))
    assert len(heard) == 16


@pytest.mark.parametrize(
    ("command", "arguments", "subject", "manner"),
    [
        pytest.param("blockdev-mirror", {"job-id": "j", "device": "d"}, "j", "", id="job-id"),
        pytest.param("block-job-cancel", {"device": "d"}, "d", "", id="device"),
        pytest.param("job-cancel", {"id": "i"}, "i", "", id="id"),
        pytest.param("blockdev-add", {"node-name": "n", "id": "i"}, "n", "", id="node"),
        pytest.param("device_del", {"id": "i"}, "i", "", id="a device"),
        pytest.param("device_del", {"id": 3}, "", "", id="no text"),
        pytest.param("dump-guest-memory", {"detach": True}, "", "detached", id="detached"),
        pytest.param("dump-guest-memory", {"detach": False}, "", "", id="not detached"),
        pytest.param(
            "block-stream", {"device": "d", "auto-dismiss": False}, "d", "kept", id="kept"
        ),
    ],
)
def test_what_is_written_down(
    command: str, arguments: dict[str, object], subject: str, manner: str
) -> None:
    """What it is about, and how things stand before it."""
    facts = Facts(dump="completed", migration="failed")
    intent = intent_of("r.1", command, arguments, status="paused", facts=facts, now=3.0)
    assert intent == Intent(
        "r.1", command, 3.0, subject, Manner(manner), "paused", "completed", "failed"
    )


CD = {"device": "", "qdev": "cd0", "tray_open": False}
BITMAPS = [{"node-name": "d0", "dirty-bitmaps": [{"name": "b0"}]}, {"node-name": "d1"}]


@pytest.mark.parametrize(
    ("command", "subject", "proof", "verdict"),
    [
        pytest.param("eject", "cd0", [CD | {"tray_open": True}], DONE, id="eject: open"),
        pytest.param("eject", "cd0", [CD], NOT_DONE, id="eject: closed"),
        pytest.param(
            "eject", "cd0", [CD | {"qdev": "/machine/peripheral/cd0"}], NOT_DONE, id="by its path"
        ),
        pytest.param("eject", "ide1", [CD | {"device": "ide1"}], NOT_DONE, id="by its old name"),
        pytest.param("eject", "cd1", [CD], UNKNOWN, id="eject: no such drive"),
        pytest.param("eject", "cd0", [{"qdev": "cd0"}], UNKNOWN, id="eject: no tray"),
        pytest.param("eject", "cd0", REFUSED, UNKNOWN, id="eject: refused"),
        pytest.param("eject", "cd0", {}, UNKNOWN, id="eject: an answer that is no list"),
        pytest.param("eject", "", None, UNKNOWN, id="eject: of nothing"),
        pytest.param("blockdev-close-tray", "cd0", [CD], DONE, id="close: closed"),
        pytest.param("blockdev-open-tray", "cd0", [CD], NOT_DONE, id="open: closed"),
        pytest.param("blockdev-insert-medium", "cd0", [CD], NOT_DONE, id="insert: empty"),
        pytest.param(
            "blockdev-insert-medium", "cd0", [CD | {"inserted": {}}], DONE, id="insert: there"
        ),
        pytest.param("blockdev-remove-medium", "cd0", [CD], DONE, id="remove: empty"),
        pytest.param("blockdev-remove-medium", "x", [CD], UNKNOWN, id="remove: no such drive"),
        pytest.param("blockdev-remove-medium", "x", REFUSED, UNKNOWN, id="remove: refused"),
        pytest.param("block-dirty-bitmap-add", "d0/b0", BITMAPS, DONE, id="bitmap there"),
        pytest.param("block-dirty-bitmap-add", "d1/b0", BITMAPS, NOT_DONE, id="no bitmap"),
        pytest.param("block-dirty-bitmap-add", "d2/b0", BITMAPS, UNKNOWN, id="no node"),
        pytest.param("block-dirty-bitmap-add", "d0/b0", REFUSED, UNKNOWN, id="bitmap: refused"),
        pytest.param(
            "block-dirty-bitmap-add", "d0/b0",
            [{"node-name": "d0", "dirty-bitmaps": None}], NOT_DONE, id="bitmaps that are no list",
        ),
        pytest.param("block-dirty-bitmap-remove", "d0/b0", BITMAPS, NOT_DONE, id="still there"),
        pytest.param("block-dirty-bitmap-remove", "d0/b1", BITMAPS, DONE, id="bitmap gone"),
        pytest.param("nbd-server-add", "e0", [{"id": "e0"}], DONE, id="nbd: exported"),
        pytest.param("nbd-server-remove", "e0", [{"id": "e0"}], NOT_DONE, id="nbd: still"),
        pytest.param("snapshot-save", "j", [], NOT_DONE, id="snapshot: no job"),
        pytest.param("snapshot-save", "j", [{"id": "j", "status": "null"}], DONE, id="job"),
    ],
)  # fmt: skip
def test_drives_media_bitmaps_and_exports(
    command: str, subject: str, proof: object, verdict: Verdict
) -> None:
    """The list of their kind tells; what is not in it at all proves nothing."""
    decide = ALL[command].decide
    asked = decide(_seen(command, subject=subject))
    assert isinstance(asked, Ask) or not subject
    finding = decide(_seen(command, subject=subject, proof=proof))
    assert isinstance(finding, Finding)
    assert (finding.verdict, bool(finding.reason)) == (verdict, True)


@pytest.mark.parametrize(
    ("command", "arguments", "subject"),
    [
        ("eject", {"device": "ide1"}, "ide1"),
        ("eject", {"id": "cd0", "device": "ide1"}, "cd0"),
        ("block-dirty-bitmap-add", {"node": "d0", "name": "a/b"}, "d0/a/b"),
        ("nbd-server-add", {"device": "d0"}, "d0"),
        ("nbd-server-add", {"device": "d0", "name": "e0"}, "e0"),
        ("blockdev-snapshot-sync", {"node-name": "d0", "snapshot-node-name": "s0"}, "s0"),
        ("blockdev-snapshot-sync", {"node-name": "d0"}, ""),
        ("snapshot-save", {"job-id": "j", "tag": "t"}, "j"),
    ],
)
def test_what_a_command_names(command: str, arguments: dict[str, object], subject: str) -> None:
    """The drive, the bitmap of a node, the export, the node that it makes, or the job."""
    intent = intent_of("r.1", command, arguments, status="", facts=Facts(), now=1.0)
    assert intent.subject == subject
