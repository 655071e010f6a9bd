"""The triggers of the contract, as an operator writes them, from the text to the run."""

from reactor.core.inputs import Fired, Message, Received
from tests.core.simulation import Host, document
from tests.core.triggers import fired, happen


def _host(trigger: str) -> Host:
    text = document("p", "[{publish: fired, payload: '${trigger.event.name}'}]", trigger)
    return Host([text]).connect()


def test_five_bad_reads_of_one_node() -> None:
    """Other nodes and other kinds of errors do not count."""
    host = _host(
        '{event: QUORUM_REPORT_BAD, where: data.type == "read", by: data.node_name, '
        "count: 5, within: 10m}"
    )
    for number in range(12):
        node = "n1" if number % 3 else "n2"
        happen(host, "QUORUM_REPORT_BAD", {"type": "read", "node-name": node})
        happen(host, "QUORUM_REPORT_BAD", {"type": "flush", "node-name": node})
        host.run(10)
    assert fired(host) == ["QUORUM_REPORT_BAD"]


def test_a_device_that_cannot_be_unplugged_is_told_once() -> None:
    """QEMU sends the old name and the new one."""
    host = _host("{event: [DEVICE_UNPLUG_GUEST_ERROR, MEM_UNPLUG_ERROR], by: data.device}")
    happen(host, "MEM_UNPLUG_ERROR", {"device": "dimm0", "msg": "busy"})
    happen(host, "DEVICE_UNPLUG_GUEST_ERROR", {"device": "dimm0", "path": "/x"})
    assert fired(host) == ["MEM_UNPLUG_ERROR"]


def test_an_agent_that_does_not_come_back() -> None:
    """A port that opens again is the second event; a reset calls off."""
    host = _host(
        "{event: VSERPORT_CHANGE, where: 'data.id == \"agent\" && !data.open', "
        "not_followed_by: {event: VSERPORT_CHANGE, "
        "where: 'data.id == \"agent\" && data.open', within: 2m}, "
        "cancel_on: [RESET, SHUTDOWN, REACTOR_GUEST_LOST]}"
    )
    for end in ("VSERPORT_CHANGE", "RESET", "OTHER"):
        happen(host, "VSERPORT_CHANGE", {"id": "agent", "open": False})
        host.run(60)
        happen(host, end, {"id": "agent", "open": True})
        host.run(100)
    assert fired(host) == ["VSERPORT_CHANGE"]


def test_a_crash_kernel_and_then_a_reset() -> None:
    """The run is about the first event."""
    host = _host("{event: GUEST_CRASHLOADED, followed_by: {event: RESET, within: 10m}}")
    happen(host, "RESET")
    happen(host, "GUEST_CRASHLOADED")
    host.run(300)
    happen(host, "RESET")
    assert fired(host) == ["GUEST_CRASHLOADED"]


def test_a_disk_error_that_lasts() -> None:
    """A minute."""
    host = _host("{state: 'guest.status == \"io-error\"', for: 1m}")
    host.guests["web-1"].status = "io-error"
    happen(host, "BLOCK_IO_ERROR", {"action": "stop"})
    host.run(59)
    assert fired(host) == []
    host.run(2)
    assert fired(host) == ["REACTOR_STATE"]


def test_a_dump_on_request() -> None:
    """For who says who he is."""
    host = _host(
        "{mqtt: 'request/+/dump', guest: '${topic[3]}', where: 'message.json.user != \"\"'}"
    )
    for user in ("", "anna"):
        below = "request/web-1/dump"
        host.give(
            Received(Message(f"reactor/h1/{below}", "", below, json={"user": user}, is_json=True))
        )
    assert fired(host) == ["REACTOR_MESSAGE"]


def test_every_night() -> None:
    """Whoever knows the time says so."""
    host = _host('{schedule: "0 3 * * *", timezone: Europe/Berlin}')
    host.give(Fired("p", 0, host.now, 1))
    assert fired(host) == ["REACTOR_SCHEDULE"]
