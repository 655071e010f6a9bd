"""The engine's clock: whatever is done to the time of day, each deadline comes when it is due."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.app import clock
from reactor.app.clock import SET_S, Clock, boot_id
from reactor.core.orders import AddSilence, HoldGuests
from tests.core.simulation import START, Host, document

HOUR = 3600.0


class Machine:
    """A machine's clocks: one that is set by hand, one that stands while it sleeps, one not."""

    CLOCK_BOOTTIME = 7

    def __init__(self) -> None:
        self.wall = START
        self.up = 50.0
        self.slept = 0.0
        self.boot = "boot-1"

    def time(self) -> float:
        """Seconds since the epoch, as somebody set them."""
        return self.wall

    def monotonic(self) -> float:
        """Seconds since the boot in which it was awake."""
        return self.up

    def clock_gettime(self, which: int) -> float:
        """Seconds since the boot."""
        assert which == self.CLOCK_BOOTTIME
        return self.up + self.slept

    def passes(self, seconds: float) -> None:
        """Time goes by."""
        self.wall += seconds
        self.up += seconds

    def sleeps(self, seconds: float) -> None:
        """It is suspended for so long."""
        self.wall += seconds
        self.slept += seconds

    def boots(self, seconds: float) -> None:
        """It is down for so long; the clock of the board goes on."""
        self.wall += seconds
        self.up, self.slept, self.boot = 5.0, 0.0, self.boot + "x"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The clocks of the machine."""
    machine = Machine()
    monkeypatch.setattr(clock, "time", machine)
    monkeypatch.setattr(clock, "boot_id", lambda: machine.boot)
    return machine


@dataclass
class Life:
    """One start of the daemon behind another: its clock, and what the journal notes."""

    clock: Clock
    note: str

    def again(self, newest: float | None = None) -> "Life":
        """The next start; the newest journaled time is the present one, unless it is given."""
        return begun(self.clock.now() if newest is None else newest, self.note)


def begun(newest: float = 0.0, note: str = "") -> Life:
    """A daemon that has started."""
    made = Clock()
    return Life(made, made.take_up(newest, note))


def test_it_shows_the_wall_clocks_time_and_goes_on_by_itself(machine: Machine) -> None:
    """A wall clock that is set meanwhile changes nothing."""
    made = begun().clock
    assert made.now() == START
    machine.passes(2.5)
    machine.wall -= HOUR
    assert (made.now(), made.set_by) == (START + 2.5, 0.0)
    assert made.of_monotonic(51.0) == START + 1.0


def test_it_stands_still_while_the_host_sleeps_and_catches_up_at_the_next_start(
    machine: Machine,
) -> None:
    """What a guest does stands still as well."""
    life = begun()
    machine.sleeps(HOUR)
    assert life.clock.now() == START
    assert life.again().clock.now() == START + HOUR


@pytest.mark.parametrize(
    ("newest", "now"),
    [
        pytest.param(0.0, START, id="an empty journal"),
        pytest.param(START - 1, START, id="the journal is older"),
        pytest.param(START, START, id="the journal is as old"),
        pytest.param(START + 9, START + 9, id="the wall clock was set back"),
    ],
)
def test_it_never_starts_before_what_the_journal_has_seen(
    machine: Machine, newest: float, now: float
) -> None:
    """The later one of the two."""
    made = begun(newest).clock
    assert made.now() == now
    machine.passes(1)
    assert made.now() == now + 1


@pytest.mark.parametrize(
    ("by", "shows", "set_by"),
    [
        pytest.param(0.0, 0.0, 0.0, id="nobody set it"),
        pytest.param(SET_S, SET_S, 0.0, id="a little ahead is taken on"),
        pytest.param(SET_S + 0.5, 0.0, SET_S + 0.5, id="more is not"),
        pytest.param(HOUR, 0.0, HOUR, id="an hour ahead"),
        pytest.param(-HOUR, 0.0, -HOUR, id="an hour back"),
    ],
)
@pytest.mark.parametrize("runs", [True, False], ids=["while it runs", "while it is down"])
def test_over_a_restart_the_time_goes_on_as_it_passed(
    machine: Machine, by: float, shows: float, set_by: float, *, runs: bool
) -> None:
    """As long as the host is not booted, however often reactor starts."""
    life = begun()
    machine.passes(10)
    newest = life.clock.now()
    machine.wall += by if runs else 0.0
    machine.passes(600)
    machine.wall += 0.0 if runs else by
    for _ in range(3):
        life = life.again(newest)
        assert life.clock.now() == START + 610 + shows
        assert life.clock.set_by == pytest.approx(set_by)


def test_a_boot_of_the_host_takes_on_the_time_of_day(machine: Machine) -> None:
    """How long it was down only the wall clock knows."""
    life = begun()
    machine.wall += HOUR
    machine.passes(1)
    machine.boots(60)
    life = life.again()
    assert (life.clock.now(), life.clock.set_by) == (START + HOUR + 61, 0.0)


def test_where_the_boot_has_no_name_the_time_of_day_counts(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a kernel without /proc."""
    monkeypatch.setattr(clock, "boot_id", lambda: "")
    life = begun()
    machine.wall += HOUR
    assert life.again().clock.now() == START + HOUR


def test_a_note_that_says_nothing_is_no_note(machine: Machine) -> None:
    """Whoever wrote it."""
    assert begun(0.0, '{"boot": 1}').clock.now() == machine.wall


def test_linux_names_its_boots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same name each time; without the file there is none."""
    assert boot_id() == boot_id() != ""
    monkeypatch.setattr(clock, "_BOOT_ID", tmp_path / "none")
    assert boot_id() == ""


JUMPS = st.lists(
    st.tuples(
        st.sampled_from(["passes", "sleeps", "set", "start"]),
        st.floats(-5000, 5000, allow_nan=False),
    ),
    max_size=12,
)


@settings(max_examples=200)
@given(JUMPS)
def test_whatever_is_done_to_the_clock_only_time_that_passed_has_passed(
    jumps: list[tuple[str, float]],
) -> None:
    """Within a boot it is never ahead of the true time by more than a second, and never back."""
    machine = Machine()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "time", machine)
        patch.setattr(clock, "boot_id", lambda: machine.boot)
        life, before, true = begun(), START, START
        for kind, seconds in jumps:
            match kind:
                case "set":
                    machine.wall += seconds
                case "start":
                    life = life.again()
                    assert life.clock.now() >= true - SET_S
                case _:
                    getattr(machine, kind)(abs(seconds))
                    true += abs(seconds)
            assert before <= life.clock.now() <= true + SET_S + 1e-3
            before = life.clock.now()


# -------------------------------------------------------- every deadline

D = 1800.0
"""Seconds of each deadline below: less than the wall clock is set by."""

Do = Callable[[Host], object]
Is = Callable[[Host], bool]


def _go(host: Host) -> None:
    host.event("web-1", "GO", {"n": 1}, after=0.0)
    host.run(0.5)


def _twice(host: Host) -> None:
    _go(host)
    _go(host)
    host.effects.clear()


def _says_again(host: Host) -> bool:
    _go(host)
    _go(host)
    return _said(host)


def _keeps_away(host: Host) -> None:
    host.event("web-1", "KEEP", {})
    host.run(0.5)
    host.effects.clear()


def _said(host: Host) -> bool:
    return bool(host.published())


def _ended(host: Host) -> bool:
    return bool(host.outcomes())


def _starts_again(host: Host) -> bool:
    _go(host)
    return len(host.outcomes()) == 2


def _starts(host: Host) -> bool:
    _go(host)
    return bool(host.outcomes())


def _too_late(name: str) -> Is:
    def check(host: Host) -> bool:
        host.event("web-1", name, {"n": 1}, after=0.0)
        host.run(0.5)
        return not host.published()

    return check


SAY = "[{publish: said}]"
PLAIN = document("p", SAY)
NEVER = "wait: {event: REACTOR_MARK_SET}"
DEADLINES: dict[str, tuple[str, Do, Is]] = {
    "delay": (document("p", "[{delay: 30m}, {publish: said}]"), _go, _said),
    "wait for an event": (
        document("p", "[{wait: {event: REACTOR_MARK_SET, timeout: 30m}}]"), _go, _ended,
    ),
    "wait for a condition": (
        document("p", "[{wait: {until: 'guest.status == \"paused\"', timeout: 30m}}]"), _go, _ended,
    ),
    "timeout of a step": (document("p", f"[{{{NEVER}, timeout: 30m}}]"), _go, _ended),
    "timeout of a step around": (
        document("p", f"[{{repeat: {{times: 1}}, steps: [{{{NEVER}}}], timeout: 30m}}]"),
        _go, _ended,
    ),
    "timeout of a run": (document("p", f"[{{{NEVER}}}]", more="timeout: 30m\n"), _go, _ended),
    "pause before a retry": (
        document("p", "[{qmp: stop, retry: {times: 1, backoff: [30m]}}]"), _go, _ended,
    ),
    "cooldown": (document("p", SAY, more="cooldown: 30m\n"), _go, _starts_again),
    "limit": (document("p", SAY, more="limits: [1 per 30m per guest]\n"), _go, _starts_again),
    "what on_limit said": (
        document(
            "p", "[{log: x}]",
            more="limits: [1 per 30m per guest]\non_limit: [{publish: said}]\n",
        ),
        _twice, _says_again,
    ),
    "count": (
        document("p", SAY, trigger="{event: GO, count: 2, within: 30m}"), _go, _too_late("GO"),
    ),
    "absence": (
        document("p", SAY, trigger="{event: GO, not_followed_by: {event: NEVER, within: 30m}}"),
        _go, _said,
    ),
    "sequence": (
        document("p", SAY, trigger="{event: GO, followed_by: {event: NEXT, within: 30m}}"),
        _go, _too_late("NEXT"),
    ),
    "debounce": (document("p", SAY, more="debounce: 30m\n"), _go, _said),
    "approval": (
        document("p", SAY, more="approval: {ask: may I, expires: 30m}\n"), _go, _ended,
    ),
    "inhibit": (
        PLAIN
        + "---\n"
        + document("q", "[{inhibit: {policies: [p], for: 30m}}]", trigger="{event: KEEP}"),
        _keeps_away, _starts,
    ),
    "mark": (
        document("p", "[{mark: {disk: d0, as: bad, expires: 30m}}]")
        + "---\n"
        + document("q", SAY, trigger="{event: REACTOR_MARK_CLEARED}"),
        _go, _said,
    ),
    "silence": (PLAIN, lambda host: host.order(AddSilence(("p",), ("*",), D)), _starts),
    "hold": (PLAIN, lambda host: host.order(HoldGuests("", D)), _starts),
}  # fmt: skip


def _set(host: Host, life: Life, machine: Machine, by: float, *, restarts: bool) -> Life:
    """Somebody sets the clock, in the middle of it, and perhaps the daemon starts anew."""
    machine.passes(host.now - life.clock.now())
    machine.wall += by
    if restarts:
        machine.passes(60)
        life = life.again(host.now)
        host.now = life.clock.now()
        host.restart()
    assert host.now == pytest.approx(life.clock.now(), abs=0.2)
    return life


@pytest.mark.parametrize("restarts", [False, True], ids=["while it runs", "and it starts anew"])
@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["ahead", "back"])
@pytest.mark.parametrize("name", DEADLINES)
def test_no_deadline_comes_early_or_late_when_the_clock_is_set(
    machine: Machine, name: str, by: float, *, restarts: bool
) -> None:
    """A minute before its time it has not come, a minute behind it it has."""
    texts, begins, is_over = DEADLINES[name]
    for left, expected in ((60.0, False), (-60.0, True)):
        machine.wall = START
        life = begun()
        host = Host(texts.split("---\n"))
        host.guests["web-1"].failing["stop"] = "no"
        host.connect()
        begins(host)
        at = host.now
        host.run(D / 3)
        life = _set(host, life, machine, by, restarts=restarts)
        host.run(at + D - left - host.now)
        assert is_over(host) is expected
