"""The operator's hand: every order is answered once, and what it did is said in a sentence."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.core import operator_rules
from reactor.core.config import EngineConfig
from reactor.core.effect import Log, MarkCleared, MarkSet, Reply
from reactor.core.inputs import Connected, Facts, GuestForgotten, GuestKnown
from reactor.core.order_checks import SECONDS_MAX, TEXT_MAX, WORD_MAX, did_you_mean
from reactor.core.orders import (
    AddSilence,
    Approve,
    CancelRun,
    ClearMark,
    EndInhibitions,
    ExpireSilence,
    HoldGuests,
    Order,
    ReleaseGuests,
    SetMark,
    StartRun,
    SwitchPolicy,
)
from tests.core.simulation import Host, document

PLAIN = document("plain", "[{publish: 'done/${event.name}/${data.?n.orValue(0)}'}]")
SLOW = document("slow", "[{delay: 1m}]", more="finally: [{publish: last}]\n")
WEB = document("web", "[{publish: web}]", more="guests: {labels: {tier: web}}\n")


def _host(*texts: str) -> Host:
    return Host(texts or [PLAIN, SLOW, WEB], guests=("web-1", "web-2")).connect()


def _topics(host: Host) -> list[str]:
    return [topic for topic, _ in host.published()]


# -------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("order", "text"),
    [
        pytest.param(
            Approve("abc123-9"),
            "no run is called 'abc123-9'; its name begins with abc123-",
            id="run",
        ),
        pytest.param(
            CancelRun("x"), "no run is called 'x'; its name begins with abc123-", id="word"
        ),
        pytest.param(
            CancelRun("abc123-0"),
            "no run is called 'abc123-0'; its name begins with abc123-",
            id="there was no run 0",
        ),
        pytest.param(
            StartRun("plian", "web-1"),
            "no policy is called 'plian'; did you mean 'plain'?",
            id="policy",
        ),
        pytest.param(
            StartRun("plain", "web1"),
            "no guest is called 'web1'; did you mean 'web-1'?",
            id="guest",
        ),
        pytest.param(StartRun("plain", "zzz"), "no guest is called 'zzz'", id="nothing is near"),
        pytest.param(StartRun("web", "web-1"), "web does not select web-1", id="not selected"),
        pytest.param(
            ExpireSilence("s-1"), "no silence 's-1' stands", id="no such silence, nothing is near"
        ),
        pytest.param(
            AddSilence((), ("*",), 60.0),
            "a silence has 1 to 100 globs of policies, not 0",
            id="for none",
        ),
        pytest.param(
            AddSilence(("*",), ("*",) * 101, 60.0),
            "a silence has 1 to 100 globs of guests, not 101",
            id="too many globs",
        ),
        pytest.param(
            AddSilence(("*",), ("",), 60.0),
            "the glob of guests has 0 characters; 1 to 256 are allowed",
            id="empty glob",
        ),
        pytest.param(
            AddSilence(("*",), ("*",), 0.0),
            "0 s is no time to set: more than 0, and at most ten years",
            id="no time",
        ),
        pytest.param(
            AddSilence(("*",), ("*",), SECONDS_MAX + 1e6),
            "3.17224e+08 s is no time to set: more than 0, and at most ten years",
            id="too long",
        ),
        pytest.param(
            AddSilence(("*",), ("*",), 60.0, "x" * (TEXT_MAX + 1)),
            "the comment has 1001 characters; at most 1000 fit",
            id="comment",
        ),
        pytest.param(
            HoldGuests("web-3"), "no guest is called 'web-3'; did you mean 'web-2'?", id="hold"
        ),
        pytest.param(
            HoldGuests("web-1", float("inf")),
            "inf s is no time to set: more than 0, and at most ten years",
            id="hold for ever has no seconds",
        ),
        pytest.param(
            SwitchPolicy("plian", on=False, seconds=60.0),
            "no policy is called 'plian'; did you mean 'plain'?",
            id="a policy to be switched off",
        ),
        pytest.param(
            SwitchPolicy("plain", on=False),
            "0 s is no time to set: more than 0, and at most ten years",
            id="off for no time",
        ),
        pytest.param(
            ReleaseGuests("web-3"),
            "no guest is called 'web-3'; did you mean 'web-2'?",
            id="release, but whom",
        ),
        pytest.param(
            EndInhibitions("web-3"),
            "no guest is called 'web-3'; did you mean 'web-2'?",
            id="inhibited, but who",
        ),
        pytest.param(
            SetMark("web-1", "dsk", "a", "bad"),
            "'dsk' is no kind of mark: it is one of guest, host, disk, memory, port, migration;"
            " did you mean 'disk'?",
            id="kind",
        ),
        pytest.param(
            SetMark("web-1", "disk", "", "bad"),
            "the id of the mark has 0 characters; 1 to 256 are allowed",
            id="id",
        ),
        pytest.param(
            SetMark("web-1", "guest", "foo", "bad"),
            "a mark on the guest itself has no id: 'foo' is one",
            id="an id of the guest itself",
        ),
        pytest.param(
            ClearMark("web-1", "host", "foo"),
            "a mark on the host itself has no id: 'foo' is one",
            id="an id of the host itself",
        ),
        pytest.param(
            SetMark("web-1", "disk", "a", "x" * (WORD_MAX + 1)),
            "the word of the mark has 257 characters; 1 to 256 are allowed",
            id="word of a mark",
        ),
        pytest.param(
            ClearMark("web-1", "disk", "a"),
            "no such mark is set on web-1: it has none",
            id="no mark",
        ),
    ],
)
def test_an_order_that_cannot_be_carried_out_says_why(order: Order, text: str) -> None:
    """And changes nothing."""
    host = _host()
    before = dict(host.kept)
    reply = host.order(order)
    assert (reply.ok, reply.text) == (False, text)
    assert host.kept == before
    assert reply.fix


@pytest.mark.parametrize(
    ("order", "text"),
    [
        pytest.param(ReleaseGuests("web-1"), "web-1 is not held", id="release"),
        pytest.param(ReleaseGuests(), "no hold of all guests stands", id="release all"),
        pytest.param(
            EndInhibitions("web-1"), "no policy inhibits anything on web-1", id="not inhibited"
        ),
        pytest.param(SwitchPolicy("plain", on=True), "plain is switched on", id="not off"),
    ],
)
def test_what_is_off_already_can_be_switched_off_again(order: Order, text: str) -> None:
    """A switch on a dashboard may say it twice: it is so, and nothing changes."""
    host = _host()
    before = dict(host.kept)
    reply = host.order(order)
    assert (reply.ok, reply.text) == (True, text)
    assert host.kept == before


@pytest.mark.parametrize(
    ("policies", "guests", "end"),
    [
        pytest.param(
            ("plain",),
            ("*",),
            "it covers 1 of the loaded policies and 2 of the known guests",
            id="all",
        ),
        pytest.param(
            ("plain",),
            ("db-*",),
            "it covers 1 of the loaded policies and 0 of the known guests: NOTHING is silenced now",
            id="no guest",
        ),
        pytest.param(
            ("x*",),
            ("*",),
            "it covers 0 of the loaded policies and 2 of the known guests: NOTHING is silenced now",
            id="no policy",
        ),
        pytest.param(
            ("plain", "wbe"),
            ("*",),
            "it covers 1 of the loaded policies and 2 of the known guests; "
            "no policy is called 'wbe'; did you mean 'web'?",
            id="a misspelt policy beside another",
        ),
    ],
)
def test_a_silence_says_loudly_what_it_does_not_cover(
    policies: tuple[str, ...], guests: tuple[str, ...], end: str
) -> None:
    """It stands all the same: the policy or guest may come later."""
    reply = _host().order(AddSilence(policies, guests, 60.0, "c"))
    assert (reply.ok, reply.text.endswith(f"; {end}")) == (True, True), reply.text


def test_a_command_line_that_is_proposed_can_be_copied() -> None:
    """Names as a shell reads them."""
    host = Host([document("p", "[{log: x}]")], guests=("web 1's",)).connect()
    reply = host.order(ClearMark("web 1's", "disk", "a"))
    assert reply.fix == "`reactor marks --guest='web 1'\"'\"'s'` lists them"


@pytest.mark.parametrize(
    ("order", "fix"),
    [
        pytest.param(
            CancelRun("x"), "`reactor runs --open` lists those that are open", id="no run"
        ),
        pytest.param(
            ExpireSilence("s-9"), "`reactor silence` lists those that stand", id="no silence"
        ),
        pytest.param(StartRun("plain", "web1"), "`reactor guests` lists them", id="no guest"),
        pytest.param(StartRun("plian", "web-1"), "`reactor status` lists them", id="no policy"),
        pytest.param(
            StartRun("web", "web-1"),
            "`reactor why web web-1` tells what stands in the way",
            id="not selected",
        ),
        pytest.param(
            ClearMark("web-1", "disk", "a"), "`reactor marks --guest=web-1` lists them", id="mark"
        ),
        pytest.param(
            SetMark("web-1", "disk", "", "bad"), "name the id of the mark", id="an empty id"
        ),
        pytest.param(
            SetMark("web-1", "disk", "a", "x" * (WORD_MAX + 1)), "make it shorter", id="long"
        ),
    ],
)
def test_an_order_that_is_refused_says_what_to_do(order: Order, fix: str) -> None:
    """By a verb that helps with just this."""
    assert _host().order(order).fix == fix


def test_a_guest_that_nobody_names_any_more_is_unknown() -> None:
    """Although a run of it is still open."""
    host = _host()
    host.order(StartRun("slow", "web-1"))
    host.give(GuestForgotten("web-1"))
    assert (
        host.order(HoldGuests("web-1")).text == "no guest is called 'web-1'; did you mean 'web-2'?"
    )


def test_among_very_many_names_no_near_one_is_looked_for() -> None:
    """It would take too long."""
    names = [f"guest-{number}" for number in range(5000)]
    assert did_you_mean("guest-49999", names) == "; did you mean 'guest-4999'?"
    assert did_you_mean("guest-49999", [*names, "x"]) == ""


# ----------------------------------------------------------------------- start


def test_an_operator_starts_a_run() -> None:
    """The event at hand is REACTOR_OPERATOR with his data; who he is stands in the trace."""
    host = _host()
    reply = host.order(StartRun("plain", "web-2", {"n": 7}), who="uid 7 (bo)")
    assert (reply.ok, reply.text) == (True, "run abc123-1 of plain on web-2: succeeded")
    assert reply.data == {"run": "abc123-1"}
    assert _topics(host) == ["done/REACTOR_OPERATOR/7"]
    (admitted,) = host.traces("admitted")
    assert (admitted.path, admitted.reason) == ("operator", "REACTOR_OPERATOR by uid 7 (bo)")
    assert [e.text for e in host.seen(Log) if isinstance(e, Log)] == [
        "uid 7 (bo): run abc123-1 of plain on web-2: succeeded"
    ]


def test_neither_where_nor_count_is_asked() -> None:
    """The operator is the trigger."""
    text = document(
        "p", "[{publish: done}]", "{event: GO, where: data.n == 1, count: 3, within: 1m}"
    )
    host = _host(text)
    assert host.order(StartRun("p", "web-1")).ok
    assert _topics(host) == ["done"]


@pytest.mark.parametrize(
    ("trigger", "data", "key"),
    [
        pytest.param("{event: GO, by: data.n}", {"n": "a"}, "web-1/a", id="by"),
        pytest.param("{event: GO}", {}, "web-1", id="no by"),
        pytest.param("{schedule: '0 3 * * *'}", {}, "web-1", id="no event at all"),
        pytest.param("[{event: GO}, {event: AT, by: data.n}]", {}, "web-1", id="the first trigger"),
    ],
)
def test_the_key_is_that_of_the_first_trigger(
    trigger: str, data: dict[str, object], key: str
) -> None:
    """So that cooldown and turns are those of the run that an event would have started."""
    host = _host(document("p", "[{delay: 1m}]", trigger))
    host.order(StartRun("p", "web-1", data))
    (run,) = host.engine.world.runs.values()
    assert run.key == key


def test_without_the_data_for_its_key_no_run_starts() -> None:
    """The sentence says what is missing."""
    host = _host(document("p", "[{delay: 1m}]", "{event: GO, by: data.n}"))
    reply = host.order(StartRun("p", "web-1"))
    assert not reply.ok
    assert reply.text.startswith("`by: data.n` has no value in the data that you gave: ")


@pytest.mark.parametrize(
    ("more", "text"),
    [
        pytest.param("", "a run of this key is still open: run abc123-1 is open", id="busy"),
        pytest.param(
            "mode: queued\n", "run abc123-2 of p on web-1 is waiting for its turn", id="queued"
        ),
        pytest.param(
            "mode: parallel\nlimits: [1 per 1h per guest]\n",
            "limited: 1 per 1h per guest",
            id="limited",
        ),
        pytest.param(
            "mode: parallel\nlimits: [1 at once per guest]\n",
            "run abc123-2 of p on web-1 is waiting: the limit of runs at once is reached",
            id="no slot",
        ),
        pytest.param(
            "debounce: 10s\n",
            "waiting for quiet: until 2027-01-15T08:00:10Z unless another comes; 2 so far",
            id="debounce",
        ),
        pytest.param(
            "mode: parallel\nif: host.name == 'x'\n",
            "run abc123-2 of p on web-1: skipped: `host.name == 'x'` is false: host.name is \"h1\"",
            id="a condition is false",
        ),
        pytest.param(
            "approval: {}\nmode: parallel\n",
            "run abc123-2 of p on web-1 is waiting for an operator's approval",
            id="another operator is asked",
        ),
    ],
)
def test_the_reply_says_what_became_of_the_run(more: str, text: str) -> None:
    """Through the whole order of admission; the second of two orders."""
    host = _host(document("p", "[{delay: 1m}]", more=more))
    host.order(StartRun("p", "web-1"))
    reply = host.order(StartRun("p", "web-1"))
    assert reply.text.removeprefix("p on web-1: ") == text
    well = ("is waiting", "waiting for quiet")
    assert reply.ok == any(word in text for word in well)


@pytest.mark.parametrize(
    ("order", "text"),
    [
        (HoldGuests("web-1"), "held by an operator: web-1 is held by anna until it is released"),
        (
            AddSilence(("*",), ("*",), 60.0),
            "silenced: silence s-1 by anna until 2027-01-15T08:01:00Z",
        ),
    ],
)
def test_a_hold_and_a_silence_bind_operators_too(order: Order, text: str) -> None:
    """He can end them first, if he means it."""
    host = _host()
    host.order(order)
    reply = host.order(StartRun("plain", "web-1"))
    assert (reply.ok, reply.text) == (False, f"plain on web-1: {text}")


def test_a_run_that_fails_at_once_is_no_success() -> None:
    """The reply says why."""
    host = _host(document("p", "[{fail: no luck}]"))
    reply = host.order(StartRun("p", "web-1"))
    assert (reply.ok, reply.text) == (False, "run abc123-1 of p on web-1: failed: no luck")
    assert reply.data == {"run": "abc123-1"}


def test_a_policy_that_is_being_armed_holds_the_order_back() -> None:
    """It is no refusal: the run follows."""
    host = _host(
        document("p", "[{publish: done}]", more="arm: [{qmp: set-action, args: {panic: pause}}]\n")
    )
    host.guests["web-1"].silent.add("set-action")
    host.give(Connected("web-1", "2-1", Facts(status="running")))
    reply = host.order(StartRun("p", "web-1"))
    assert (reply.ok, reply.text, reply.data) == (
        True,
        "p on web-1: held back: the policy is being armed on this guest",
        {},
    )


# ---------------------------------------------------------------------- cancel


def test_a_started_run_is_cancelled() -> None:
    """Its ``finally`` follows; the reason says who and why."""
    host = _host()
    host.order(StartRun("slow", "web-1"))
    reply = host.order(CancelRun("abc123-1", "wrong guest"))
    assert (reply.ok, reply.text) == (
        True,
        "run abc123-1 of slow on web-1 is cancelled, as soon as its command in flight is answered",
    )
    assert (_topics(host), host.outcomes()) == (["last"], ["cancelled"])
    assert host.ended()[0].error == "cancelled by anna: wrong guest"
    assert host.order(CancelRun("abc123-1")).text == "run abc123-1 is not open any more"


def test_a_run_is_cancelled_once() -> None:
    """The second order says that the first is under way."""
    host = _host(document("p", "[{qmp: stop}]"))
    host.guests["web-1"].silent.add("stop")
    host.order(StartRun("p", "web-1"))
    assert host.order(CancelRun("abc123-1")).ok
    reply = host.order(CancelRun("abc123-1"), who="bo")
    assert (reply.ok, reply.text) == (
        False,
        "run abc123-1 is being cancelled already: cancelled by anna",
    )


@pytest.mark.parametrize("phase", ["its turn", "a slot", "the facts"])
def test_a_run_that_waits_is_cancelled_at_once(phase: str) -> None:
    """It never started: nothing is in flight, nothing follows."""
    more = {
        "its turn": "mode: queued\n",
        "a slot": "mode: parallel\nlimits: [1 at once per host]\n",
        "the facts": "mode: parallel\nif: guest.status == 'running'\n",
    }[phase]
    host = _host(document("p", "[{delay: 1m}]", more=more + "finally: [{publish: last}]\n"))
    host.order(StartRun("p", "web-1"))
    host.run(1.0)
    host.guests["web-1"].silent.add("query-status")
    host.order(StartRun("p", "web-1"))
    reply = host.order(CancelRun("abc123-2"))
    assert reply.text == "run abc123-2 of p on web-1 is cancelled"
    host.run(100.0)
    assert (host.outcomes(), _topics(host)) == (["cancelled", "succeeded"], ["last"])
    assert host.engine.world.runs == {}


def test_handlers_are_not_cancelled() -> None:
    """They end by themselves, in minutes."""
    host = _host(
        document("p", "[{log: x}]", more="finally: [{delay: 1m}]\n"),
        document("q", "[{log: x}]", more="limits: [1 per 1h per guest]\non_limit: [{delay: 1m}]\n"),
    )
    host.order(StartRun("p", "web-1"))
    assert host.order(CancelRun("abc123-1")).text == (
        "the steps of run abc123-1 are over; its handlers end by themselves"
    )
    for _ in range(2):
        host.order(StartRun("q", "web-1"))
    assert host.order(CancelRun("abc123-3")).text == (
        "run abc123-3 is a policy's on_limit: it ends by itself"
    )


def test_an_arm_and_a_branch_are_nobodys_runs() -> None:
    """They have numbers, but no name that people know."""
    text = document(
        "p",
        "[{parallel: [[{delay: 1m}], [{delay: 1m}]]}]",
        more="arm: [{qmp: set-action, args: {panic: pause}}]\n",
    )
    host = Host([text])
    host.guests["web-1"].silent.add("set-action")
    host.give(Connected("web-1", "1-1", Facts(status="running")))
    assert host.order(CancelRun("abc123-1")).text == "run abc123-1 is not open any more"
    host.guests["web-1"].silent.clear()
    host.connect()
    host.order(StartRun("p", "web-1"))
    branches = [run.id for run in host.engine.world.runs.values() if run.parent]
    assert branches
    for branch in branches:
        assert not host.order(CancelRun(branch)).ok


def test_a_run_that_does_not_wait_cannot_be_approved() -> None:
    """The sentence says what it does instead."""
    host = _host()
    host.order(StartRun("slow", "web-1"))
    reply = host.order(Approve("abc123-1"))
    assert (reply.ok, reply.text) == (
        False,
        "run abc123-1 does not wait for approval: it is running",
    )


# ----------------------------------------------------------- silences and holds


def test_the_reply_to_a_silence_says_what_it_covers() -> None:
    """A glob with a typing error covers nothing."""
    host = _host()
    reply = host.order(AddSilence(("plain", "web"), ("web-*",), 3600.0, "fire"))
    assert (reply.ok, reply.data) == (True, {"silence": "s-1"})
    assert reply.text == (
        "silence s-1 by anna until 2027-01-15T09:00:00Z: fire;"
        " it covers 2 of the loaded policies and 2 of the known guests"
    )
    assert host.order(ExpireSilence("s-2")).text == ("no silence 's-2' stands; did you mean 's-1'?")
    reply = host.order(ExpireSilence("s-1"))
    assert (reply.ok, reply.text) == (True, "silence s-1 is over")
    assert host.order(StartRun("plain", "web-1")).ok


def test_a_policy_is_switched_off_and_on() -> None:
    """Off is a silence with an end; on ends those of just this policy, and names the others."""
    host = _host()
    off = host.order(SwitchPolicy("plain", on=False, seconds=60.0, comment="c"))
    assert off.ok
    assert off.text.endswith("it covers 1 of the loaded policies and 2 of the known guests")
    assert not host.order(StartRun("plain", "web-1")).ok
    assert host.order(AddSilence(("pl*",), ("web-2",), 60.0)).ok
    assert host.order(AddSilence(("slow",), ("*",), 60.0)).ok
    on = host.order(SwitchPolicy("plain", on=True))
    assert (on.text, on.data) == (
        "plain is switched on, but still silenced on some guests by s-2: expire them too",
        {"policy": "plain", "expired": ["s-1"]},
    )
    assert host.order(StartRun("plain", "web-1")).ok
    assert host.order(AddSilence(("p*",), ("*",), 60.0)).ok
    assert host.order(SwitchPolicy("plain", on=True)).text == (
        "plain is switched on, but still silenced on all guests by s-4"
        " and silenced on some guests by s-2: expire them too"
    )
    assert host.order(ExpireSilence("s-4")).ok
    assert host.order(ExpireSilence("s-2")).ok
    again = host.order(SwitchPolicy("plain", on=True))
    assert (again.ok, again.text) == (True, "plain is switched on")


def test_there_is_a_bound_of_silences_and_of_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it they are refused; the same hold again is always possible."""
    monkeypatch.setattr(operator_rules, "RESTRAINTS_MAX", 1)
    host = _host()
    assert host.order(AddSilence(("*",), ("a",), 60.0)).ok
    assert host.order(AddSilence(("*",), ("a",), 60.0)).text == (
        "1 silences stand already: expire some first"
    )
    assert host.order(HoldGuests("web-1")).ok
    assert host.order(HoldGuests("web-1")).ok
    assert host.order(HoldGuests("web-2")).text == "1 holds stand already: release some first"


def test_releasing_says_what_still_holds() -> None:
    """A guest's own hold and that of all are two things."""
    host = _host()
    host.order(HoldGuests())
    assert host.order(ReleaseGuests("web-1")).text == (
        "web-1 has no hold of its own: all guests are held by anna until they are released;"
        " release all"
    )
    host.order(HoldGuests("web-1"))
    assert host.order(ReleaseGuests("web-1")).text == (
        "web-1 is released, but all guests are held by anna until they are released"
    )
    host.order(HoldGuests("web-1"))
    assert host.order(ReleaseGuests()).text == (
        "all guests are released, but 1 of them have a hold of their own"
    )
    assert host.order(ReleaseGuests()).text == (
        "no hold of all guests stands; 1 have one of their own"
    )
    assert host.order(ReleaseGuests("web-1")).text == "web-1 is released"
    host.order(HoldGuests())
    assert host.order(ReleaseGuests()).text == "all guests are released"


def test_the_hold_of_a_guest_that_is_gone_can_be_released() -> None:
    """It would come back held otherwise."""
    host = _host()
    host.order(HoldGuests("web-1"))
    host.give(GuestForgotten("web-1"))
    assert host.order(ReleaseGuests("web-1")).ok
    host.give(GuestKnown("web-1"))
    host.connect()
    assert host.order(StartRun("plain", "web-1")).ok


def test_an_operator_ends_what_a_policy_inhibits() -> None:
    """On that guest only; the policies run again, and nothing is left to end later."""
    off = document("off", '[{inhibit: {policies: ["*"], for: 1d}}]', "{event: BAD}")
    host = _host(PLAIN, off)
    for guest in ("web-1", "web-2"):
        host.event(guest, "BAD", {})
        host.run(1)
        host.event(guest, "GO", {})
    assert _topics(host) == []
    reply = host.order(EndInhibitions("web-1"))
    assert (reply.ok, reply.text) == (True, "off inhibits nothing on web-1 any more")
    for guest in ("web-1", "web-2"):
        host.event(guest, "GO", {})
    host.run(1)
    assert _topics(host) == ["done/GO/0"]
    nothing = "no policy inhibits anything on"
    assert host.order(EndInhibitions("web-1")).text == f"{nothing} web-1"
    host.restart()
    assert host.order(EndInhibitions("web-1")).text == f"{nothing} web-1"
    host.run(86_400)
    assert host.order(EndInhibitions("web-2")).text == f"{nothing} web-2"


# ----------------------------------------------------------------------- marks


def test_an_operator_sets_and_clears_marks() -> None:
    """Who did it stands in the mark; the mark of a guest needs no id."""
    host = _host()
    reply = host.order(SetMark("web-1", "disk", "d0", "degraded", "bad", 60.0), who="uid 7 (bo)")
    assert reply.text == (
        "disk d0 of web-1 is marked as degraded until 2027-01-15T08:01:00Z;"
        " whether web-1 has a disk d0 is not looked at"
    )
    assert host.order(SetMark("web-1", "guest", "", "sick")).text == (
        "guest self of web-1 is marked as sick"
    )
    first, second = [e.mark for e in host.seen(MarkSet) if isinstance(e, MarkSet)]
    assert (first.policy, first.run, first.reason, first.expires) == (
        "operator: uid 7 (bo)",
        "",
        "bad",
        first.since + 60.0,
    )
    assert (second.id, second.expires) == ("self", None)
    assert host.order(ClearMark("web-1", "disk", "d1")).text == (
        "no such mark is set on web-1: it has disk d0 as degraded, guest self as sick"
    )
    assert host.order(ClearMark("web-1", "disk", "d0", "other")).ok is False
    assert host.order(SetMark("web-1", "disk", "d0", "slow")).text == (
        "disk d0 of web-1 is marked as slow"
    )
    assert host.order(ClearMark("web-1", "disk", "d0")).text == (
        "disk d0 of web-1 is not marked as degraded, slow any more"
    )
    assert len(host.seen(MarkCleared)) == 2
    assert host.events("REACTOR_MARK_CLEARED")[0].data["reason"] == "cleared by anna"


def test_only_the_first_marks_are_named() -> None:
    """A guest may have hundreds."""
    host = _host()
    for number in range(7):
        host.order(SetMark("web-1", "disk", f"d{number}", "bad"))
    assert host.order(ClearMark("web-1", "port", "p")).text.endswith("disk d4 as bad and 2 more")


# --------------------------------------------------------------------- always

NAMES = st.sampled_from(["web-1", "web-2", "web-9", "", "*"])
RUNS = st.sampled_from([f"abc123-{n}" for n in range(6)] + ["x", "", "-", "abc123-"])
POLICIES = st.sampled_from(["plain", "slow", "asked", "no", ""])
TIMES = st.sampled_from([None, 0.0, -1.0, 0.5, 60.0, 1e300, float("inf"), float("nan")])
TEXTS = st.sampled_from(["", "because", "x" * 1001])
ORDERS = st.one_of(
    st.builds(Approve, RUNS, st.booleans(), TEXTS),
    st.builds(CancelRun, RUNS, TEXTS),
    st.builds(StartRun, POLICIES, NAMES, st.just({"n": 1})),
    st.builds(
        AddSilence,
        st.lists(POLICIES, max_size=2).map(tuple),
        st.lists(NAMES, max_size=2).map(tuple),
        TIMES.filter(lambda seconds: seconds is not None),
        TEXTS,
    ),
    st.builds(ExpireSilence, st.sampled_from(["s-1", "s-2", "s-3", ""])),
    st.builds(HoldGuests, NAMES, TIMES, TEXTS),
    st.builds(ReleaseGuests, NAMES),
    st.builds(SetMark, NAMES, st.sampled_from(["disk", "guest", "x"]), TEXTS, TEXTS, TEXTS, TIMES),
    st.builds(ClearMark, NAMES, st.sampled_from(["disk", "guest", "x"]), TEXTS, TEXTS),
)
ASKED = document("asked", "[{publish: done}]", more="approval: {expires: 1m}\n")


@settings(max_examples=80, deadline=None)
@given(orders=st.lists(st.tuples(ORDERS, st.sampled_from([0.0, 1.0, 70.0])), max_size=10))
def test_every_order_has_exactly_one_answer(orders: list[tuple[Order, float]]) -> None:
    """A sentence in every case; whatever is ordered, in whatever order."""
    host = Host(
        [PLAIN, SLOW, ASKED], guests=("web-1", "web-2"), config=EngineConfig(host="h1")
    ).connect()
    for order, pause in orders:
        reply = host.order(order)
        assert reply.text
        assert isinstance(reply.ok, bool)
        host.run(pause)
    assert len(host.seen(Reply)) == len(orders)
