"""Killed between any two lines of the journal, with what was under way obeyed or lost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.core.effect import Effect, Execute
from reactor.core.inputs import Input
from tests.core.simulation import Host
from tests.core.test_panic_runbook import FREE

DEEDS = ("dump-guest-memory", "system_reset", "cont")


class _Killed(Exception):  # noqa: N818 - not an error: the end of a daemon
    """The daemon is gone, right after it kept what an input made."""


class _Mortal(Host):
    """A host whose daemon is killed behind an input; what it sent then may get lost."""

    left: int | None = None
    loses = False

    def give(self, input_: Input) -> list[Effect]:
        """Hand one input to the engine, which may be the last."""
        guest = self.guests["web-1"]
        last = self.left == 0
        if last and self.loses:
            guest.deaf |= set(DEEDS)
        effects = super().give(input_)
        guest.deaf.clear()
        if last:
            self.left = None
            raise _Killed
        if self.left is not None:
            self.left -= 1
        return effects

    def lives(self, inputs: int, *, loses: bool, within: float = 60.0) -> bool:
        """Play until the daemon is killed behind so many inputs; false when it lived on."""
        self.left, self.loses = inputs, loses
        try:
            self.run(within)
        except _Killed:
            return True
        self.left = None
        return False


def _obeyed(host: Host) -> int:
    """How often the guest did what it was told; a command that got lost it did not do."""
    sent = [e for e in host.seen(Execute) if isinstance(e, Execute) and e.command in DEEDS]
    lost = [t for t in host.traces("probed") if t.reason.startswith("not done")]
    return len(sent) - len(lost)


@pytest.mark.parametrize("loses", [False, True], ids=["obeyed", "lost"])
def test_a_panic_is_seen_to_whenever_the_daemon_is_killed(loses: bool) -> None:
    """One dump, one reset, one cont are done, whether or not the last command got there."""
    inputs = 0
    while True:
        host = _Mortal([FREE])
        host.connect()
        guest = host.guests["web-1"]
        guest.panic(host)
        if not host.lives(inputs, loses=loses):
            break
        host.restart()
        host.run(4000)
        assert _obeyed(host) == len(DEEDS), inputs
        assert host.outcomes()[-1:] == ["succeeded"], (inputs, host.ended()[-1].error)
        assert (guest.status, guest.died, host.engine.world.runs) == ("running", False, {})
        inputs += 1
    assert inputs > 20


@pytest.mark.timeout(60)
@settings(max_examples=40, deadline=None)
@given(
    kills=st.lists(
        st.tuples(st.integers(0, 25), st.booleans(), st.booleans(), st.floats(0, 3)),
        max_size=6,
    )
)
def test_no_history_of_kills_leaves_a_guest_stopped_or_sees_to_a_panic_twice(
    kills: list[tuple[int, bool, bool, float]],
) -> None:
    """Killed again and again, also while it recovers, and the guest panics unseen in between."""
    host = _Mortal([FREE])
    host.connect()
    guest = host.guests["web-1"]
    panics = 1
    guest.panic(host)
    for inputs, loses, again, down in kills:
        if not host.lives(inputs, loses=loses, within=20):
            guest.panic(host)
            panics += 1
            continue
        if again and guest.status == "running":
            guest.mute |= {"GUEST_PANICKED", "STOP"}
            guest.panic(host)
            host.run(0)
            guest.mute.clear()
            panics += 1
        host.restart(connect=False)
        host.run(down)
        host.connect()
    host.run(4000)
    assert (guest.status, guest.died, host.engine.world.runs) == ("running", False, {})
    assert _obeyed(host) == len(DEEDS) * panics
    assert {run.outcome for run in host.ended()} <= {"succeeded", "stopped", "skipped"}
