"""The order of admission is the contract's, whatever would refuse a match at the same time."""

from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from reactor.core.effect import RunChanged, Trace
from reactor.core.orders import AddSilence, Approve, CancelRun, HoldGuests, SetMark
from reactor.core.restraints import Inhibition
from tests.core.simulation import Host, document

BEFORE = document("p", "[{delay: 1h}]", more="mode: parallel\nmax: 100\n")

ORDER = [
    ("not ready", "not ready on this guest", "trigger"),
    ("silence", "silenced", "silence"),
    ("hold", "held by an operator", "hold"),
    ("inhibit", "inhibited", "inhibit"),
    ("inhibit_if", "inhibited", "inhibit_if"),
    ("debounce", "waiting for quiet", "trigger"),
    ("busy", "a run of this key is still open", "trigger"),
    ("cooldown", "cooling down", "trigger"),
    ("limit", "limited", "trigger"),
    ("full", "queue full", "trigger"),
    ("too many", "as many runs of this key are open as `max` allows", "trigger"),
]
"""What may refuse a match, in the contract's order, with its verdict and its place."""

CAUSES = [name for name, _, _ in ORDER if name not in {"busy", "full", "too many"}]


def _text(causes: set[str], mode: str) -> str:
    """A policy that refuses for all these causes."""
    more = f"mode: {mode}\nmax: 1\ninhibit_if: marked('guest', 'self', 'sick')\n"
    if "not ready" in causes:
        more += "arm: [{qmp: set-action, args: {panic: pause}}]\n"
    if "debounce" in causes:
        more += "debounce: 10s\n"
    if "cooldown" in causes:
        more += "cooldown: 1h\n"
    if "limit" in causes:
        more += "limits: [1 per 1h per guest]\n"
    return document("p", "[{delay: 1h}]", more=more)


def _restrain(host: Host, causes: set[str]) -> None:
    """Let an operator and another policy hold the guest back."""
    if "silence" in causes:
        host.order(AddSilence(("p",), ("*",), 600.0))
    if "hold" in causes:
        host.order(HoldGuests("web-1"))
    if "inhibit" in causes:
        row = Inhibition("web-1", "p", "other", "r", host.now + 600.0)
        host.engine.world.restraints.inhibit(row)
    if "inhibit_if" in causes:
        host.order(SetMark("web-1", "guest", "", "sick"))


def _refused_by_turn(mode: str, open_runs: int) -> str:
    """What the runs that are open mean for a match."""
    if mode == "single" and open_runs >= 1:
        return "busy"
    if mode == "queued" and open_runs >= 2:
        return "full"
    return "too many" if mode == "parallel" and open_runs >= 1 else ""


@settings(max_examples=150, deadline=None)
@example(causes=set(CAUSES), mode="single", open_runs=1)
@example(causes=set(CAUSES) - {"not ready"}, mode="queued", open_runs=2)
@example(causes=set(), mode="queued", open_runs=1)
@given(
    causes=st.sets(st.sampled_from(CAUSES)),
    mode=st.sampled_from(["single", "queued", "parallel", "restart"]),
    open_runs=st.integers(0, 2),
)
def test_the_first_that_says_no_in_the_contracts_order_refuses(
    causes: set[str], mode: str, open_runs: int
) -> None:
    """Every combination of what may refuse, each mode, with and without open runs."""
    host = Host([BEFORE])
    host.guests["web-1"].failing["set-action"] = "no"
    host.connect()
    for _ in range(max(open_runs, 1)):  # a cooldown and a limit need a run before
        host.event("web-1", "GO", {}, after=0.0)
        host.run(0.1)
    if open_runs == 0:
        host.order(CancelRun("abc123-1"))
    host.load([_text(causes, mode)])
    host.run(1.0)
    _restrain(host, causes)
    host.effects.clear()
    host.event("web-1", "GO", {}, after=0.0)
    host.run(0.0)
    says_no = causes | {_refused_by_turn(mode, open_runs)}
    expected = next(
        ((verdict, path) for name, verdict, path in ORDER if name in says_no),
        ("admitted", "trigger"),
    )
    first = next(e for e in host.seen(Trace) if isinstance(e, Trace))
    assert (first.verdict, first.path) == expected


FRESH = ["silence", "hold", "inhibit", "inhibit_if", "if"]
"""What is asked again with fresh state, in the contract's order."""


@settings(max_examples=60, deadline=None)
@given(causes=st.sets(st.sampled_from(FRESH)))
def test_at_the_start_the_same_is_asked_again_in_the_same_order(causes: set[str]) -> None:
    """A run that waited for its turn meanwhile ends as skipped, by the first that says no."""
    more = (
        "mode: queued\ninhibit_if: marked('guest', 'self', 'sick')\nif: guest.status == 'running'\n"
    )
    host = Host([document("p", "[{delay: 10s}]", more=more)]).connect()
    for _ in range(2):
        host.event("web-1", "GO", {}, after=0.0)
        host.run(1.0)
    _restrain(host, causes)
    if "if" in causes:
        host.guests["web-1"].status = "paused"
    host.effects.clear()
    host.run(30.0)
    last = [e for e in host.seen(Trace) if isinstance(e, Trace) and e.run == "abc123-2"]
    expected = next((name for name in FRESH if name in causes), None)
    if expected is None:
        assert host.outcomes() == ["succeeded", "succeeded"]
    else:
        assert host.outcomes() == ["succeeded", "skipped"]
        assert last[0].path == expected
        assert host.ended()[1].error == last[0].reason


PHASES = ["waiting-turn", "waiting-approval", "waiting-slot", "running", "handling", "ended"]
"""The phases of a run, of which it may miss some and never goes back."""


@settings(max_examples=60, deadline=None)
@given(
    mode=st.sampled_from(["single", "queued", "parallel", "restart"]),
    moves=st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.3, 4.0, 30.0]),
            st.sampled_from(["go", "go", "yes", "no", "restart", "cancel"]),
        ),
        max_size=14,
    ),
)
def test_a_run_waits_for_its_turn_then_for_approval_then_for_a_slot(
    mode: str, moves: list[tuple[float, str]]
) -> None:
    """And never goes back, whatever operators say and however often the daemon is killed."""
    more = f"mode: {mode}\napproval: {{expires: 1m}}\nlimits: [1 at once per host]\n"
    host = Host(
        [document("p", "[{delay: 5s}]", more=more + "finally: [{log: x}]\n")],
        guests=("web-1", "web-2"),
    ).connect()
    for number, (pause, what) in enumerate(moves):
        host.run(pause)
        runs = list(host.engine.world.runs)
        match what:
            case "go":
                host.event(f"web-{1 + number % 2}", "GO", {}, after=0.0)
            case "restart":
                host.restart()
            case "cancel":
                host.order(CancelRun(runs[0] if runs else ""))
            case _:
                for run in runs:
                    host.order(Approve(run, yes=what == "yes"))
        host.run(0.0)
    host.run(2000.0)
    words: dict[str, list[str]] = {}
    for effect in host.seen(RunChanged):
        assert isinstance(effect, RunChanged)
        words.setdefault(effect.run, []).append(effect.word)
    for told in words.values():
        places = [PHASES.index(word) for word in told]
        assert all(before <= after for before, after in pairwise(places))
        assert places[-1] == PHASES.index("ended")
    begun = {trace.run for trace in host.traces("begun")}
    assert begun <= {trace.run for trace in host.traces("approved")}
