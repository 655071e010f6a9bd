"""A run that ends because nobody could be asked has seen to nothing: its event is told again."""

import pytest

from tests.core.simulation import Host, document

PANIC = "{event: GUEST_PANICKED}"
PANICKED = 'guest.status == "guest-panicked"'
IF = document("p", "[{guest: reset}]", PANIC, f"if: '{PANICKED}'\nmode: queued\n")
CHECK = document("p", f"[{{check: '{PANICKED}'}}, {{guest: reset}}]", PANIC, "mode: queued\n")
LABEL = document("p", "[{guest: reset}]", PANIC, """if: '"a" in guest.labels'\nmode: queued\n""")


def _panicked(text: str) -> Host:
    """A guest that has panicked before our eyes, and then its QEMU hangs."""
    host = Host([text]).connect()
    guest = host.guests["web-1"]
    guest.silent.add("query-status")
    guest.panic(host)
    return host.run(0.1)


def _away(host: Host, *, restart: bool) -> Host:
    """Nobody can ask it until its run is given up."""
    host.disconnect("web-1")
    if restart:
        host.restart(connect=False)
    host.run(60)
    host.guests["web-1"].silent.clear()
    return host


@pytest.mark.parametrize("restart", [False, True], ids=["a break", "a restart"])
@pytest.mark.parametrize("text", [IF, CHECK], ids=["if", "check"])
def test_a_guest_that_could_not_be_asked_is_not_given_up(text: str, *, restart: bool) -> None:
    """The run is skipped; the next connect tells of the panic again, and the guest is reset."""
    host = _away(_panicked(text), restart=restart)
    assert host.outcomes() == ["skipped"]
    host.connect()
    host.run(10)
    assert (host.outcomes(), host.commands().count("system_reset")) == (["skipped", "succeeded"], 1)
    host.disconnect("web-1")
    host.run(20)
    host.connect()
    host.run(10)
    assert len(host.outcomes()) == 2


def test_it_is_told_again_over_another_restart() -> None:
    """That it is owed is on disk."""
    host = _away(_panicked(IF), restart=False)
    host.restart(connect=False)
    host.run(100)
    host.connect()
    host.run(10)
    assert host.outcomes() == ["skipped", "succeeded"]


@pytest.mark.parametrize(
    ("status", "epoch", "outcomes"),
    [
        pytest.param("running", "1-1", ["skipped"], id="somebody has seen to it"),
        pytest.param("io-error", "1-1", ["skipped"], id="it stands for another reason"),
        pytest.param("running", "2-2", ["skipped"], id="another QEMU"),
        pytest.param("guest-panicked", "2-2", ["skipped", "succeeded"], id="another panic"),
    ],
)
def test_what_is_no_more_as_it_was_is_not_told_again(
    status: str, epoch: str, outcomes: list[str]
) -> None:
    """Only the state that the event left proves that nobody has seen to it."""
    host = _away(_panicked(IF), restart=False)
    guest = host.guests["web-1"]
    guest.status, guest.epoch = status, epoch
    host.connect()
    host.run(10)
    assert host.outcomes() == outcomes


def test_a_status_that_was_known_before_the_break_is_told_again_too() -> None:
    """The snapshot says guest-panicked already: only the run that gave up makes it news."""
    host = Host([CHECK.replace("[{check", "[{delay: 1s}, {check")]).connect()
    host.guests["web-1"].panic(host)
    host.run(0.5)
    _away(host, restart=False)
    host.connect()
    host.run(10)
    assert (host.outcomes(), host.guests["web-1"].status) == (["skipped", "succeeded"], "running")


def test_a_condition_that_asks_nobody_was_not_blind() -> None:
    """It is as false when the guest is there."""
    host = _panicked(LABEL)
    _away(host, restart=False)
    host.connect()
    host.run(10)
    assert host.outcomes() == ["skipped"]
