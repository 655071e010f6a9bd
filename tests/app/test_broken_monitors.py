"""A monitor that breaks at a command that changes its guest, over real sockets.

What bytes can do wrong, in all orders, is tested in virtual time: tests/simulation/test_faults.py.
"""

from collections.abc import Callable, Mapping

import pytest

from tests.app.house import FakeGuest, House
from tests.fakes.qmp_server import CUT, SILENT, Answer

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]

RESET = """\
policy: reset-it
description: d
trigger: {event: GUEST_PANICKED}
if: guest.status == "guest-panicked"
mode: queued
steps:
  - guest: reset
on_failure:
  - mark: {guest: self, as: unclear, reason: '${run.error}'}
"""

Reset = Callable[[Mapping[str, object]], Answer]
Break = Callable[[FakeGuest, Reset], Answer]


def _unread(_guest: FakeGuest, _reset: Reset) -> Answer:
    return CUT


def _unanswered(_guest: FakeGuest, reset: Reset) -> Answer:
    reset({})
    return CUT


def _half(guest: FakeGuest, reset: Reset) -> Answer:
    reset({})
    guest.raw(b'{"return": {}, "i')
    return CUT


def _garbage(guest: FakeGuest, reset: Reset) -> Answer:
    reset({})
    guest.raw(b"\xff\x00]}\r\n")
    return SILENT


def _foreign(guest: FakeGuest, reset: Reset) -> Answer:
    for number in ("1", '"query-status"', "null", "[1]", "1e300"):
        guest.raw(b'{"return": {"status": "running"}, "id": %b}\r\n' % number.encode())
    return reset({})


def _flood(guest: FakeGuest, reset: Reset) -> Answer:
    for count in range(2000):
        guest.event("RTC_CHANGE", {"offset": count}, time=2000.0 - count)
    return reset({})


def _wrong_event(guest: FakeGuest, reset: Reset) -> Answer:
    reset({})
    guest.raw(b'{"event": "RESET", "data": [1], "timestamp": "now"}\r\n')
    return SILENT


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(_unread, id="cut before it is read"),
        pytest.param(_unanswered, id="cut before the reply"),
        pytest.param(_half, id="cut within the reply"),
        pytest.param(_garbage, id="garbage"),
        pytest.param(_foreign, id="replies to nothing"),
        pytest.param(_flood, id="a flood with stamps that go back"),
        pytest.param(_wrong_event, id="an event of other types"),
    ],
)
async def test_a_reset_is_done_once_and_the_other_guest_is_served(
    house: House, broken: Break
) -> None:
    """The run ends with a word that is true, in the journal, and no reset follows it."""
    house.policy(RESET)
    bad, good = await house.guest("bad"), await house.guest("good")
    await house.start("bad", "good")
    reset = bad.answers["system_reset"]
    assert callable(reset)

    def breaks(_arguments: Mapping[str, object]) -> Answer:
        bad.answers["system_reset"] = reset
        return broken(bad, reset)

    bad.answers["system_reset"] = breaks
    bad.panic("GUEST_PANICKED")
    # The commands that are noted are those that came in, whatever became of them.
    await house.until("the reset was sent", lambda: "system_reset" in _sent(bad))
    good.panic("GUEST_PANICKED")
    await house.until("the other guest runs", lambda: good.status == "running")
    await house.until("both runs have ended", lambda: len(house.runs()) == 2)
    await house.watches("bad", "good")
    await house.rest()
    ended = {run.guest: run for run in house.runs()}
    assert (ended["good"].outcome, good.resets) == ("succeeded", 1)
    assert bad.resets <= 1
    if ended["bad"].outcome == "succeeded":
        assert (bad.resets, bad.status) == (1, "running")
    else:
        assert ended["bad"].outcome == "unknown"
        assert ended["bad"].error


def _sent(guest: FakeGuest) -> list[str]:
    return [command.execute for command in guest.commands]
