"""Why now: every step of the order of admission, before a match comes."""

import math
from collections.abc import Callable

import pytest

from reactor.app.why import now as module
from reactor.app.why.asking import why_now
from reactor.app.why.reasons import Finding, Mark, Why
from reactor.core.config import EngineConfig
from reactor.core.event import Event
from reactor.core.inputs import Happened
from reactor.core.orders import AddSilence, HoldGuests
from reactor.core.policy import Enforcement
from reactor.policyfile.lacks import Lack, LackKind
from tests.core.simulation import START, Host, document

SLOW = "[{delay: 1h}]"


def happen(subject: Host, name: str = "GO", **data: object) -> None:
    """An event comes, right now."""
    subject.give(Happened(Event(name, "web-1", data, subject.now, subject.now)))


def explain(host: Host, policy: str = "p", guest: str = "web-1") -> Why:
    """The explanation at the host's time."""
    return why_now(host.engine.world, policy, guest, host.now)


def told(why: Why, check: str) -> list[tuple[str, str]]:
    """What was found of one step."""
    return [(one.mark.value, one.text) for one in why.findings if one.check == check]


def one(host: Host, check: str) -> tuple[str, str]:
    """The one finding of a step."""
    (found,) = told(explain(host), check)
    return found


def host(more: str = "", trigger: str = "{event: GO}", steps: str = SLOW) -> Host:
    """A host with one policy and one connected guest."""
    return Host([document("p", steps, trigger, more)]).connect("web-1")


def test_a_journal_that_cannot_be_written_stands_in_the_way_of_all() -> None:
    """Whatever else would let it run."""
    subject = host()
    why = why_now(subject.engine.world, "p", "web-1", subject.now, (), "the disk is full")
    text = "the journal cannot be written: the disk is full; nothing is done until it can"
    assert why.verdict == f"a match now would start no run: {text}"
    assert why.findings[0] == Finding("journal", Mark.NO, text)
    assert told(explain(subject), "journal") == []


def test_what_the_policy_lacks_on_the_guest() -> None:
    """What keeps every match from coming decides; the rest leaves other ways open."""
    subject = host()
    blind = Lack(LackKind.BLIND, "", "no panic device")
    fails = Lack(LackKind.FAILS, "steps/1", "QEMU 7.2.22 has no command x")
    why = why_now(subject.engine.world, "p", "web-1", subject.now, [blind, fails])
    assert why.verdict == "no match can come: cannot fire: no panic device"
    assert told(why, "lacks") == [
        ("no", "cannot fire: no panic device"),
        ("note", "fails at steps/1: QEMU 7.2.22 has no command x"),
    ]
    why = why_now(subject.engine.world, "p", "web-1", subject.now, [fails])
    assert why.verdict == "nothing stands in the way of a match now"


def test_nothing_stands_in_the_way() -> None:
    """Every step is told, in the order of admission."""
    why = explain(host())
    assert why.verdict == "nothing stands in the way of a match now"
    assert [finding.check for finding in why.findings] == [
        *("guest", "enforcement", "selected", "trigger", "ready"),
        *("silence", "hold", "inhibited", "mode"),
    ]
    assert {finding.mark for finding in why.findings} == {Mark.OK, Mark.NOTE}
    assert (why.online, why.at) == (True, None)


@pytest.mark.parametrize(
    ("policy", "guest", "sentences"),
    [
        pytest.param("q", "web-1", ["no policy is called 'q'"], id="a policy that nobody wrote"),
        pytest.param(
            "p", "web-2", ["no guest is called 'web-2'; did you mean 'web-1'?"], id="no guest"
        ),
        pytest.param(
            *("qq", "nobody"),
            ["no policy is called 'qq'", "no guest is called 'nobody'"],
            id="neither",
        ),
    ],
)
def test_names_that_nobody_knows(policy: str, guest: str, sentences: list[str]) -> None:
    """Nothing else is told then."""
    why = explain(host(), policy, guest)
    assert [finding.text for finding in why.findings if finding.mark is Mark.NO] == sentences
    assert why.verdict == f"a match now would start no run: {sentences[0]}"


def test_a_guest_whose_monitor_is_away() -> None:
    """No event of it can come; since when and why is told."""
    subject = host()
    subject.disconnect("web-1", "QEMU closed it")
    mark, text = one(subject, "guest")
    assert mark == "no"
    assert text == (
        "its monitor is away since 2027-01-15T08:00:00Z: QEMU closed it; no event can come"
    )


@pytest.mark.parametrize(
    ("more", "cap", "found"),
    [
        pytest.param("", None, ("ok", "enforce: a run acts"), id="enforce"),
        pytest.param(
            "enforcement: approve\n",
            None,
            ("note", "approve: a run waits for an operator's yes"),
            id="approve",
        ),
        pytest.param(
            "",
            Enforcement.AUDIT,
            ("note", "audit: a run is recorded as `would run`, and nothing is done"),
            id="audit by the settings",
        ),
    ],
)
def test_how_far_the_policy_may_go(
    more: str, cap: Enforcement | None, found: tuple[str, str]
) -> None:
    """Its own word, capped by the settings."""
    config = EngineConfig(host="h1", enforcement=cap)
    subject = Host([document("p", SLOW, more=more)], config=config).connect("web-1")
    assert one(subject, "enforcement") == found


def test_a_guest_that_is_not_selected() -> None:
    """Which part does not fit is told, and nothing beyond it."""
    why = explain(host("guests: {name: 'db-*'}\n"))
    assert told(why, "selected") == [
        ("no", "the policy does not select this guest: its name is none of `db-*`")
    ]
    assert why.findings[-1].check == "selected"


def test_a_policy_whose_arm_failed() -> None:
    """QEMU's own word stands behind it."""
    subject = Host([document("p", SLOW, more="arm: [{qmp: set-action, args: {panic: pause}}]\n")])
    subject.guests["web-1"].failing["set-action"] = "no such action"
    subject.connect("web-1")
    mark, text = one(subject, "ready")
    assert (mark, text) == (
        "no",
        "not ready on this guest: set-action: GenericError: no such action",
    )


def test_a_policy_whose_arm_was_not_sent() -> None:
    """The guest never was connected."""
    arm = "arm: [{qmp: set-action, args: {panic: pause}}]\n"
    subject = Host([document("p", SLOW, more=arm)])
    assert one(subject, "ready") == (
        "no",
        "not ready on this guest: its arm was not sent: the monitor is away",
    )


def test_a_policy_that_is_being_armed() -> None:
    """Matches wait for it."""
    subject = Host([document("p", SLOW, more="arm: [{qmp: set-action, args: {panic: pause}}]\n")])
    subject.guests["web-1"].silent.add("set-action")
    subject.connect("web-1")
    happen(subject)
    assert one(subject, "ready") == ("no", "it is being armed; 1 matches wait for that")


def test_a_policy_that_is_armed() -> None:
    """All is well."""
    subject = Host([document("p", SLOW, more="arm: [{qmp: set-action, args: {panic: pause}}]\n")])
    subject.connect("web-1").run(1)
    assert one(subject, "ready") == ("ok", "its arm succeeded on this guest")


def test_a_silence_and_a_hold() -> None:
    """By whom, until when and why."""
    subject = host()
    subject.order(AddSilence(("p",), ("*",), 60.0, "tests"))
    subject.order(HoldGuests("", 120.0, "swap"))
    why = explain(subject)
    assert told(why, "silence") == [
        ("no", "silenced: silence s-1 by anna until 2027-01-15T08:01:00Z: tests")
    ]
    assert told(why, "hold") == [
        ("no", "all guests are held by anna until 2027-01-15T08:02:00Z: swap")
    ]
    assert why.verdict.endswith(told(why, "silence")[0][1])
    subject.run(60)
    assert one(subject, "silence")[0] == "ok"
    subject.run(60)
    assert one(subject, "hold")[0] == "ok"


def test_an_inhibition_by_another_policy() -> None:
    """Which one, by which run, and by which of its globs."""
    subject = Host(
        [
            document("p", SLOW),
            document("q", "[{inhibit: {policies: ['p*'], for: 1m}}]", "{event: STOP_IT}"),
        ]
    ).connect("web-1")
    happen(subject, "STOP_IT")
    mark, text = one(subject, "inhibited")
    run = subject.ended()[0].run
    assert (mark, text) == (
        "no",
        f"inhibited by q (run {run}) until 2027-01-15T08:01:00Z, as one of `p*`",
    )


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        pytest.param(
            "guest.status == 'paused'",
            ("ok", "`guest.status == 'paused'` is false: guest.status is \"running\""),
            id="false",
        ),
        pytest.param(
            "guest.status == 'running'",
            ("no", "inhibited: `guest.status == 'running'` holds"),
            id="true",
        ),
        pytest.param(
            "guest.labels['x'] == 'y'",
            (
                "no",
                "`guest.labels['x'] == 'y'` cannot be evaluated, which counts as true",
            ),
            id="it fails",
        ),
        pytest.param(
            "data.device == 'disk0'",
            ("note", "`data.device == 'disk0'` depends on the event"),
            id="of the event",
        ),
    ],
)
def test_conditions_that_forbid_a_run(condition: str, found: tuple[str, str]) -> None:
    """As far as they can be told before an event is there."""
    mark, text = one(host(f'inhibit_if: "{condition}"\n'), "inhibit_if")
    assert mark == found[0]
    assert text.startswith(found[1])


def test_several_conditions_are_told_apart() -> None:
    """By their place in the list."""
    more = "inhibit_if: [guest.migrating, guest.status == 'paused']\nif: ['true', 'false']\n"
    checks = [finding.check for finding in explain(host(more)).findings]
    assert checks[-5:] == ["inhibit_if/0", "inhibit_if/1", "mode", "if/0", "if/1"]


def test_conditions_of_the_policy() -> None:
    """What is false now may be true when the event has come: it only tells."""
    why = explain(host("if: guest.status == 'paused'\n"))
    text = "`guest.status == 'paused'` is false now: guest.status is \"running\""
    assert told(why, "if") == [("note", f"{text}; it is asked at the start")]
    assert why.verdict == "nothing stands in the way of a match now"
    assert one(host("if: guest.status == 'running'\n"), "if") == (
        "ok",
        "`guest.status == 'running'` holds now",
    )
    for late in ("data.x == 1", "host.free('/') < 5"):
        assert one(host(f'if: "{late}"\n'), "if") == ("note", f"`{late}` depends on the event")


def test_matches_that_wait_for_quiet() -> None:
    """How many, and until when."""
    subject = host("debounce: 10s\n")
    assert one(subject, "debounce") == ("ok", "a run starts 10s after the last match")
    happen(subject)
    happen(subject)
    assert one(subject, "debounce") == (
        "note",
        "2 matches wait for quiet until 2027-01-15T08:00:10Z",
    )


@pytest.mark.parametrize(
    ("mode", "matches", "found"),
    [
        pytest.param("single", 0, ("ok", "no run is open"), id="none is open"),
        pytest.param("single", 1, ("no", "busy: run {first} is open (running)"), id="busy"),
        pytest.param(
            *("restart", 1),
            ("note", "run {first} is open (running): a new run takes its place"),
            id="restart",
        ),
        pytest.param(
            *("queued", 2),
            ("note", "run {first} is open (running); 1 of at most 2 wait"),
            id="room in the queue",
        ),
        pytest.param(
            *("queued", 3),
            ("no", "run {first} is open (running); 2 of at most 2 wait"),
            id="queue full",
        ),
        pytest.param("parallel", 1, ("note", "1 of at most 2 are open"), id="room for another"),
        pytest.param("parallel", 2, ("no", "2 of at most 2 are open"), id="as many as may be"),
    ],
)
def test_runs_that_are_open(mode: str, matches: int, found: tuple[str, str]) -> None:
    """What becomes of a match then is the mode's business."""
    max_ = "" if mode in {"single", "restart"} else "max: 2\n"
    subject = host(f"mode: {mode}\n{max_}")
    for _ in range(matches):
        happen(subject)
    first = next(iter(subject.engine.world.runs), "")
    assert one(subject, "mode") == (found[0], found[1].format(first=first))


def test_a_cooldown() -> None:
    """How much is left, and when it began; free at its very end."""
    subject = host("cooldown: 10m\n", steps="[{log: x}]")
    assert one(subject, "cooldown") == ("ok", "no start is remembered (cooldown 10m)")
    happen(subject)
    subject.run(60)
    assert one(subject, "cooldown") == (
        "no",
        "cooling down: 9m left of 10m; the last run started at 2027-01-15T08:00:00Z",
    )
    subject.run(539.9)
    assert one(subject, "cooldown")[0] == "no"
    subject.run(0.1)
    assert one(subject, "cooldown") == (
        "ok",
        "the last run started at 2027-01-15T08:00:00Z, longer ago than 10m",
    )


def test_limits_and_when_the_next_place_is_free() -> None:
    """One finding for each limit; a limit at once only lets a run wait."""
    subject = host(
        "limits: [1 per 1h per guest, 3 per 1d per host, 1 at once per host]\nmode: parallel\n"
    )
    assert told(explain(subject), "limits") == [
        ("ok", "0 of `1 per 1h per guest` used"),
        ("ok", "0 of `3 per 1d per host` used"),
        ("ok", "0 of `1 at once per host` taken"),
    ]
    happen(subject)
    free = "the next place is free at 2027-01-15T09:00:00Z"
    assert told(explain(subject), "limits") == [
        ("no", f"limited: 1 of `1 per 1h per guest` used; {free}"),
        ("ok", "1 of `3 per 1d per host` used"),
        ("note", "1 of `1 at once per host` taken: a run would wait for its turn"),
    ]


def test_keys_are_told_one_by_one() -> None:
    """Where `by` tells incidents of one guest apart; an unknown key would be free."""
    subject = host("cooldown: 1h\n", "{event: GO, by: data.device}", "[{log: x}]")
    assert told(explain(subject), "mode") == [("ok", "no run is open")]
    happen(subject, device="disk0")
    happen(subject, device="disk1")
    why = explain(subject)
    assert [text.rpartition(" for the key ")[2] for _, text in told(why, "mode")] == [
        "web-1/disk0",
        "web-1/disk1",
    ]
    assert [mark for mark, _ in told(why, "cooldown")] == ["no", "no"]


def test_so_many_keys_are_shown() -> None:
    """A guest with thousands of devices does not fill the screen."""
    subject = host("mode: parallel\n", "{event: GO, by: data.device}", "[{log: x}]")
    for number in range(module.KEYS_SHOWN + 5):
        happen(subject, device=f"disk{number:03}")
    assert len(told(explain(subject), "mode")) == module.KEYS_SHOWN


# ------------------------------------------------------------------- triggers


def test_what_a_trigger_counts() -> None:
    """How many came, and until when the oldest counts."""
    subject = host(trigger="{event: GO, by: data.d, count: 3, within: 10m}")
    assert told(explain(subject), "trigger") == [("note", "it waits for GO, 3 of them within 10m")]
    happen(subject, d="a")
    happen(subject, d="a")
    assert told(explain(subject), "trigger")[1:] == [
        (
            "note",
            "2 of 3 came for the key web-1/a; the oldest counts until 2027-01-15T08:10:00Z",
        )
    ]
    subject.run(600)
    assert len(told(explain(subject), "trigger")) == 1


def test_what_a_trigger_counts_of_others() -> None:
    """The events of another guest are not told."""
    trigger = "{event: GO, count: 3, within: 10m}"
    subject = Host([document("p", SLOW, trigger)], ("web-1", "web-2")).connect()
    happen(subject)
    assert len(told(explain(subject), "trigger")) == 2
    assert len(told(explain(subject, guest="web-2"), "trigger")) == 1


@pytest.mark.parametrize(
    ("word", "promise"),
    [
        pytest.param(
            "followed_by", "the second event must come before 2027-01-15T08:01:00Z", id="followed"
        ),
        pytest.param(
            "not_followed_by",
            "it starts a run at 2027-01-15T08:01:00Z unless the second event comes before",
            id="not followed",
        ),
    ],
)
def test_a_first_event_that_waits_for_its_second(word: str, promise: str) -> None:
    """Since when, and what happens at the end."""
    subject = host(trigger=f"{{event: GO, {word}: {{event: [BACK, HOME], within: 1m}}}}")
    happen(subject)
    spoken = word.replace("_", " ")
    assert told(explain(subject), "trigger") == [
        ("note", f"it waits for GO, {spoken} BACK or HOME within 1m"),
        ("note", f"GO came at 2027-01-15T08:00:00Z; {promise}"),
    ]


def test_a_state_that_lasts() -> None:
    """False, holding since, told already."""
    subject = host(trigger="{state: guest.status == 'paused', for: 1m}")
    assert one(subject, "trigger") == (
        "note",
        "`guest.status == 'paused'` is false now: guest.status is \"running\"",
    )
    subject.guests["web-1"].status = "paused"
    happen(subject, "STOP")
    subject.run(1)
    since = "`guest.status == 'paused'` holds since 2027-01-15T08:00:00Z"
    assert one(subject, "trigger") == ("note", f"{since}; it starts a run at 2027-01-15T08:01:00Z")
    subject.run(120)
    assert one(subject, "trigger")[1] == (
        f"{since}; it has started its run, and starts none until it was false"
    )


def test_a_state_that_nobody_watches_yet() -> None:
    """It holds; since when is known from the connect on."""
    subject = Host([document("p", SLOW, more="", trigger="{state: 'true', for: 1m}")])
    assert one(subject, "trigger") == ("note", "`true` holds")


@pytest.mark.parametrize(
    ("trigger", "text"),
    [
        pytest.param("{schedule: '0 3 * * *'}", "it is due at `0 3 * * *` in UTC", id="cron"),
        pytest.param("{every: 15m}", "it is due every 15m", id="every"),
        pytest.param(
            "{mqtt: request/+/dump, guest: '${topic[3]}'}",
            "it waits for messages on request/+/dump",
            id="mqtt",
        ),
        pytest.param(
            "{event: [GO, STOP], where: data.x == 1}",
            "it waits for GO or STOP where `data.x == 1`",
            id="events",
        ),
    ],
)
def test_what_a_trigger_waits_for(trigger: str, text: str) -> None:
    """In one sentence."""
    assert told(explain(host(trigger=trigger)), "trigger") == [("note", text)]


def test_several_triggers_are_told_apart() -> None:
    """By their place in the list."""
    why = explain(host(trigger="[{event: GO}, {event: STOP}]"))
    assert [f.check for f in why.findings if f.check.startswith("trigger")] == [
        "trigger/0",
        "trigger/1",
    ]


# ----------------------------------------------------------------- it must hold


def twice(subject: Host) -> None:
    """One match more than can run."""
    happen(subject)
    happen(subject)


REFUSING: list[tuple[str, str, Callable[[Host], object]]] = [
    ("busy", "mode: single\n", happen),
    ("cooldown", "cooldown: 1h\nmode: parallel\n", happen),
    ("limit", "limits: [1 per 1h per guest]\nmode: parallel\n", happen),
    ("full", "mode: queued\nmax: 1\n", twice),
    ("silence", "", lambda subject: subject.order(AddSilence(("*",), ("*",), 60.0, "c"))),
    ("hold", "", lambda subject: subject.order(HoldGuests("web-1", None, "c"))),
    ("inhibit_if", "inhibit_if: guest.status == 'running'\n", lambda _: None),
    ("nothing", "", lambda _: None),
    ("restart", "mode: restart\n", happen),
    ("room", "mode: queued\nmax: 5\n", happen),
]


@pytest.mark.parametrize(
    ("more", "prepare"), [pytest.param(more, do, id=name) for name, more, do in REFUSING]
)
def test_the_explanation_says_what_the_engine_does(
    more: str, prepare: Callable[[Host], object]
) -> None:
    """A match that comes right after it is refused exactly when it said so."""
    subject = host(more)
    prepare(subject)
    why = explain(subject)
    before = len(subject.engine.near_misses("p"))
    happen(subject)
    refused = len(subject.engine.near_misses("p")) > before
    assert refused == any(finding.mark is Mark.NO for finding in why.findings)


def test_asking_changes_nothing() -> None:
    """The engine's state is only read: what it would keep is the same before and after."""
    subject = host("limits: [1 per 1h per guest]\ndebounce: 1m\n")
    happen(subject)
    before = subject.engine.snapshot()
    explain(subject)
    explain(subject, "q", "web-9")
    assert subject.engine.snapshot() == before
    assert set(subject.engine.world.states) == {"p"}


def test_the_time_is_that_of_who_asks() -> None:
    """Not that of the last input, which may be long ago."""
    subject = host("cooldown: 10m\n", steps="[{log: x}]")
    happen(subject)
    later = math.nextafter(subject.now + 600, math.inf)
    why = why_now(subject.engine.world, "p", "web-1", later)
    assert told(why, "cooldown")[0][0] == "ok"
    found: list[Finding] = why_now(subject.engine.world, "p", "web-1", START + 1).findings
    assert next(one.mark for one in found if one.check == "cooldown") is Mark.NO


# ---------------------------------------------------------------- commands by hand


def by_hand(*orders: AddSilence | HoldGuests) -> Host:
    """A host that lets `stop` and questions be sent, under these orders."""
    config = EngineConfig(host="h1", commands=frozenset({"stop", "query-*"}))
    made = Host(config=config).connect("web-1")
    for order in orders:
        made.order(order)
    return made


@pytest.mark.parametrize(
    ("command", "orders", "verdict"),
    [
        pytest.param("stop", (), "nothing stands in the way of a match now", id="allowed"),
        pytest.param(
            "cont",
            (),
            "a match now would start no run: the settings' mqtt.commands do not name cont",
            id="not allowed",
        ),
        pytest.param(
            "stop",
            (HoldGuests("web-1"),),
            "a match now would start no run: web-1 is held by anna until it is released",
            id="held",
        ),
        pytest.param(
            "query-status",
            (HoldGuests("web-1"), AddSilence(("*",), ("*",), 60.0)),
            "nothing stands in the way of a match now",
            id="it only looks",
        ),
    ],
)
def test_why_a_command_by_hand_is_not_sent(
    command: str, orders: tuple[AddSilence | HoldGuests, ...], verdict: str
) -> None:
    """Asked like a policy, by its name."""
    why = explain(by_hand(*orders), f"cmd/{command}")
    assert (why.verdict, why.unknown) == (verdict, False)
