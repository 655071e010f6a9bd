"""The connection breaks right behind an event: what it told is not taken for gone."""

import pytest

from reactor.core.effect import Execute
from reactor.core.facts import UNHEARD
from reactor.core.inputs import Answered
from tests.core.simulation import Host
from tests.core.test_panic_runbook import FREE

DONE = ["set-action", "dump-guest-memory", "system_reset", "cont"]


def _panicked() -> Host:
    """A guest that has just panicked, with a run that has asked for its status."""
    host = Host([FREE]).connect()
    guest = host.guests["web-1"]
    guest.deaf = {"query-status"}
    guest.panic(host)
    host.run(0.01)
    return host


def _asked(host: Host) -> str:
    """The run's question that is under way."""
    questions = [
        effect.id
        for effect in host.seen(Execute)
        if isinstance(effect, Execute) and effect.command == "query-status" and effect.run
    ]
    return questions[-1]


@pytest.mark.parametrize(
    ("away", "outcomes"),
    [
        pytest.param(0.2, ["succeeded"], id="back at once"),
        pytest.param(4.8, ["succeeded"], id="back in time"),
        pytest.param(5.0, ["skipped", "succeeded"], id="gone by now"),
        pytest.param(6.0, ["skipped", "succeeded"], id="back too late"),
    ],
)
def test_a_condition_waits_five_seconds_for_a_monitor_that_broke(
    away: float, outcomes: list[str]
) -> None:
    """A panic whose connection is cut before `if` was looked at is seen to all the same.

    Late, by another run: the connect tells of it again.
    """
    host = _panicked()
    question = _asked(host)
    host.disconnect("web-1")
    host.give(Answered(question, lost="the connection was closed"))
    host.guests["web-1"].deaf.clear()
    host.run(away)
    host.connect()
    host.run(60)
    assert host.outcomes() == outcomes
    assert host.guests["web-1"].status == "running"
    assert host.commands().count("system_reset") == 1


def test_a_query_that_could_not_be_sent_is_sent_again_when_the_monitor_is_back() -> None:
    """The word that the connection is over comes behind the answer."""
    host = _panicked()
    host.give(Answered(_asked(host), unsent="the monitor is not connected"))
    host.disconnect("web-1")
    host.give(Answered(_asked(host), unsent="the monitor is not connected"))
    host.guests["web-1"].deaf.clear()
    host.run(0.2)
    host.connect()
    host.run(60)
    assert host.commands() == [DONE[0], *DONE]
    assert host.outcomes() == ["succeeded"]


def test_a_qemu_that_takes_no_query_is_waited_for() -> None:
    """Its connection stands all the same: it hangs, and is not away."""
    host = _panicked()
    host.give(Answered(_asked(host), unsent="QEMU has not read"))
    host.give(Answered(_asked(host), unsent="QEMU has not read"))
    host.run(5.1)
    host.give(Answered(_asked(host), unsent="QEMU has not read"))
    assert [trace.reason for trace in host.traces("waiting")] == [UNHEARD]
    host.run(1)
    assert host.outcomes() == []
    host.give(Answered(_asked(host), unsent="QEMU has not read"))
    host.guests["web-1"].deaf.clear()
    host.run(60)
    assert host.outcomes() == ["succeeded"]
