"""What holds runs back: silences, holds, the `inhibit` step, `inhibit_if`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.core import holds
from reactor.core.orders import (
    AddSilence,
    ExpireSilence,
    HoldGuests,
    ReleaseGuests,
    SetMark,
)
from reactor.core.restraints import Inhibition, Restraints, Silence
from tests.core.simulation import Host, document

PLAIN = document("plain", "[{publish: 'plain/${guest.name}'}]")
ARMED = document(
    "armed",
    "[{publish: armed}]",
    more="arm: [{qmp: set-action, args: {panic: pause}}]\n",
)
INHIBITOR = document(
    "inhibitor", "[{inhibit: {policies: ['p*', 'inhibitor'], for: 10m}}]", "{event: HUSH}"
)


def _go(host: Host, guest: str = "web-1", event: str = "GO", seconds: float = 1.0) -> Host:
    host.event(guest, event, {"n": 1}, after=0.0)
    return host.run(seconds)


def _topics(host: Host) -> list[str]:
    return [topic for topic, _ in host.published()]


# ------------------------------------------------------------------- silence


@pytest.mark.parametrize(
    ("policies", "guests", "silenced"),
    [
        pytest.param(("plain",), ("web-1",), True, id="by name"),
        pytest.param(("p*",), ("*",), True, id="by glob"),
        pytest.param(("x", "plain"), ("y", "web-?"), True, id="any glob of each list"),
        pytest.param(("P*",), ("*",), False, id="capital letters matter"),
        pytest.param(("plain",), ("db-*",), False, id="another guest"),
        pytest.param(("armed",), ("web-1",), False, id="another policy"),
    ],
)
def test_a_silence_refuses_new_runs(
    policies: tuple[str, ...], guests: tuple[str, ...], silenced: bool
) -> None:
    """Of the policies and guests that its globs name; it says who, until when and why."""
    host = Host([PLAIN]).connect()
    host.order(AddSilence(policies, guests, 600.0, "disk work"), who="uid 7 (bo)")
    _go(host)
    assert _topics(host) == ([] if silenced else ["plain/web-1"])
    reasons = [t.reason for t in host.traces("silenced")]
    said = "silence s-1 by uid 7 (bo) until 2027-01-15T08:10:00Z: disk work"
    assert reasons == ([said] if silenced else [])
    assert [miss.reason for miss in host.engine.near_misses("plain")] == reasons


@pytest.mark.parametrize(
    ("wait", "runs"),
    [
        pytest.param(59.9, 0, id="before its end"),
        pytest.param(60.0, 1, id="at its end"),
        pytest.param(60.1, 1, id="after its end"),
    ],
)
@pytest.mark.parametrize("restart", [False, True], ids=["alive", "restarted"])
def test_a_silence_ends_by_itself(wait: float, runs: int, restart: bool) -> None:
    """And survives a restart until then."""
    host = Host([PLAIN]).connect()
    host.order(AddSilence(("*",), ("*",), 60.0))
    if restart:
        host.restart()
        host.run(wait - 0.1)
    else:
        host.run(wait)
    assert len(_topics(_go(host, seconds=0.0))) == runs
    host.run(10.0)
    assert [key for key in host.kept if key[0] == "silence"] == []


def test_the_longest_of_several_silences_is_named() -> None:
    """Who waits for its end wants to know the last one."""
    host = Host([PLAIN]).connect()
    for seconds in (60.0, 600.0, 300.0):
        host.order(AddSilence(("*",), ("*",), seconds))
    _go(host)
    assert host.traces("silenced")[0].reason.startswith("silence s-2 ")


def test_a_silence_leaves_open_runs_alone() -> None:
    """It refuses new ones; but one that has not started yet is asked again, and skipped."""
    text = document("p", "[{delay: 10s}, {publish: done}]", more="mode: queued\n")
    host = Host([text]).connect()
    _go(_go(host))
    host.order(AddSilence(("p",), ("*",), 600.0))
    host.run(30.0)
    assert (_topics(host), host.outcomes()) == (["done"], ["succeeded", "skipped"])
    assert host.ended()[1].error.startswith("silence s-1 by anna")


# ---------------------------------------------------------------------- hold


@pytest.mark.parametrize("whom", ["web-1", ""], ids=["the guest", "all"])
def test_a_hold_refuses_new_runs(whom: str) -> None:
    """Who holds it, until when and why, is said."""
    host = Host([PLAIN], guests=("web-1", "web-2")).connect()
    host.order(HoldGuests(whom, 600.0, "fire"))
    for guest in ("web-1", "web-2"):
        _go(host, guest)
    assert _topics(host) == (["plain/web-2"] if whom else [])
    said = "web-1 is held" if whom else "all guests are held"
    assert host.traces("held by an operator")[0].reason == (
        f"{said} by anna until 2027-01-15T08:10:00Z: fire"
    )
    host.order(ReleaseGuests(whom))
    assert _topics(_go(host))[-1] == "plain/web-1"


@pytest.mark.parametrize(
    ("whom", "said"),
    [("web-1", "web-1 is held by anna until it is released"), ("", "until they are released")],
)
def test_a_hold_without_an_end_stands_until_it_is_released(whom: str, said: str) -> None:
    """Over restarts and for years."""
    host = Host([PLAIN]).connect()
    host.order(HoldGuests(whom))
    host.run(3 * 366 * 86_400.0)
    host.restart()
    _go(host)
    assert said in host.traces("held by an operator")[0].reason
    assert _topics(host) == []


@pytest.mark.parametrize("how", ["release", "expiry", "restart and expiry"])
@pytest.mark.parametrize("whom", ["web-1", ""], ids=["the guest", "all"])
def test_when_a_hold_ends_the_waiting_steps_go_on(how: str, whom: str) -> None:
    """At once, by an order or by its time."""
    host = Host([document("p", "[{delay: 5s}, {qmp: stop}]")]).connect()
    _go(host)
    host.order(HoldGuests(whom, 60.0))
    host.run(30.0)
    assert host.commands() == []
    if "restart" in how:
        host.restart()
    if how == "release":
        host.order(ReleaseGuests(whom))
        host.run(0.1)
    else:
        host.run(30.1)
    assert host.commands() == ["stop"]


def test_a_hold_of_one_guest_wakes_nobody_else() -> None:
    """Another guest's hold stands."""
    text = document("p", "[{delay: 5s}, {qmp: stop}]")
    host = Host([text], guests=("web-1", "web-2")).connect()
    for guest in host.guests:
        _go(host, guest, seconds=0.0)
        host.order(HoldGuests(guest))
    host.run(30.0)
    host.order(ReleaseGuests("web-2"))
    host.run(1.0)
    assert (host.commands("web-1"), host.commands("web-2")) == ([], ["stop"])


def test_a_policy_that_could_not_be_armed_for_a_hold_is_armed_at_its_end() -> None:
    """At once, not at the next try in a minute."""
    host = Host([ARMED, PLAIN])
    host.order(HoldGuests("web-1"))
    host.connect()
    host.run(30.0)
    assert host.commands() == []
    host.order(ReleaseGuests("web-1"))
    host.run(0.1)
    assert host.commands() == ["set-action"]
    assert "armed" in _topics(_go(host))


def test_another_hold_of_the_same_takes_its_place() -> None:
    """With its own end, earlier or later."""
    host = Host([PLAIN]).connect()
    host.order(HoldGuests("web-1", 600.0))
    reply = host.order(HoldGuests("web-1", 60.0), who="bo")
    assert reply.text.endswith(", in place of the hold by anna")
    host.run(61.0)
    assert _topics(_go(host)) == ["plain/web-1"]
    host.order(HoldGuests("web-1", 60.0))
    host.order(HoldGuests("web-1"))
    host.run(600.0)
    assert len(_topics(_go(host))) == 1


# ------------------------------------------------------------------- inhibit


def test_an_inhibition_refuses_new_runs_of_others_on_this_guest() -> None:
    """Never its own, not on other guests, and running ones go on."""
    slow = document("slow-p", "[{delay: 30s}, {publish: slow}]")
    host = Host([INHIBITOR, PLAIN, slow], guests=("web-1", "web-2")).connect()
    _go(host, event="HUSH")
    _go(host)
    _go(host, "web-2")
    _go(host, event="HUSH")
    host.run(60.0)
    assert _topics(host) == ["plain/web-2", "slow", "slow"]
    (refused,) = host.traces("inhibited")
    assert refused.policy == "plain"
    assert refused.reason == (
        "by inhibitor (run abc123-1) until 2027-01-15T08:10:00Z, as one of `p*`"
    )
    assert host.outcomes().count("succeeded") == 5


@pytest.mark.parametrize(
    ("wait", "runs"),
    [
        pytest.param(598.8, 0, id="before its end"),
        pytest.param(599.0, 1, id="at its end"),
        pytest.param(599.1, 1, id="after its end"),
    ],
)
@pytest.mark.parametrize("restart", [False, True], ids=["alive", "restarted"])
def test_an_inhibition_ends_by_itself(wait: float, runs: int, restart: bool) -> None:
    """And survives a restart until then; nothing is made up for later."""
    host = Host([INHIBITOR, PLAIN]).connect()
    _go(host, event="HUSH")
    _go(host, seconds=0.0)
    if restart:
        host.restart()
        host.run(wait - 0.1)
    else:
        host.run(wait)
    assert len(_topics(_go(host, seconds=0.0))) == runs
    host.run(10.0)
    assert [key for key in host.kept if key[0] == "inhibition"] == []


@pytest.mark.parametrize(
    ("first", "second", "until"),
    [
        pytest.param(60.0, 30.0, 60.0, id="a shorter one changes nothing"),
        pytest.param(60.0, 60.0, 60.0, id="the same again"),
        pytest.param(60.0, 90.0, 90.0, id="a longer one wins"),
    ],
)
def test_the_longer_of_two_inhibitions_wins(first: float, second: float, until: float) -> None:
    """Of the same policy and glob on a guest."""
    book = Restraints()
    for seconds in (first, second):
        book.inhibit(Inhibition("web-1", "p*", "a", "r", seconds))
    found = book.inhibition("plain", "web-1", 0.0)
    assert found is not None
    assert (found.until, len(book.inhibitions)) == (until, 1)
    assert book.inhibition("plain", "web-1", until) is None
    assert book.inhibition("plain", "web-2", 0.0) is None
    assert book.inhibition("other", "web-1", 0.0) is None


def test_a_shorter_inhibition_by_a_later_step_changes_nothing() -> None:
    """What stands already stands."""
    steps = "[{inhibit: {policies: [p*], for: 10m}}, {inhibit: {policies: [p*], for: 1m}}]"
    host = Host([document("i", steps, "{event: HUSH}"), PLAIN]).connect()
    _go(host, event="HUSH")
    host.run(300.0)
    assert _topics(_go(host)) == []
    assert host.outcomes() == ["succeeded"]


def test_two_policies_that_inhibit_everything_hold_each_other_back() -> None:
    """But neither itself."""
    book = Restraints()
    for by in ("a", "b"):
        book.inhibit(Inhibition("g", "*", by, "r", 60.0))
    found = {name: book.inhibition(name, "g", 0.0) for name in ("a", "b", "c")}
    assert {name: row and row.by for name, row in found.items()} == {"a": "b", "b": "a", "c": "a"}
    for key in list(book.inhibitions):
        book.uninhibit(key)
    assert (book.inhibitions, book.inhibition("c", "g", 0.0)) == ({}, None)


def test_names_with_slashes_are_not_mixed_up() -> None:
    """``a/b`` and ``c`` is not ``a`` and ``b/c``."""
    one, other = Inhibition("c", "a/b", "p", "r", 1.0), Inhibition("b/c", "a", "p", "r", 1.0)
    assert one.key != other.key


def test_there_is_a_bound_of_inhibitions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it the step fails and says so; renewing one is always possible."""
    monkeypatch.setattr(holds, "RESTRAINTS_MAX", 2)
    host = Host([INHIBITOR, PLAIN], guests=("web-1", "web-2")).connect()
    _go(host, event="HUSH")
    _go(host, event="HUSH")
    _go(host, "web-2", event="HUSH")
    assert host.outcomes() == ["succeeded", "succeeded", "failed"]
    assert "2 inhibitions stand already" in host.ended()[2].error


# ---------------------------------------------------------------- inhibit_if

CONDITIONAL = document(
    "p",
    "[{publish: done}]",
    more=(
        "inhibit_if:\n"
        "  - marked('guest', 'self', 'sick')\n"
        "  - guest.labels['tier'] == 'db'\n"
        "  - guest.status == 'paused'\n"
    ),
)


@pytest.mark.parametrize(
    ("labels", "reason", "values"),
    [
        pytest.param({"tier": "web"}, None, {}, id="none holds"),
        pytest.param(
            {"tier": "db"},
            "`guest.labels['tier'] == 'db'` holds",
            {"guest.labels.tier": "db"},
            id="one holds",
        ),
        pytest.param(
            {},
            "`guest.labels['tier'] == 'db'` cannot be evaluated: ",
            {"guest.labels.tier": "<absent>"},
            id="a failing one counts as true",
        ),
    ],
)
def test_inhibit_if_refuses_and_says_by_which_condition(
    labels: dict[str, str], reason: str | None, values: dict[str, object]
) -> None:
    """With what it looked at."""
    host = Host([CONDITIONAL], labels={"web-1": labels}).connect()
    _go(host)
    refused = host.traces("inhibited")
    assert _topics(host) == (["done"] if reason is None else [])
    if reason is not None:
        assert refused[0].reason.startswith(reason)
        assert refused[0].values == {"event": "GO", **values}
        assert (refused[0].run, refused[0].path) == ("", "inhibit_if/1")


def test_inhibit_if_is_asked_again_with_fresh_state() -> None:
    """The status that was known was another one: the run ends as skipped."""
    host = Host([CONDITIONAL], labels={"web-1": {"tier": "web"}}).connect()
    host.guests["web-1"].status = "paused"
    _go(host)
    assert (_topics(host), host.outcomes()) == ([], ["skipped"])
    (refused,) = host.traces("inhibited")
    assert (refused.run, refused.path) == ("abc123-1", "inhibit_if/2")
    assert refused.values == {"guest.status": "paused"}


def test_a_mark_inhibits() -> None:
    """Set by an operator or by another policy."""
    host = Host([CONDITIONAL], labels={"web-1": {"tier": "web"}}).connect()
    host.order(SetMark("web-1", "guest", "", "sick"))
    _go(host)
    assert host.traces("inhibited")[0].reason == ("`marked('guest', 'self', 'sick')` holds")


def test_a_single_inhibit_if_has_no_number() -> None:
    """As with `if`; and it sees the event and the trigger."""
    condition = "data.n == 1 && trigger.index == 0"
    host = Host([document("p", "[{publish: done}]", more=f"inhibit_if: {condition}\n")]).connect()
    _go(host)
    (refused,) = host.traces("inhibited")
    assert (refused.path, refused.reason) == ("inhibit_if", f"`{condition}` holds")


def test_inhibit_if_in_the_fold_gives_the_place_back() -> None:
    """A run that was inhibited at its start does not count for the limits."""
    text = document(
        "p",
        "[{publish: done}]",
        more="inhibit_if: guest.status == 'paused'\nlimits: [1 per 1h per guest]\n",
    )
    host = Host([text]).connect()
    host.guests["web-1"].status = "paused"
    _go(host)
    host.guests["web-1"].status = "running"
    host.event("web-1", "RESUME", {}, after=0.0)
    _go(host.run(1.0))
    assert _topics(host) == ["done"]


# ------------------------------------------------------------------- survival


def test_what_stands_survives_a_reload() -> None:
    """Silences, holds and inhibitions belong to the operator and to the guest, not to a text."""
    host = Host([INHIBITOR, PLAIN], guests=("web-1", "web-2", "web-3")).connect()
    _go(host, event="HUSH")
    host.order(AddSilence(("plain",), ("web-2",), 600.0))
    host.order(HoldGuests("web-3"))
    host.load([])
    host.load([PLAIN])
    for guest in host.guests:
        _go(host, guest)
    assert _topics(host) == []


def test_the_number_of_a_silence_is_never_given_again() -> None:
    """Not after its end, not after a restart."""
    host = Host([PLAIN]).connect()
    for wanted in ("s-1", "s-2"):
        assert host.order(AddSilence(("*",), ("*",), 60.0)).data == {"silence": wanted}
        host.order(ExpireSilence(wanted))
        host.restart()
    assert host.order(AddSilence(("*",), ("*",), 60.0)).data == {"silence": "s-3"}


def test_the_number_survives_the_silence_that_had_it() -> None:
    """Before the first silence there is none to keep."""
    book = Restraints()
    assert book.rows() == []
    book.number = 2
    assert book.rows() == [("number", "silence", 2)]


@settings(max_examples=100)
@given(
    until=st.floats(1.0, 100.0),
    now=st.floats(0.0, 200.0),
    policy=st.sampled_from(["a", "ab", "b"]),
    guest=st.sampled_from(["x", "xy"]),
)
def test_a_silence_covers_until_its_end_and_not_a_moment_longer(
    until: float, now: float, policy: str, guest: str
) -> None:
    """For exactly the names that its globs fit."""
    book = Restraints()
    book.silences["s-1"] = Silence("s-1", ("a*",), ("?",), 0.0, until, "anna")
    found = book.silence(policy, guest, now) is not None
    assert found == (now < until and policy.startswith("a") and len(guest) == 1)
