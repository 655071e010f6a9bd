"""A guest that is renamed between a reset and its ``cont`` does not stand still for good."""

import pytest

from reactor.core.config import EngineConfig
from reactor.core.effect import Execute, Log
from reactor.core.inputs import Disconnected, GuestForgotten, GuestKnown
from reactor.core.orders import HoldGuests
from reactor.core.owed import OWED_LIMIT
from tests.core.simulation import Host, SimGuest, document

UUID = "11111111-2222-3333-4444-555555555555"
SOCKET = f"{UUID}/4/77-123456789"
TCP = f"{UUID}/4"

RESET = document(
    "p",
    "[{guest: reset, timeout: 10s}]",
    more="on_failure: [{publish: failed, payload: '${run.error}'}]\n",
)
REST = "What comes behind that in this step was not done"


def reset(epoch: str, uuid: str, text: str = RESET) -> Host:
    """A guest that a run has reset; its monitor is gone before it could be let go."""
    host = Host([text], config=EngineConfig(host="h1"))
    guest = host.guests["web-1"]
    guest.status, guest.epoch, guest.uuid = "guest-panicked", epoch, uuid
    guest.mute = {"RESET"}
    host.connect()
    host.event("web-1", "GO", {})
    while guest.status != "prelaunch":
        host.run(0.0005)
    host.run(0.01)
    host.give(Disconnected("web-1", "its socket vanished"))
    del host.guests["web-1"]
    assert "cont" not in host.commands()
    return host


def comes_back(
    host: Host, epoch: str, uuid: str, status: str = "prelaunch", name: str = "web-2"
) -> SimGuest:
    """A QEMU that is connected under this name."""
    guest = host.guests[name] = SimGuest(name, status, epoch=epoch, uuid=uuid)
    host.give(GuestKnown(name))
    host.connect(name)
    host.run(5)
    return guest


def told(host: Host) -> list[str]:
    """What the operator reads in the log."""
    return [e.text for e in host.seen(Log) if isinstance(e, Log) and e.level == "warning"]


@pytest.mark.parametrize("epoch", ["1-1", SOCKET], ids=["its process", "its socket"])
@pytest.mark.parametrize("restart", [False, True], ids=["at once", "after a restart"])
def test_the_same_qemu_is_let_go(epoch: str, *, restart: bool) -> None:
    """By its new name, and it is told what was not done."""
    host = reset(epoch, UUID)
    if restart:
        host.restart(connect=False)
    assert comes_back(host, epoch, UUID).status == "running"
    sent = [e for e in host.seen(Execute) if isinstance(e, Execute) and e.command == "cont"]
    assert [(e.guest, e.changes, e.run) for e in sent] == [("web-2", True, "abc123-1")]
    text = "the guest was reset, and its QEMU came back as web-2: `cont` is sent to it there"
    assert told(host) == [text]
    assert host.published() == [("failed", f"{text}. {REST}")]
    assert host.outcomes() == ["unknown"]


@pytest.mark.parametrize(
    ("epoch", "before", "after"),
    [
        pytest.param("1-1", "", "", id="no UUID: the process may be a manager of many"),
        pytest.param("1-1", UUID, UUID.replace("1", "2"), id="another UUID"),
        pytest.param(TCP, UUID, UUID, id="TCP: a QEMU in a container begins like that"),
    ],
)
def test_a_qemu_that_may_be_another_one_is_left_alone(epoch: str, before: str, after: str) -> None:
    """It is told at once what to look for, and the run waits for its own guest."""
    host = reset(epoch, before)
    assert comes_back(host, epoch, after).status == "prelaunch"
    text = "web-2 may be the guest web-1 under another name: a run has reset that and cannot let "
    text += "it go. Where it stands in `prelaunch`, and is that one, send it `cont`"
    assert told(host) == [text]
    assert (host.commands(), host.outcomes()) == (["system_reset"], [])


def test_another_qemu_is_nothing_to_it() -> None:
    """Another process, whatever its UUID."""
    host = reset("1-1", UUID)
    assert comes_back(host, "2-2", UUID).status == "prelaunch"
    assert (told(host), host.outcomes()) == ([], [])


def test_a_qemu_that_somebody_has_let_go() -> None:
    """There is nothing to do, and it is told."""
    host = reset("1-1", UUID)
    comes_back(host, "1-1", UUID, "running")
    text = "the guest was reset, and its QEMU came back as web-2: it stands in `running` there"
    assert (told(host), host.commands()) == ([text], ["system_reset"])
    assert host.published() == [("failed", f"{text}. {REST}")]


def test_a_guest_that_is_held_under_its_new_name() -> None:
    """Who holds it is told what to send."""
    host = reset("1-1", UUID)
    host.order(HoldGuests("", None, "hands off"))
    assert comes_back(host, "1-1", UUID).status == "prelaunch"
    (text,) = told(host)[-1:]
    assert text.startswith("the guest was reset, and its QEMU came back as web-2, where it stands")
    assert text.endswith("hands off. Send it `cont`")


def test_the_monitor_of_the_guest_itself() -> None:
    """While it is there another one of the same QEMU changes nothing."""
    host = Host([RESET])
    guest = host.guests["web-1"]
    guest.status, guest.uuid, guest.mute = "guest-panicked", UUID, {"RESET"}
    host.connect()
    host.event("web-1", "GO", {})
    host.run(0.01)
    comes_back(host, "1-1", UUID)
    assert (told(host), "cont" in host.commands("web-2")) == ([], False)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            RESET.replace("steps:", "approval: {ask: may it}\nsteps:"), id="it has not begun"
        ),
        pytest.param(
            document("p", "[{wait: {event: NEVER}, timeout: 1h}]"), id="it waits for its guest"
        ),
    ],
)
def test_a_run_that_has_reset_nothing(text: str) -> None:
    """It goes on as before."""
    host = Host([text])
    host.guests["web-1"].uuid = UUID
    host.connect()
    host.event("web-1", "GO", {})
    host.run(1)
    host.give(Disconnected("web-1", "its socket vanished"))
    comes_back(host, "1-1", UUID)
    assert (told(host), host.outcomes()) == ([], [])


def test_a_guest_that_nobody_names_any_more() -> None:
    """When the run gives up it says where to look."""
    host = reset("1-1", UUID)
    host.give(GuestForgotten("web-1"))
    host.run(OWED_LIMIT + 60)
    ((_, text),) = host.published()
    assert text == (
        "the step did not end within 10s; the guest was reset, and could not be let go: nobody "
        "names it any more. Under its new name it may stand in `prelaunch`: send it `cont`"
    )
