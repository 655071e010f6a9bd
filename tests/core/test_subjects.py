"""What the answers of two connects prove, and what an event says of it, subject by subject."""

from collections.abc import Mapping, Sequence

import pytest

from reactor.core.subject import KEYS_MAX, Snapshot
from reactor.core.subjects import (
    RECOVERED,
    SUBJECTS,
    TELLING,
    differences,
    first_queries,
    merged,
    more_queries,
    moved,
    read,
    told_by,
)

Row = Mapping[str, object]


def job(status: str, **more: object) -> list[object]:
    """The answer to query-block-jobs about one mirror."""
    return [{"device": "m", "type": "mirror", "status": status, "len": 9, "speed": 0, **more}]


def jobs(**status: str) -> list[object]:
    """The answer to query-jobs."""
    return ["odd", *({"id": name, "status": word} for name, word in status.items())]


def children(*names: str) -> list[object]:
    """The answer to qom-list about the devices that have an id."""
    kinds = [("type", "string"), *((name, "child<pc-dimm>") for name in names)]
    return [{"name": name, "type": kind} for name, kind in kinds]


def memory(size: object, **more: object) -> list[object]:
    """The answer to query-memory-devices about one whose size its guest decides, and a DIMM."""
    dimm = {"type": "dimm", "data": {"id": "d", "size": 5}}
    found = {"id": "v", "size": size, "requested-size": 8, **more}
    return [dimm, {"type": "virtio-mem", "data": found}, {"type": "odd"}]


def nodes(threshold: int, *, corrupt: bool = False) -> list[object]:
    """The answer to query-named-block-nodes about one node."""
    data = {"data": {"corrupt": corrupt}, "type": "qcow2"}
    image = {"format-specific": data, "format": "qcow2"}
    return [{"node-name": "n", "write_threshold": threshold, "image": image}]


def tray(state: bool, device: str = "cd") -> list[object]:
    """The answer to query-block about one drive with a tray, and one without."""
    return [{"device": device, "qdev": "q/1", "tray_open": state}, {"device": "d", "qdev": "e"}]


def disk(status: str, device: str = "", node: str = "n") -> list[object]:
    """The answer to query-block about one disk, and one that tells of no errors."""
    medium = {"inserted": {"node-name": node}} if node else {}
    return [{"device": device, "qdev": "q", "io-status": status, **medium}, {"device": "cd"}]


def failed(*, nospace: bool, device: str = "", node: str = "n") -> list[tuple[str, Row]]:
    """The event of one that failed."""
    named = {"device": device} | ({"node-name": node} if node else {})
    return [("BLOCK_IO_ERROR", {**named, "action": "stop", "nospace": nospace})]


def slot(status: int, source: int = 3) -> list[object]:
    """The answer to query-acpi-ospm-status about one slot."""
    return [{"slot": "0", "slot-type": "DIMM", "source": source, "status": status}]


def migration(status: str, number: int) -> Row:
    """The answer to query-migrate."""
    return {"status": status, "ram": {"dirty-sync-count": number}}


def ended(**more: object) -> Row:
    """The data of an event about a mirror that ended."""
    return {"type": "mirror", "device": "m", "len": 9, "speed": 0, **more}


DELETED = {"device": "d", "path": "/machine/peripheral/d"}
READY = {"type": "mirror", "device": "m"}
CANCELLED = {"error": "Operation canceled"}
QUERY = {
    "migration": "query-migrate",
    "block-jobs": "query-block-jobs",
    "job-errors": "query-block-jobs",
    "jobs": "query-jobs",
    "devices": "qom-list",
    "memory": "query-memory-devices",
    "balloon": "query-balloon",
    "slots": "query-acpi-ospm-status",
    "thresholds": "query-named-block-nodes",
    "images": "query-named-block-nodes",
    "trays": "query-block",
    "io-errors": "query-block",
    "exports": "query-block-exports",
    "pr-managers": "query-pr-managers",
}
Case = tuple[str, object, object, list[tuple[str, Row]]]
ROWS: list[Case] = [
    ("migration", {}, migration("active", 0), [("MIGRATION", {"status": "active"})]),
    ("migration", migration("active", 2), migration("active", 2), []),
    (
        "migration",
        migration("active", 2),
        migration("completed", 5),
        [("MIGRATION_PASS", {"pass": 5}), ("MIGRATION", {"status": "completed"})],
    ),
    ("migration", migration("completed", 5), {}, []),
    ("migration", None, {"status": "setup"}, [("MIGRATION", {"status": "setup"})]),
    ("block-jobs", [], job("running"), []),
    ("block-jobs", job("running"), job("ready"), [("BLOCK_JOB_READY", READY)]),
    ("block-jobs", [], job("standby"), [("BLOCK_JOB_READY", READY)]),
    ("block-jobs", job("ready"), job("standby"), []),
    ("block-jobs", job("ready"), job("waiting"), []),
    (
        "block-jobs",
        job("ready"),
        job("pending"),
        [("BLOCK_JOB_PENDING", {"type": "mirror", "id": "m"})],
    ),
    (
        "block-jobs",
        job("running"),
        job("concluded", offset=9),
        [("BLOCK_JOB_COMPLETED", ended(offset=9))],
    ),
    (
        "block-jobs",
        job("running"),
        job("concluded", error="No space"),
        [("BLOCK_JOB_COMPLETED", ended(error="No space"))],
    ),
    (
        "block-jobs",
        job("running"),
        job("concluded", **CANCELLED),
        [("BLOCK_JOB_CANCELLED", ended())],
    ),
    ("block-jobs", job("concluded"), job("concluded", **CANCELLED), []),
    ("block-jobs", job("concluded"), [], []),
    ("block-jobs", job("running"), [], []),
    ("block-jobs", None, None, []),
    (
        "job-errors",
        job("running", **{"io-status": "ok"}),
        job("paused", **{"io-status": "nospace"}),
        [("BLOCK_JOB_ERROR", {"device": "m", "action": "stop"})],
    ),
    ("job-errors", job("paused", **{"io-status": "failed"}), job("running"), []),
    ("jobs", jobs(), jobs(a="running"), [("JOB_STATUS_CHANGE", {"id": "a", "status": "running"})]),
    ("jobs", jobs(a="ready"), jobs(a="ready"), []),
    (
        "jobs",
        jobs(a="ready", b="concluded", c="created", d="paused"),
        jobs(d="concluded"),
        [
            ("JOB_STATUS_CHANGE", {"id": "d", "status": "concluded"}),
            ("JOB_STATUS_CHANGE", {"id": "a", "status": "concluded"}),
            ("JOB_STATUS_CHANGE", {"id": "a", "status": "null"}),
            ("JOB_STATUS_CHANGE", {"id": "b", "status": "null"}),
            ("JOB_STATUS_CHANGE", {"id": "c", "status": "null"}),
        ],
    ),
    ("devices", children("d", "e"), children("e"), [("DEVICE_DELETED", DELETED)]),
    ("devices", children(), children("d"), []),
    (
        "memory",
        memory(0),
        memory(4),
        [
            (
                "MEMORY_DEVICE_SIZE_CHANGE",
                {"id": "v", "size": 4, "qom-path": "/machine/peripheral/v"},
            )
        ],
    ),
    ("memory", [], memory(0), []),
    ("memory", memory(4), [], []),
    ("memory", [], memory(4, id=""), []),
    ("balloon", {"actual": 1}, {"actual": 2}, [("BALLOON_CHANGE", {"actual": 2})]),
    ("balloon", {"actual": 1}, {"actual": 1}, []),
    ("balloon", None, {"actual": 1}, []),
    ("balloon", {"actual": 1}, None, []),
    ("slots", slot(0), slot(1), [("ACPI_DEVICE_OST", {"info": slot(1)[0]})]),
    ("slots", [], slot(1), [("ACPI_DEVICE_OST", {"info": slot(1)[0]})]),
    ("slots", [], slot(0, source=0), []),
    ("slots", slot(1), [], []),
    (
        "thresholds",
        nodes(7),
        nodes(0),
        [("BLOCK_WRITE_THRESHOLD", {"node-name": "n", "write-threshold": 7})],
    ),
    ("thresholds", nodes(7), nodes(8), []),
    ("thresholds", nodes(0), nodes(8), []),
    ("thresholds", nodes(7), [], []),
    ("images", nodes(0), nodes(0, corrupt=True), [("BLOCK_IMAGE_CORRUPTED", {"node-name": "n"})]),
    ("images", nodes(0, corrupt=True), [], []),
    ("images", [{"node-name": "n"}], [{"node-name": "n", "image": "odd"}], []),
    (
        "trays",
        tray(state=False),
        tray(state=True),
        [("DEVICE_TRAY_MOVED", {"device": "cd", "id": "q/1", "tray-open": True})],
    ),
    ("trays", [], tray(state=True), []),
    ("trays", tray(state=True), [], []),
    ("io-errors", disk("ok"), disk("failed"), failed(nospace=False)),
    ("io-errors", disk("ok", "ide0"), disk("nospace", "ide0"), failed(nospace=True, device="ide0")),
    (
        "io-errors",
        [],
        disk("failed", "ide0", ""),
        failed(nospace=False, device="ide0", node=""),
    ),
    ("io-errors", disk("failed"), disk("nospace"), []),
    ("io-errors", disk("failed"), disk("ok"), []),
    (
        "io-errors",
        disk("failed"),
        [*disk("failed"), *disk("failed", node="m")],
        failed(nospace=False, node="m"),
    ),
    (
        "exports",
        [{"id": "x"}, {"id": "y"}],
        [{"id": "y"}],
        [("BLOCK_EXPORT_DELETED", {"id": "x"})],
    ),
    ("exports", [], [{"id": "x"}], []),
    (
        "pr-managers",
        [{"id": "p", "connected": True}],
        [{"id": "p", "connected": False}],
        [("PR_MANAGER_STATUS_CHANGED", {"id": "p", "connected": False})],
    ),
    ("pr-managers", [], [{"id": "p", "connected": False}], []),
    ("pr-managers", [{"id": "p", "connected": False}], [], []),
]


def seen(name: str, answer: object) -> Mapping[str, Snapshot]:
    """The snapshot of one connect; None: QEMU refused the query."""
    return read([name], {QUERY[name]: answer})


@pytest.mark.parametrize(("name", "before", "after", "events"), ROWS)
def test_what_a_difference_proves(
    name: str, before: object, after: object, events: Sequence[object]
) -> None:
    """Each event with what is proved of its data; the second look makes nothing up."""
    known = merged({}, seen(name, before))
    assert list(differences(known, seen(name, after))) == events
    assert not list(differences(merged(known, seen(name, after)), seen(name, after)))
    assert not list(differences(seen(name, after), seen(name, after)))
    assert not list(differences({}, seen(name, after))), "the first sight"


TOLD = [
    ("MIGRATION", {"status": "active"}, "migration", "status", "active"),
    ("MIGRATION_PASS", {"pass": 3}, "migration", "pass", 3),
    ("BLOCK_JOB_READY", {"device": "m"}, "block-jobs", "m", {"event": "BLOCK_JOB_READY"}),
    ("BLOCK_JOB_PENDING", {"id": "m"}, "block-jobs", "m", {"event": "BLOCK_JOB_PENDING"}),
    ("BLOCK_JOB_COMPLETED", {}, "block-jobs", "", ...),
    ("JOB_STATUS_CHANGE", {"id": "m", "status": "null"}, "block-jobs", "m", None),
    ("JOB_STATUS_CHANGE", {"id": "m", "status": "created"}, "block-jobs", "m", None),
    ("JOB_STATUS_CHANGE", {"id": "m", "status": "ready"}, "block-jobs", "m", ...),
    ("BLOCK_JOB_ERROR", {"device": "m", "action": "stop"}, "job-errors", "m", True),
    ("BLOCK_JOB_ERROR", {"device": "m", "action": "report"}, "job-errors", "m", ...),
    ("JOB_STATUS_CHANGE", {"id": "m", "status": "paused"}, "job-errors", "m", ...),
    ("JOB_STATUS_CHANGE", {"id": "m", "status": "running"}, "job-errors", "m", None),
    ("JOB_STATUS_CHANGE", {"id": "m", "status": "ready"}, "jobs", "m", "ready"),
    ("JOB_STATUS_CHANGE", {"id": "m", "status": "null"}, "jobs", "m", None),
    ("JOB_STATUS_CHANGE", {}, "jobs", "", ...),
    ("VSERPORT_CHANGE", {"id": "p", "open": True}, "ports", "p", True),
    ("VSERPORT_CHANGE", {"open": True}, "ports", "", ...),
    ("VSERPORT_CHANGE", {"id": "p"}, "ports", "", ...),
    ("DEVICE_DELETED", DELETED, "devices", "d", None),
    ("DEVICE_DELETED", {"path": "/x"}, "devices", "", ...),
    ("MEMORY_DEVICE_SIZE_CHANGE", {"id": "v", "size": 4}, "memory", "v", 4),
    ("MEMORY_DEVICE_SIZE_CHANGE", {"size": 4}, "memory", "", ...),
    ("BALLOON_CHANGE", {"actual": 4}, "balloon", "actual", 4),
    ("ACPI_DEVICE_OST", {"info": slot(1)[0]}, "slots", "DIMM 0", slot(1)[0]),
    ("ACPI_DEVICE_OST", {}, "slots", "", ...),
    ("BLOCK_WRITE_THRESHOLD", {"node-name": "n"}, "thresholds", "n", None),
    ("BLOCK_WRITE_THRESHOLD", {}, "thresholds", "", ...),
    ("BLOCK_IMAGE_CORRUPTED", {"node-name": "n"}, "images", "n", True),
    ("BLOCK_IMAGE_CORRUPTED", {"device": "n"}, "images", "", ...),
    ("DEVICE_TRAY_MOVED", {"device": "", "id": "q", "tray-open": True}, "trays", "/q", True),
    (
        "BLOCK_IO_ERROR",
        {"device": "", "node-name": "n", "action": "stop", "nospace": True},
        "io-errors",
        "/n",
        {"nospace": True},
    ),
    (
        "BLOCK_IO_ERROR",
        {"device": "d", "action": "stop"},
        "io-errors",
        "d/",
        {"nospace": False},
    ),
    ("BLOCK_IO_ERROR", {"device": "d", "action": "report"}, "io-errors", "", ...),
    ("RESUME", {}, "io-errors", None, None),
    ("BLOCK_EXPORT_DELETED", {"id": "x"}, "exports", "x", None),
    ("PR_MANAGER_STATUS_CHANGED", {"id": "p", "connected": True}, "pr-managers", "p", True),
]


@pytest.mark.parametrize(("event", "data", "subject", "key", "state"), TOLD)
def test_what_an_event_says(
    event: str, data: Row, subject: str, key: str | None, state: object
) -> None:
    """The key and its state; an ellipsis stands for nothing."""
    assert SUBJECTS[subject] in told_by(event)
    said = SUBJECTS[subject].told[event](data)
    assert said == (None if state is ... else (key, state))


def test_every_event_that_can_be_made_up_for_keeps_its_snapshot_current() -> None:
    """Or the next connect would tell what was seen; and every one of them is tried above."""
    assert RECOVERED <= TELLING == {row[0] for row in TOLD} | {"BLOCK_JOB_CANCELLED"}
    for subject in SUBJECTS.values():
        assert set(subject.events) <= set(subject.told)
    assert {name for *_, events in ROWS for name, _ in events} | {"VSERPORT_CHANGE"} == RECOVERED


@pytest.mark.parametrize("row", [row for row in ROWS if row[3]], ids=str)
def test_what_was_heard_is_not_told_again(row: Case) -> None:
    """The events of a difference, applied to the snapshot before it, leave no difference."""
    name, before, after, events = row
    snapshot = seen(name, before)[name]
    for event, data in events:
        said = SUBJECTS[name].told[event](data)
        assert said is not None
        snapshot = moved(snapshot, *said)
    assert not list(SUBJECTS[name].differences(snapshot, seen(name, after)[name]))


def test_no_question_is_asked_twice() -> None:
    """Subjects share what is asked, and what was answered leads to no question again."""
    asked = first_queries(SUBJECTS)
    assert len({query.name for query in asked}) == len(asked)
    port = {"name": "p", "type": "child<virtserialport>"}
    answers: dict[str, object] = {query.name: [port] for query in asked}
    more = more_queries(SUBJECTS, answers)
    assert [query.name for query in more] == ["qom-get p", "query-chardev"]
    assert more_queries(SUBJECTS, {**answers, "qom-get p": "c", "query-chardev": []}) == ()


def test_ports_beyond_the_most_are_left_out() -> None:
    """Each costs a query."""
    ports = [{"name": f"p{n}", "type": "child<virtserialport>"} for n in range(130)]
    assert len(more_queries(["ports"], {"qom-list": ports})) == 128 + 1


def test_half_a_snapshot_is_none() -> None:
    """At the most it is one, beyond it is not."""
    for number, there in ((KEYS_MAX, True), (KEYS_MAX + 1, False)):
        found = read(["exports"], {"query-block-exports": [{"id": str(n)} for n in range(number)]})
        assert ("exports" in found) is there


def test_an_event_on_its_way_says_it_itself() -> None:
    """Also of a key that is gone by now, and of one that nobody asked for nothing."""
    held: list[tuple[str, Row]] = [
        ("DEVICE_DELETED", DELETED),
        ("DEVICE_DELETED", {}),
        ("BALLOON_CHANGE", {"actual": 1}),
    ]
    after = read(["devices"], {"qom-list": children("e")}, held)
    assert after == {"devices": {"e": True, "d": None}}
    before = seen("devices", children("d", "e"))
    assert not list(differences(before, after))
    assert merged(before, after) == before
    assert merged({}, after) == {"devices": {"e": True}}


def test_an_event_on_its_way_that_is_about_all_leaves_nothing_to_compare() -> None:
    """Nobody can tell whether the guest was let go before the disks were looked at, or behind."""
    error: tuple[str, Row] = ("BLOCK_IO_ERROR", failed(nospace=False)[0][1])
    answers = {"query-block": disk("failed")}
    assert read(["io-errors"], answers, [("RESUME", {}), error]) == {}
    assert read(["io-errors"], answers, [error]) == {"io-errors": {"/n": None}}


@pytest.mark.parametrize("before", [{}, {"/n": {"nospace": True}, "/m": {"nospace": True}}])
def test_a_guest_that_goes_on_leaves_no_error(before: Snapshot) -> None:
    """`cont` makes all disks well."""
    assert moved(before, None, None) == {}


@pytest.mark.parametrize(
    ("subject", "key", "state", "event"),
    [
        ("ports", "p", True, ("VSERPORT_CHANGE", {"id": "p", "open": False})),
        (
            "trays",
            "d/q",
            True,
            ("DEVICE_TRAY_MOVED", {"device": "d", "id": "q", "tray-open": False}),
        ),
        ("pr-managers", "p", False, ("PR_MANAGER_STATUS_CHANGED", {"id": "p", "connected": True})),
        ("balloon", "actual", 1, None),
    ],
)
def test_what_may_still_come(subject: str, key: str, state: object, event: object) -> None:
    """Of what has two states it is the other one."""
    assert list(SUBJECTS[subject].awaited(key, state)) == ([event] if event else [])


def test_the_queries_of_the_tables_are_those_that_are_asked() -> None:
    """Each row stands for the answer to what its subject asks."""
    for name, query in QUERY.items():
        assert [asked.name for asked in SUBJECTS[name].queries] == [query]
    assert set(QUERY) | {"ports"} == set(SUBJECTS)
