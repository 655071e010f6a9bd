"""Limits, cooldown and turns hold in every history, as the world outside sees it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import example, given, settings
from hypothesis import strategies as st

from reactor.core.effect import RunChanged, Trace
from reactor.core.orders import AddSilence, CancelRun, HoldGuests, ReleaseGuests
from tests.core.simulation import Host, document

WINDOWS = [(3, 20.0, "guest"), (2, 15.0, "key"), (4, 30.0, "host")]
AT_ONCE = [(1, "key"), (2, "host")]
LIMITS = ", ".join(
    [f"{count} per {seconds:g}s per {scope}" for count, seconds, scope in WINDOWS]
    + [f"{count} at once per {scope}" for count, scope in AT_ONCE]
)
COOLDOWN = 6.0


def _text(mode: str, *, limited: bool, cools: bool) -> str:
    more = f"mode: {mode}\nmax: 2\nif: guest.status != 'paused'\n"
    more += f"limits: [{LIMITS}]\n" if limited else ""
    more += f"cooldown: {COOLDOWN:g}s\n" if cools else ""
    steps = "[{delay: 4s}, {qmp: stop}, {guest: resume}]"
    return document("p", steps, "{event: GO, by: data.n}", more + "finally: [{delay: 1s}]\n")


@dataclass
class Seen:
    """What an observer knows of the runs, from what is told and nothing else."""

    host: Host
    at: int = 0
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)
    admitted: dict[str, float] = field(default_factory=dict)
    under_way: set[str] = field(default_factory=set)
    starts: dict[str, list[float]] = field(default_factory=dict)
    next_key: str = ""

    def look(self, check: Callable[["Seen", str], None]) -> None:
        """Take in what was told since, and check every admission and start as it comes."""
        while self.at < len(self.host.effects):
            _, effect = self.host.effects[self.at]
            self.at += 1
            if isinstance(effect, Trace) and effect.verdict == "admitted":
                self._admitted(effect)
                check(self, effect.run)
            elif isinstance(effect, RunChanged) and effect.role == "run":
                self._changed(effect)
                check(self, effect.run)

    def _admitted(self, trace: Trace) -> None:
        run = self.host.engine.world.runs.get(trace.run)
        key = run.key if run is not None else self.next_key
        self.keys[trace.run] = (trace.guest, key)
        self.admitted[trace.run] = trace.at

    def _changed(self, told: RunChanged) -> None:
        if told.ended is not None:
            self.under_way.discard(told.run)
            if told.started is None:
                del self.admitted[told.run]  # it gave its place back
        elif told.started is not None and told.run not in self.under_way:
            self.under_way.add(told.run)
            self.starts.setdefault(self.keys[told.run][1], []).append(told.started)

    def value(self, run: str, scope: str) -> str:
        """What a limit of this scope counts the run under."""
        guest, key = self.keys[run]
        return {"guest": guest, "key": key, "host": "h1"}[scope]


def _limits_hold(seen: Seen, _run: str) -> None:
    now = seen.host.now
    for count, seconds, scope in WINDOWS:
        used = Counter(
            seen.value(run, scope) for run, at in seen.admitted.items() if now - seconds < at <= now
        )
        assert max(used.values(), default=0) <= count, (scope, used)
    for count, scope in AT_ONCE:
        used = Counter(seen.value(run, scope) for run in seen.under_way)
        assert max(used.values(), default=0) <= count, (scope, used)


MOVES = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.7, 3.0, 9.0, 15.0, 20.0]),
        st.sampled_from(["web-1", "web-2"]),
        st.sampled_from(
            "go-a go-a go-a go-b go-b pause run cancel hold release hush restart reload cut".split()
        ),
    ),
    max_size=24,
)
Moves = list[tuple[float, str, str]]


def _play(text: str, moves: Moves, check: Callable[[Seen, str], None]) -> Host:
    host = Host([text], guests=("web-1", "web-2"))
    seen = Seen(host)
    host.after_each = lambda: seen.look(check)
    host.connect()
    for pause, guest, what in moves:
        host.run(pause)
        seen.next_key = f"{guest}/{what[-1]}"
        _move(host, text, guest, what)
    host.run(1000.0)
    for guest in host.guests:
        host.connect(guest)
    host.run(5000.0)
    return host


def _move(host: Host, text: str, guest: str, what: str) -> None:  # noqa: C901 - one case for each
    match what:
        case "go-a" | "go-b":
            host.event(guest, "GO", {"n": what[-1]}, after=0.0)
            host.run(0.0)
        case "pause":
            host.guests[guest].status = "paused"
        case "run":
            host.guests[guest].status = "running"
        case "cancel":
            for run in list(host.engine.world.runs)[:1]:
                host.order(CancelRun(run))
        case "hold":
            host.order(HoldGuests(guest, 30.0))
        case "release":
            host.order(ReleaseGuests(guest))
        case "hush":
            host.order(AddSilence(("*",), (guest,), 10.0))
        case "restart":
            host.restart()
        case "reload":
            host.load([text + "# again\n"])
        case _:
            host.disconnect(guest)
            host.connect(guest)


@settings(max_examples=120, deadline=None)
@given(mode=st.sampled_from(["single", "queued", "parallel", "restart"]), moves=MOVES)
def test_no_limit_is_ever_exceeded_over_any_window(mode: str, moves: Moves) -> None:
    """Windows of guest, key and host, and runs at once; with kills, reloads, cancels and holds."""
    host = _play(_text(mode, limited=True, cools=False), moves, _limits_hold)
    assert host.engine.world.runs == {}


def _cooldown_holds(seen: Seen, run: str) -> None:
    key = seen.keys[run][1]
    if seen.admitted.get(run) == seen.host.now and run not in seen.under_way:
        before = [at for at in seen.starts.get(key, ()) if at < seen.host.now]
        assert all(seen.host.now >= at + COOLDOWN for at in before)


@settings(max_examples=80, deadline=None)
@example(mode="single", moves=[(0.0, "web-1", "go-a"), (6.0, "web-1", "go-a")])
@given(mode=st.sampled_from(["single", "parallel", "restart"]), moves=MOVES)
def test_nothing_is_admitted_within_a_cooldown_of_the_last_start(mode: str, moves: Moves) -> None:
    """Of its key, counted from the start, over restarts and reloads."""
    _play(_text(mode, limited=False, cools=True), moves, _cooldown_holds)


def _one_at_a_time(seen: Seen, _run: str) -> None:
    keys = Counter(seen.keys[run][1] for run in seen.under_way)
    assert max(keys.values(), default=0) <= 1


@settings(max_examples=80, deadline=None)
@given(mode=st.sampled_from(["single", "queued"]), moves=MOVES)
def test_runs_of_one_key_never_overlap(mode: str, moves: Moves) -> None:
    """Their handlers included, in `single` and in `queued`; and nothing that waits is cancelled.

    But by an operator: a burst never cancels what it should queue.
    """
    host = _play(_text(mode, limited=False, cools=False), moves, _one_at_a_time)
    cancelled = [run for run in host.ended() if run.outcome == "cancelled"]
    assert all(run.error == "cancelled by anna" for run in cancelled)
