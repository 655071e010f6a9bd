"""Waits for an event that may have come while the monitor was away."""

import pytest

from reactor.core.config import EngineConfig
from reactor.core.inputs import Answered, Refusal
from tests.core.simulation import Host, document

CONFIG = EngineConfig(host="h1", allow=frozenset({"device_del"}))
WAIT = "[{wait: {event: EVENT, where: 'WHERE', fail_when: 'FAILS', timeout: 1h}}, {publish: on}]"


def _text(event: str, where: str = "true", fails: str = "false") -> str:
    steps = WAIT.replace("EVENT", event).replace("WHERE", where).replace("FAILS", fails)
    return document("p", steps)


def _jobs(*jobs: tuple[str, str], error: str = "") -> list[object]:
    more = {"error": error} if error else {}
    return [
        "odd",
        *({"id": id_, "type": "mirror", "status": status} | more for id_, status in jobs),
    ]


def _cut(host: Host, answer: object, query: str, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Break the monitor while the run waits; when it is back this is what the query says."""
    host.event("web-1", "GO", {"n": 1})
    host.run(5)
    guest = host.guests["web-1"]
    name = "_" + query.replace("-", "_")
    monkeypatch.setattr(type(guest), name, lambda *_: answer, raising=False)
    host.disconnect("web-1")
    host.run(2)
    host.connect()
    return host.run(1)


OURS = 'data.device == "m1"'


@pytest.mark.parametrize(
    ("event", "where", "answer", "outcomes"),
    [
        pytest.param("BLOCK_JOB_READY", OURS, _jobs(("m1", "ready")), ["succeeded"], id="ready"),
        pytest.param("BLOCK_JOB_READY", OURS, _jobs(("m1", "running")), [], id="not ready yet"),
        pytest.param("BLOCK_JOB_READY", OURS, _jobs(("m2", "ready")), ["unknown"], id="another"),
        pytest.param("BLOCK_JOB_READY", OURS, [], ["unknown"], id="no job any more"),
        pytest.param("BLOCK_JOB_READY", OURS, {}, ["unknown"], id="an odd answer"),
        pytest.param(
            "BLOCK_JOB_COMPLETED", OURS, _jobs(("m1", "concluded")), ["succeeded"], id="kept"
        ),
        pytest.param("BLOCK_JOB_COMPLETED", OURS, _jobs(("m1", "ready")), [], id="still works"),
        pytest.param("BLOCK_JOB_COMPLETED", OURS, _jobs(("m1", "aborting")), [], id="aborts"),
        pytest.param("BLOCK_JOB_READY", OURS, _jobs(("m1", "null")), ["unknown"], id="over"),
        pytest.param(
            "JOB_STATUS_CHANGE",
            'data.id == "m1" && data.status == "concluded"',
            _jobs(("m1", "running")),
            [],
            id="a status to come",
        ),
        pytest.param(
            "JOB_STATUS_CHANGE",
            'data.id == "m1" && data.status == "ready"',
            _jobs(("m1", "ready")),
            ["succeeded"],
            id="a status that is",
        ),
        pytest.param(
            "BLOCK_JOB_PENDING",
            'data.id == "m1"',
            _jobs(("m1", "pending")),
            ["succeeded"],
            id="pending",
        ),
    ],
)
def test_a_wait_for_a_job(
    event: str, where: str, answer: object, outcomes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """query-jobs says that it came, that it may still come, or nobody can tell."""
    host = Host([_text(event, where)], config=CONFIG).connect()
    _cut(host, answer, "query-jobs", monkeypatch)
    assert host.outcomes() == outcomes
    host.event(
        "web-1", event, {"device": "m1", "id": "m1", "status": "concluded", "type": "mirror"}
    )
    host.run(1)
    assert host.outcomes() == (outcomes or ["succeeded"])


def test_a_job_that_failed_fails_its_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error that query-jobs keeps is that of the event."""
    text = _text("BLOCK_JOB_COMPLETED", OURS, "has(data.error)")
    host = Host([text], config=CONFIG).connect()
    _cut(host, _jobs(("m1", "concluded"), error="I/O"), "query-jobs", monkeypatch)
    assert host.outcomes() == ["failed"]
    assert (
        host.ended()[0].error == "BLOCK_JOB_COMPLETED came and `fail_when` holds: has(data.error)"
    )


def test_what_was_found_is_in_the_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways."""
    for status, reason in (
        ("ready", "done: BLOCK_JOB_READY must have come"),
        ("running", "not done: BLOCK_JOB_READY may still come"),
    ):
        host = Host([_text("BLOCK_JOB_READY", OURS)], config=CONFIG).connect()
        _cut(host, _jobs(("m1", status)), "query-jobs", monkeypatch)
        (trace,) = host.traces("probed")
        assert (trace.reason, trace.values["device"]) == (reason, "m1")


@pytest.mark.parametrize(
    ("names", "outcomes"),
    [
        pytest.param([{"name": "dimm0"}], [], id="still there"),
        pytest.param([{"name": "dimm1"}], ["succeeded"], id="gone"),
        pytest.param(Refusal("GenericError", "x"), ["unknown"], id="cannot be asked"),
    ],
)
def test_a_device_that_shall_go(
    names: object, outcomes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is gone when it is not among the devices any more."""
    text = document(
        "p",
        "[{qmp: device_del, args: {id: dimm0}, wait: {event: DEVICE_DELETED, "
        'where: \'data.?device.orValue("") == "dimm0"\'}}]',
    )
    host = Host([text], config=CONFIG).connect()
    _cut(host, names, "qom-list", monkeypatch)
    assert host.outcomes() == outcomes


def test_a_query_that_gets_lost_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The monitor may break again while it is asked; events that come meanwhile count."""
    host = Host([_text("BLOCK_JOB_READY", OURS)], config=CONFIG).connect()
    host.guests["web-1"].silent.add("query-jobs")
    _cut(host, _jobs(("m1", "ready")), "query-jobs", monkeypatch)
    (query,) = [name for name, owner in host.engine.world.asked.items() if "." in name and owner]
    host.disconnect("web-1")
    host.give(Answered(query, lost="the monitor broke"))
    host.run(1)
    assert host.outcomes() == []
    host.guests["web-1"].silent.clear()
    host.connect()
    assert host.outcomes() == ["succeeded"]


@pytest.mark.parametrize(
    ("word", "outcomes"),
    [
        pytest.param("active", [], id="runs"),
        pytest.param("completed", ["succeeded"], id="completed"),
        pytest.param("failed", ["unknown"], id="failed"),
    ],
)
def test_a_wait_for_our_own_migration(word: str, outcomes: list[str]) -> None:
    """query-migrate says how far it is."""
    text = document(
        "p",
        "[{qmp: migrate, args: {uri: 'tcp:h2:1'}, "
        "wait: {event: MIGRATION, where: 'data.status == \"completed\"'}}]",
    )
    host = Host([text], config=CONFIG).connect()
    host.event("web-1", "GO", {"n": 1})
    host.run(5)
    host.guests["web-1"].migration = word
    host.disconnect("web-1")
    host.run(1)
    host.connect()
    host.run(1)
    assert host.outcomes() == outcomes


def test_the_last_migration_of_somebody_else_proves_nothing() -> None:
    """query-migrate tells of it for ever."""
    host = Host([_text("MIGRATION", 'data.status == "completed"')], config=CONFIG)
    host.guests["web-1"].migration = "completed"
    host.connect()
    host.event("web-1", "GO", {"n": 1})
    host.run(5)
    host.disconnect("web-1")
    host.connect()
    assert host.outcomes() == ["unknown"]
