"""From a match to a run: the order of admission, and what each refusal tells the operator."""

import itertools
from collections import deque
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.core import runs
from reactor.core.admission import (
    SLOT_LINE_MAX,
    Decision,
    LedgerRow,
    PolicyState,
    Verdict,
    decide,
    scope_values,
)
from reactor.core.effect import RunChanged, Trace
from reactor.core.event import Event
from reactor.core.match import Debounced, Match
from reactor.core.policy import Policy
from reactor.core.run import Origin
from reactor.core.windows import WindowCounts
from tests.core.simulation import START, Host, policy

VALUES = scope_values("web-1", "web-1/a", "h1")


def _text(more: str = "", steps: str = "  - delay: 10s\n", trigger: str = "{event: GO}") -> str:
    return f"policy: p\ndescription: d\n{more}trigger: {trigger}\nsteps:\n{steps}"


def _policy(more: str) -> Policy:
    return policy(_text(more))


def _state(
    subject: Policy, *, open_runs: int = 0, started: float | None = None, admitted: int = 0
) -> PolicyState:
    state = PolicyState.of(subject)
    if open_runs:
        state.open["web-1/a"] = deque(f"r{n}" for n in range(open_runs))
    for number in range(admitted):
        state.remember(LedgerRow(f"a{number}", "p", "web-1", "web-1/a", 0.0), VALUES)
    if started is not None:
        state.starts.add("web-1/a", started)
    return state


LIMITED = "limits: [2 per 1h per guest]\n"


@pytest.mark.parametrize(
    ("more", "state", "now", "verdict", "reason"),
    [
        pytest.param("", {}, 0.0, Verdict.ADMITTED, "", id="first match"),
        pytest.param("", {"open_runs": 1}, 0.0, Verdict.BUSY, "run r0 is open", id="single: busy"),
        pytest.param(
            "cooldown: 10s\n",
            {"open_runs": 1, "started": 0.0},
            1.0,
            Verdict.BUSY,
            "run r0 is open",
            id="busy comes before cooldown",
        ),
        pytest.param(
            "cooldown: 10s\n",
            {"started": 0.0},
            9.9,
            Verdict.COOLING_DOWN,
            "0.1 s left",
            id="cooldown: before its end",
        ),
        pytest.param(
            "cooldown: 10s\n",
            {"started": 0.0},
            10.0,
            Verdict.ADMITTED,
            "",
            id="cooldown: at its end",
        ),
        pytest.param(
            "cooldown: 10s\n", {"started": 0.0}, 10.1, Verdict.ADMITTED, "", id="cooldown: after it"
        ),
        pytest.param(
            "cooldown: 10s\n" + LIMITED,
            {"started": 0.0, "admitted": 2},
            1.0,
            Verdict.COOLING_DOWN,
            "9.0 s left",
            id="cooldown comes before limits",
        ),
        pytest.param(LIMITED, {"admitted": 1}, 1.0, Verdict.ADMITTED, "", id="limit: one left"),
        pytest.param(
            LIMITED,
            {"admitted": 2},
            3599.9,
            Verdict.LIMITED,
            "2 per 1h per guest",
            id="limit: reached",
        ),
        pytest.param(
            LIMITED, {"admitted": 2}, 3600.0, Verdict.ADMITTED, "", id="limit: the window is over"
        ),
        pytest.param(
            LIMITED + "mode: queued\nmax: 1\n",
            {"admitted": 2, "open_runs": 2},
            1.0,
            Verdict.LIMITED,
            "2 per 1h per guest",
            id="limits come before the queue",
        ),
        pytest.param(
            "mode: queued\nmax: 2\n", {"open_runs": 2}, 0.0, Verdict.ADMITTED, "", id="one may wait"
        ),
        pytest.param(
            "mode: queued\nmax: 2\n",
            {"open_runs": 3},
            0.0,
            Verdict.QUEUE_FULL,
            "2 wait already",
            id="queue full: one runs, two wait",
        ),
    ],
)
def test_a_match_is_admitted_or_told_why_not(
    more: str, state: dict[str, float], now: float, verdict: Verdict, reason: str
) -> None:
    """The contract's order: busy, cooldown, limits, queue; each with its figures."""
    subject = _policy(more)
    decision = decide(subject, _state(subject, **state), "web-1/a", VALUES, now)  # type: ignore[arg-type]
    assert (decision.verdict, decision.reason) == (verdict, reason)
    assert (decision.limit is not None) == (verdict is Verdict.LIMITED)


def test_only_so_many_runs_wait_for_a_slot() -> None:
    """The thousand-and-first is refused; one that needs not wait is not."""
    subject = _policy("limits: [1 at once per guest]\n")
    state = _state(subject)
    state.slots["r"] = VALUES
    state.slot_line.extend(f"w{n}" for n in range(SLOT_LINE_MAX))
    full = Decision(Verdict.QUEUE_FULL, "1000 wait for a slot already")
    assert decide(subject, state, "web-1/b", VALUES, 0.0) == full
    free = scope_values("web-2", "web-2", "h1")
    assert decide(subject, state, "web-2", free, 0.0).verdict is Verdict.ADMITTED
    state.slot_line.pop()
    assert decide(subject, state, "web-1/b", VALUES, 0.0).verdict is Verdict.ADMITTED


REASONS = """
policy: p
description: d
trigger: {event: GO, where: data.n > 0, by: data.disk}
cooldown: 1m
steps:
  - delay: 10s
"""


@pytest.mark.parametrize(
    ("data", "verdict", "reason"),
    [
        pytest.param(
            {"n": 0, "disk": "a"}, "`where` is false", "`data.n > 0`: data.n is 0", id="where"
        ),
        pytest.param(
            {"n": 1, "disk": ["a"]},
            "`by` could not be evaluated",
            "`data.disk` is not a text, a number or a boolean",
            id="by is a list",
        ),
    ],
)
def test_a_near_miss_is_remembered_with_its_reason(
    data: dict[str, object], verdict: str, reason: str
) -> None:
    """Why it did not run, though nothing left the engine."""
    host = Host([REASONS]).connect()
    host.event("web-1", "GO", data)
    host.run(1)
    (miss,) = host.engine.near_misses("p")
    assert (miss.verdict, miss.path, miss.guest) == (verdict, "trigger", "web-1")
    assert miss.values == {"event": "GO"}
    assert reason.split(":", maxsplit=1)[0] in f"`data.n > 0` {miss.reason}"
    assert host.ended() == []


def test_a_key_that_cannot_be_evaluated_starts_nothing() -> None:
    """An absent member is no key."""
    host = Host([REASONS]).connect()
    host.event("web-1", "GO", {"n": 1})
    host.run(1)
    (miss,) = host.engine.near_misses("p")
    assert miss.verdict == Verdict.KEY_FAILED
    assert "disk" in miss.reason


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        pytest.param("sda", "sda", True, id="texts"),
        pytest.param("sda", "sdb", False, id="other texts"),
        pytest.param(1, 1, True, id="numbers"),
        pytest.param(True, "true", True, id="a boolean is its JSON word"),
        pytest.param(1.5, 2.5, False, id="fractions"),
    ],
)
def test_runs_of_other_keys_do_not_wait_for_each_other(
    first: object,
    second: object,
    same: bool,
) -> None:
    """The key is the guest and the value of `by`."""
    host = Host([REASONS.replace("cooldown: 1m\n", "")]).connect()
    host.event("web-1", "GO", {"n": 1, "disk": first})
    host.event("web-1", "GO", {"n": 1, "disk": second})
    host.run(5)
    assert len(host.engine.world.runs) == (1 if same else 2)


def test_refusals_leave_traces_that_name_the_trigger() -> None:
    """In a list of triggers the path says which."""
    host = Host([_text(trigger="[{event: GO}, {event: AGAIN}]")]).connect()
    host.event("web-1", "GO", {})
    host.event("web-1", "AGAIN", {}, after=1)
    host.run(5)
    refused = [
        (e.path, e.verdict, e.reason)
        for e in host.seen(Trace)
        if isinstance(e, Trace) and not e.run
    ]
    assert refused == [("trigger/1", "a run of this key is still open", "run abc123-1 is open")]
    assert [trace.reason for trace in host.engine.near_misses("p")] == ["run abc123-1 is open"]


def test_cooldown_counts_from_the_start_not_the_end() -> None:
    """A run of 10 s and a cooldown of 12 s: the next may start 12 s after the first's start."""
    host = Host([_text("cooldown: 12s\n")]).connect()
    for after in (0.0, 11.0, 12.5):
        host.event("web-1", "GO", {}, after=after)
    host.run(60)
    assert host.outcomes() == ["succeeded", "succeeded"]
    assert len(host.traces("cooling down")) == 1


def test_a_place_is_given_back_when_if_is_false() -> None:
    """A run that ends before its first step does not use up a limit or a cooldown."""
    host = Host([_text("if: data.n > 0\nlimits: [1 per 1h per guest]\ncooldown: 1h\n")]).connect()
    host.event("web-1", "GO", {"n": 0}, after=0)
    host.run(1)
    host.event("web-1", "GO", {"n": 1}, after=0)
    host.run(60)
    assert host.outcomes() == ["skipped", "succeeded"]
    host.event("web-1", "GO", {"n": 1}, after=0)
    host.run(60)
    assert host.outcomes() == ["skipped", "succeeded"]


def test_a_list_of_conditions_names_the_one_that_failed() -> None:
    """All must hold; the trace says which did not, with its values."""
    host = Host([_text("if: [data.n > 0, data.n > 5]\nfinally: [{publish: last}]\n")]).connect()
    host.event("web-1", "GO", {"n": 3})
    host.run(60)
    assert [t.path for t in host.traces("holds")] == ["if/0"]
    (failed,) = host.traces("`if` is false")
    assert failed.path == "if/1"
    assert failed.reason.startswith("`data.n > 5` is false: ")
    assert host.published() == [], "finally does not run when the run never started"


LIMITS = """
policy: p
description: d
trigger: {event: GO, by: data.disk}
limits: [1 per 1h per SCOPE]
on_limit: [{publish: limited}]
steps:
  - publish: done
"""


@pytest.mark.parametrize(
    ("scope", "done"),
    [
        pytest.param("key", 4, id="key"),
        pytest.param("guest", 2, id="guest"),
        pytest.param("host", 1, id="host"),
    ],
)
def test_a_limit_counts_over_its_scope(scope: str, done: int) -> None:
    """Two guests with two disks each."""
    host = Host([LIMITS.replace("SCOPE", scope)], guests=["web-1", "web-2"]).connect()
    for guest in host.guests:
        for disk in ("a", "b"):
            host.event(guest, "GO", {"disk": disk})
    host.run(1)
    assert [topic for topic, _ in host.published()].count("done") == done


def test_on_limit_speaks_once_per_limit_and_scope_value_and_again_after_the_window() -> None:
    """Silent for the limit's duration, also over a restart; another guest has its own word."""
    text = LIMITS.replace("1h per SCOPE", "1m per guest")
    host = Host([text], guests=["web-1", "web-2"]).connect()

    def limited(guest: str) -> int:
        host.event(guest, "GO", {"disk": "a"}, after=0)
        host.run(1)
        return [topic for topic, _ in host.published()].count("limited")

    assert limited("web-1") == 0
    assert [limited("web-1"), limited("web-1")] == [1, 1]
    host.restart()
    assert limited("web-1") == 1
    assert [limited("web-2"), limited("web-2")] == [1, 2]
    host.run(56)
    assert limited("web-1") == 2, "the window is over: this one runs"
    assert limited("web-1") == 3
    assert len(host.events("REACTOR_RUN_LIMITED")) == 3
    data = host.events("REACTOR_RUN_LIMITED")[0].data
    assert data == {"policy": "p", "limit": "1 per 1m per guest", "scope": "guest"}


def test_what_on_limit_said_long_ago_is_forgotten() -> None:
    """Neither memory nor journal grow by a row for every guest that was ever limited."""
    names = [f"web-{n}" for n in range(20)]
    text = LIMITS.replace("1h per SCOPE", "1m per guest")
    host = Host([text], guests=names).connect()
    for name in names:
        for _ in range(2):
            host.event(name, "GO", {"disk": "a"}, after=0)
        host.run(61)
    assert len([key for key in host.kept if key[0] == "told"]) == 1
    host.run(10_000)
    host.event("web-0", "GO", {"disk": "a"}, after=0)
    host.run(1)
    assert [key for key in host.kept if key[0] == "ledger"] == [("ledger", "abc123-41")]


WEEKS = """
policy: p
description: one run waits for weeks, and others come and go
trigger: {event: GO, by: data.disk}
mode: parallel
max: 100
timeout: 100d
cooldown: 10s
steps:
  - choose:
      - {when: data.disk == "a", steps: [{wait: {event: NEVER}, timeout: 90d}]}
      - default: [{log: done}]
"""


def test_a_run_that_is_open_for_weeks_keeps_no_other_ones_row() -> None:
    """Nor its own: no window and no cooldown counts it any more."""
    host = Host([WEEKS]).connect()
    for number in range(50):
        disk = "a" if not number else f"b{number}"
        host.event("web-1", "GO", {"disk": disk}, after=0)
        host.run(3600)
    assert len(host.engine.world.runs) == 1
    assert len([key for key in host.kept if key[0] == "ledger"]) <= 2
    assert len(host.engine.world.states["p"].rows) <= 2


BUSY = """
policy: p
description: more runs in an hour than anybody counts
trigger: {event: GO, by: data.disk}
limits: [90 per 1m per host]
steps: [{log: done}]
"""


@pytest.mark.parametrize(
    ("gap_s", "kept"),
    [
        pytest.param(10.0, 50, id="beyond what its limits need, so many"),
        pytest.param(120.0, 30, id="fewer in an hour"),
        pytest.param(0.5, 90, id="what its limits need, however much it is"),
    ],
)
def test_the_rows_of_a_busy_policy_have_a_bound(
    monkeypatch: pytest.MonkeyPatch, gap_s: float, kept: int
) -> None:
    """In memory and in the journal: a thousand runs a minute would keep 20 MB an hour."""
    monkeypatch.setattr(runs, "ROWS_KEPT", 50)
    host = Host([BUSY]).connect()
    for number in range(200):
        host.event("web-1", "GO", {"disk": f"d{number}"}, after=0)
        host.run(gap_s)
    rows = [key for key in host.kept if key[0] == "ledger"]
    assert len(rows) == len(host.engine.world.states["p"].rows) == kept
    host.restart()
    before = len(host.verdicts())
    for disk in ("for a place that is free", "for none"):
        host.event("web-1", "GO", {"disk": disk}, after=0)
    host.run(0.1)
    assert ("limited" in host.verdicts()[before:]) == (kept == 90)


LATE = """
policy: p
description: one run at a time, each of them slow
trigger: {event: GO, by: data.disk}
limits: [1 at once per host]
cooldown: 2h
timeout: 10h
steps: [{delay: 3h}]
"""


@pytest.mark.parametrize("restart", [False, True], ids=["running on", "restarted"])
@pytest.mark.parametrize("reload", [False, True], ids=["the same text", "reloaded"])
def test_a_run_that_began_long_after_it_was_admitted(*, restart: bool, reload: bool) -> None:
    """Its cooldown is of its start: its row was forgotten by then, and is written anew."""
    host = Host([LATE]).connect()
    for disk in "abc":
        host.event("web-1", "GO", {"disk": disk}, after=0)
    for number in range(7):
        host.run(3600)
        host.event("web-1", "GO", {"disk": f"d{number}"}, after=0)
    # The third began an hour ago, and will end in two.
    if restart:
        host.restart()
    if reload:
        host.load([LATE.replace("slow", "slow, as before")])
    host.run(2.5 * 3600)
    ended = [run for run in host.ended() if run.run == "abc123-3"]
    assert len(ended) == 1
    started = ended[0].started
    assert started is not None
    assert host.engine.world.states["p"].starts.last("web-1/c") == started


def test_windows_count_in_the_order_of_admission_after_a_reload() -> None:
    """Although a run that began late stands behind those that were admitted after it."""
    text = LATE.replace("[1 at", "[2 per 1h per host, 1 at")
    host = Host([text]).connect()
    for disk, hours in (("a", 0), ("b", 2.9), ("c", 0.2)):
        host.event("web-1", "GO", {"disk": disk}, after=0)
        host.run(hours * 3600)
    host.load([text.replace("slow", "slow, as before")])
    host.event("web-1", "GO", {"disk": "d"}, after=0)
    host.run(1)
    assert "limited" not in host.verdicts()
    assert len(host.engine.world.runs) == 3


def _line(limit: str, guests: int = 1) -> Host:
    names = [f"web-{n}" for n in range(1, guests + 1)]
    text = f"""
policy: p
description: d
trigger: {{event: GO, by: data.n}}
limits: [{limit}]
steps:
  - publish: '${{guest.name}}/${{data.n}}'
  - delay: 10s
"""
    return Host([text], guests=names).connect()


def test_those_who_wait_for_a_slot_go_in_the_order_they_came() -> None:
    """Twenty keys of one guest, two at once."""
    host = _line("2 at once per guest")
    for number in range(20):
        host.event("web-1", "GO", {"n": number}, after=number / 10)
    host.run(5)
    assert len(host.published()) == 2
    waiting = [
        e for e in host.seen(RunChanged) if isinstance(e, RunChanged) and "at once" in e.state
    ]
    assert len(waiting) == 18
    host.run(200)
    assert [topic for topic, _ in host.published()] == [f"web-1/{n}" for n in range(20)]


def test_a_long_line_of_one_guest_does_not_keep_another_guest_waiting() -> None:
    """Forty runs wait for web-1's slot; web-2's second run starts when its first has ended."""
    host = _line("1 at once per guest", guests=2)
    for number in range(40):
        host.event("web-1", "GO", {"n": number}, after=0)
    for number in range(2):
        host.event("web-2", "GO", {"n": number}, after=0)
    host.run(15)
    assert [t for t, _ in host.published() if t.startswith("web-2")] == ["web-2/0", "web-2/1"]


def test_a_run_that_cannot_go_holds_nobody_up() -> None:
    """web-1's second run waits for its guest; the place of the host goes to web-2 meanwhile."""
    host = _line("1 at once per guest, 2 at once per host", guests=3)
    for guest, number, after in (
        ("web-1", 0, 0.0),
        ("web-1", 1, 1.0),
        ("web-2", 2, 2.0),
        ("web-3", 3, 3.0),
    ):
        host.event(guest, "GO", {"n": number}, after=after)
    host.run(5)
    assert [t for t, _ in host.published()] == ["web-1/0", "web-2/2"]
    host.run(6)
    assert [t for t, _ in host.published()] == ["web-1/0", "web-2/2", "web-1/1"]
    host.run(60)
    assert len(host.outcomes()) == 4


def test_a_new_match_does_not_overtake_those_who_wait() -> None:
    """The slot is given back and the new match comes at the same moment."""
    text = """
policy: p
description: d
trigger: [{event: GO, by: data.n}, {event: REACTOR_RUN_FAILED, by: '"x"'}]
limits: [1 at once per host]
steps:
  - publish: '${event.name}-${data.?n.orValue(9)}'
  - delay: 10s
"""
    other = "policy: o\ndescription: d\ntrigger: {event: END}\nsteps: [{fail: now}]\n"
    host = Host([text, other]).connect()
    host.event("web-1", "GO", {"n": 0}, after=0)
    host.event("web-1", "GO", {"n": 1}, after=1)
    host.run(10 - 0.0005)
    host.event("web-1", "END", {}, after=0)
    host.run(60)
    assert [t for t, _ in host.published()] == ["GO-0", "GO-1", "REACTOR_RUN_FAILED-9"]


def test_a_slot_is_given_back_when_if_is_false() -> None:
    """The next in line has it."""
    host = Host(
        [
            _text(
                "if: data.n != 1\nlimits: [1 at once per guest]\n",
                trigger="{event: GO, by: data.n}",
            )
        ]
    ).connect()
    for number in range(3):
        host.event("web-1", "GO", {"n": number}, after=0)
    host.run(25)
    assert host.outcomes() == ["succeeded", "skipped", "succeeded"]


def test_a_lone_run_waits_for_nothing_after_its_slot_limit_was_taken_out() -> None:
    """Those of the old revision still wait; the new one has no such limit."""
    host = _line("1 at once per guest")
    for number in range(3):
        host.event("web-1", "GO", {"n": number}, after=0)
    host.run(1)
    new = replace(host.policies[0], limits=(), revision="new")
    host.load([new])
    host.event("web-1", "GO", {"n": 9}, after=0)
    host.run(1)
    assert [t for t, _ in host.published()] == ["web-1/0", "web-1/9"]
    host.run(60)
    assert len(host.outcomes()) == 4


def test_the_slot_line_keeps_its_order_over_a_restart() -> None:
    """Twelve runs: their numbers as texts would sort otherwise."""
    host = _line("1 at once per host")
    for number in range(12):
        host.event("web-1", "GO", {"n": number}, after=0)
    host.run(15)
    host.restart()
    host.run(200)
    assert [topic for topic, _ in host.published()] == [f"web-1/{n}" for n in range(12)]


def _spans(host: Host) -> dict[str, list[tuple[float, float]]]:
    spans: dict[str, list[tuple[float, float]]] = {}
    for run in host.ended():
        if run.started is not None and run.ended is not None:
            spans.setdefault(run.guest, []).append((run.started, run.ended))
    return spans


BURSTS = st.lists(
    st.tuples(st.floats(0, 15), st.sampled_from(["web-1", "web-2"])), min_size=1, max_size=25
)


@settings(max_examples=25, deadline=None)
@given(bursts=BURSTS, mode=st.sampled_from(["single", "queued"]), maximum=st.integers(1, 4))
def test_runs_of_one_key_never_overlap_and_every_match_is_accounted_for(
    bursts: list[tuple[float, str]], mode: str, maximum: int
) -> None:
    """Whatever the rhythm: each match became a run that ended, or was refused with a reason."""
    more = "" if mode == "single" else f"max: {maximum}\n"
    host = Host([_text(f"mode: {mode}\n{more}")], guests=["web-1", "web-2"]).connect()
    for pause, guest in bursts:
        host.run(pause)
        host.event(guest, "GO", {}, after=0)
    host.run(400)
    for spans in _spans(host).values():
        ordered = sorted(spans)
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(ordered))
    refused = len(host.traces(Verdict.BUSY)) + len(host.traces(Verdict.QUEUE_FULL))
    assert len(host.ended()) + refused == len(bursts)
    assert set(host.outcomes()) <= {"succeeded"}


@settings(max_examples=25, deadline=None)
@given(bursts=BURSTS, restarts=st.sets(st.integers(0, 24), max_size=3))
def test_no_window_ever_holds_more_than_its_limit(
    bursts: list[tuple[float, str]], restarts: set[int]
) -> None:
    """Three a minute and guest, two at once on the host, over restarts too."""
    more = "mode: queued\nlimits: [3 per 1m per guest, 2 at once per host]\n"
    host = Host([_text(more)], guests=["web-1", "web-2", "web-3"]).connect()
    for number, (pause, guest) in enumerate(bursts):
        host.run(pause)
        if number in restarts:
            host.restart()
        host.event(guest, "GO", {}, after=0)
    host.run(400)
    for guest in host.guests:
        admitted = [t.at - START for t in host.traces(Verdict.ADMITTED) if t.guest == guest]
        for at in admitted:
            assert sum(1 for other in admitted if at <= other < at + 60) <= 3
    ends = sorted(
        edge
        for spans in _spans(host).values()
        for begun, over in spans
        for edge in ((begun, 1), (over, -1))
    )
    running = 0
    for _, change in ends:
        running += change
        assert running <= 2


def test_the_keys_of_a_guest() -> None:
    """All of which anything is remembered: open runs, starts, matches that wait for quiet."""
    state = PolicyState(WindowCounts(()))
    state.enter("g/disk1", "r-1")
    state.starts.add("g", 1.0)
    state.starts.add("g/disk0", 1.0)
    state.starts.add("g2/disk0", 1.0)
    match = Match("p", "g/disk9", Origin(Event("E", "g")))
    state.debounced["g/disk9"] = Debounced(match, 1.0, 2.0)
    assert state.keys_of("g") == ["g", "g/disk0", "g/disk1", "g/disk9"]
    assert state.keys_of("nobody") == []
