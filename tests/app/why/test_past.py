"""Why then: from a journal alone, what was decided and what an event lacked."""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reactor.adapters.journal import Batch, InputRow, Journal, Loaded, Reader, RunRow
from reactor.app.absences import Absence
from reactor.app.records import input_row, made_row, rulebook_row, stopped_row
from reactor.app.refusals import Refusals
from reactor.app.why import record as record_module
from reactor.app.why.asking import recent, why_at
from reactor.app.why.reasons import Moment, Why
from reactor.core.config import EngineConfig
from reactor.core.effect import Trace
from reactor.core.event import Event
from reactor.core.inputs import (
    Connected,
    Disconnected,
    Facts,
    Fired,
    GuestForgotten,
    GuestKnown,
    Happened,
    Missed,
)
from tests.core.simulation import document, policy

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "journal-v1.db"

AT = 1_800_000_000.0
HOST = {"name": "h1", "labels": {}}

PICKY = document("p", "[{log: x}]", "{event: GO, where: data.x == 1}")


class Book:
    """A journal that is written row by row, at times after ``AT``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.batches: list[Batch] = []

    def loaded(self, text: str, after: float = -600.0) -> "Book":
        """This policy comes into force; an empty text: it goes."""
        revisions = {}
        batch = Batch()
        if text:
            made = policy(text)
            batch.revisions = [(made.revision, made.name, made.source)]
            revisions = {made.name: made.revision}
        batch.loaded = Loaded(AT + after, revisions)
        self.batches.append(batch)
        return self

    def rows(self, *rows: InputRow) -> "Book":
        """Inputs."""
        self.batches.append(Batch(inputs=list(rows)))
        return self

    def known(self, guest: str = "web-1", **labels: str) -> "Book":
        """The guest is named, and connected."""
        return self.rows(
            input_row(AT - 500, GuestKnown(guest, labels)),
            input_row(AT - 400, Connected(guest, "1-1", Facts())),
        )

    def event(self, after: float, name: str = "GO", **members: Any) -> "Book":  # noqa: ANN401
        """An event of web-1."""
        at = AT + after
        event = msgspec.structs.replace(Event(name, "web-1", time=at, received=at), **members)
        return self.rows(input_row(at, Happened(event)))

    def refused(self, after: float, verdict: str, reason: str, **values: object) -> "Book":
        """A match of p that became no run."""
        trace = Trace(AT + after, "p", "web-1", "trigger", verdict, reason, "", values)
        self.batches.append(Batch(traces=[trace]))
        return self

    def ran(self, after: float, run: str = "r-1", **members: Any) -> "Book":  # noqa: ANN401
        """A run of p."""
        at = AT + after
        row = RunRow(run, "p", "web-1", "ended", "succeeded", started=at, ended=at, admitted=at)
        trace = Trace(at, "p", "web-1", "trigger", "admitted", "GO", run)
        self.batches.append(Batch(runs=[msgspec.structs.replace(row, **members)], traces=[trace]))
        return self

    def spoke(self, after: float, run: str = "r-9", **members: Any) -> "Book":  # noqa: ANN401
        """The on_limit of p, as the daemon leaves it: its first trace is its first step's."""
        at = AT + after
        row = RunRow(run, "p", "web-1", "ended", "succeeded", "", at, at, at, b"on_limit")
        trace = Trace(at, "p", "web-1", "on_limit/0", "begun", "publish", run)
        self.batches.append(Batch(runs=[msgspec.structs.replace(row, **members)], traces=[trace]))
        return self

    def asked(self, question: Callable[[Reader], Why]) -> Why:
        """What a reader answers, once all is written."""

        async def write() -> None:
            journal = Journal.open(self.path, now=lambda: AT)
            for batch in self.batches:
                await journal.commit(batch)
            await journal.close()

        asyncio.run(write())
        reader = Reader(self.path)
        try:
            return question(reader)
        finally:
            reader.close()

    def why(self, after: float = 0.0, around: float = 60.0, policy_: str = "p") -> Why:
        """The explanation of a time."""
        return self.asked(
            lambda reader: why_at(reader, policy_, "web-1", at=AT + after, around=around, host=HOST)
        )


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """Nothing is written yet."""
    return Book(tmp_path / "journal.db")


def decided(moments: Sequence[Moment]) -> list[tuple[float, str, bool]]:
    """When, what, and whether it was looked at again."""
    return [(moment.at - AT, moment.verdict, moment.evaluated) for moment in moments]


def told(why: Why, check: str) -> list[tuple[str, str]]:
    """What was found of one thing."""
    return [(one.mark.value, one.text) for one in why.findings if one.check == check]


def test_what_was_recorded_stands(book: Book) -> None:
    """Runs, refusals and the events that left no trace, in order of time."""
    book.loaded(PICKY).known()
    book.event(-10, data={"x": 1}).ran(-10)
    book.event(-5, data={"x": 1}).refused(-5, "limited", "1 per 1h per guest", event="GO")
    book.event(5, data={"x": 2})
    book.event(6, "STOP")
    why = book.why()
    assert decided(why.moments) == [
        (-10.0, "admitted", False),
        (-5.0, "limited", False),
        (5.0, "`where` is false", True),
    ]
    assert [moment.data for moment in why.moments] == [{"x": 1}, {"x": 1}, {"x": 2}]
    assert why.moments[2].reason == "`data.x == 1`: data.x is 2"
    assert why.moments[2].values == {"data.x": 2}
    assert (why.moments[0].run, why.moments[0].outcome) == ("r-1", "succeeded")
    assert why.verdict == (
        "it ran: run r-1 succeeded; not on GO at 2027-01-15T07:59:55Z: limited: 1 per 1h per guest"
    )
    assert [run.run for run in why.runs] == ["r-1"]
    assert (why.online, why.at, why.begin, why.end) == (False, AT, AT - 60, AT + 60)


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        pytest.param(
            lambda book: book.event(1, data={"x": 2}),
            "it did not run on GO: `where` is false: `data.x == 1`: data.x is 2",
            id="the event did not fit",
        ),
        pytest.param(
            lambda book: book.event(1, data={}),
            "it did not run on GO: `where` is false: `data.x == 1`: data has no member 'x'",
            id="a member was absent",
        ),
        pytest.param(
            lambda book: book.event(1, data={"x": 1}).refused(1, "silenced", "s-1", event="GO"),
            "it did not run on GO: silenced: s-1",
            id="it was refused",
        ),
        pytest.param(
            lambda book: (
                book.event(-9, data={"x": 1})
                .refused(-9, "limited", "far", event="GO")
                .event(2, data={"x": 1})
                .refused(2, "limited", "near", event="GO")
            ),
            "it did not run on GO: limited: near",
            id="of two refusals the nearest",
        ),
        pytest.param(
            lambda book: book.event(1, "STOP"),
            "it did not run: nothing came that its trigger waits for",
            id="other events only",
        ),
        pytest.param(
            lambda book: book.event(99),
            "it did not run: no event of this guest came in that time",
            id="too late",
        ),
        pytest.param(
            lambda book: book.ran(1, ended=None, outcome="", state="running").event(1),
            "it ran: run r-1 running",
            id="it still runs",
        ),
        pytest.param(
            lambda book: book.ran(-9).ran(3, "r-2", outcome="failed", error="no room").event(3),
            "it ran: run r-2 failed: no room",
            id="of two runs the nearest",
        ),
        pytest.param(
            lambda book: book.event(1).refused(1, "limited", "3 per 1h", event="GO").spoke(1),
            "it did not run on GO: limited: 3 per 1h",
            id="a limit refused it, and on_limit spoke",
        ),
        pytest.param(
            lambda book: book.ran(-9).refused(2, "limited", "3 per 1h", event="GO").spoke(2),
            "it ran: run r-1 succeeded; not on GO at 2027-01-15T08:00:02Z: limited: 3 per 1h",
            id="a run, and nearer a refusal",
        ),
        pytest.param(
            lambda book: book.ran(2).refused(-2, "limited", "3 per 1h", event="GO"),
            "it ran: run r-1 succeeded",
            id="a refusal as near as the run",
        ),
        pytest.param(
            lambda book: book.ran(1, outcome="would run"),
            "it would have run (audit): run r-1",
            id="audit",
        ),
        pytest.param(
            lambda book: book.ran(1, started=None, outcome="cancelled", error="refused by anna"),
            "it was admitted, and did not start: run r-1 cancelled: refused by anna",
            id="an operator said no",
        ),
    ],
)
def test_the_first_sentence(book: Book, write: Callable[[Book], object], sentence: str) -> None:
    """Whoever reads nothing else knows enough."""
    book.loaded(PICKY).known()
    write(book)
    assert book.why().verdict == sentence


AWAY = "reactor did not run from 2027-01-15T07:59:40Z to 2027-01-15T08:00:20Z: it was stopped"


@pytest.mark.parametrize(
    ("at", "around", "absence", "guest", "verdict"),
    [
        pytest.param(
            *(0, 60, [("no", AWAY)]),
            ("note", "its monitor was connected at 2027-01-15T08:00:21Z"),
            f"it did not run: {AWAY}",
            id="in the middle of it",
        ),
        pytest.param(
            *(0, 5, [("no", AWAY)]),
            (
                "note",
                "its monitor was connected since 2027-01-15T07:53:20Z, until reactor ended",
            ),
            f"it did not run: {AWAY}",
            id="so near that nothing of it is seen",
        ),
        pytest.param(
            *(-40, 30, [("note", AWAY)]),
            ("ok", "its monitor was connected since 2027-01-15T07:53:20Z"),
            "it did not run: no event of this guest came in that time",
            id="before it",
        ),
        pytest.param(
            *(60, 20, []),
            ("ok", "its monitor was connected since 2027-01-15T08:00:21Z"),
            "it did not run: no event of this guest came in that time",
            id="long over",
        ),
    ],
)
def test_a_time_without_reactor(  # noqa: PLR0917 - one column each
    book: Book,
    at: float,
    around: float,
    absence: list[tuple[str, str]],
    guest: tuple[str, str],
    verdict: str,
) -> None:
    """Nobody saw what came then; that a monitor was connected before says nothing of it."""
    book.loaded(PICKY).known().rows(
        stopped_row(AT - 20),
        rulebook_row(AT + 20, [], EngineConfig(), starts=True),
        input_row(AT + 21, Connected("web-1", "1-1", Facts())),
    )
    why = book.why(at, around)
    assert told(why, "daemon") == absence
    assert told(why, "guest") == [guest]
    assert why.verdict == verdict


@pytest.mark.parametrize(
    ("since", "found"),
    [
        pytest.param(0.0, ["no"], id="it does not run since then"),
        pytest.param(10.0, ["note"], id="it ran at that time"),
        pytest.param(99.0, [], id="it ran all the time"),
    ],
)
def test_no_reactor_runs_now(book: Book, since: float, found: list[str]) -> None:
    """Asked without a daemon: from its end on nobody watches."""
    down = Absence(AT + since, None, stopped=False)
    why = (
        book.loaded(PICKY)
        .known()
        .asked(lambda reader: why_at(reader, "p", "web-1", at=AT, around=60, host=HOST, down=down))
    )
    assert [mark for mark, _ in told(why, "daemon")] == found


def test_a_monitor_that_went_later_was_there(book: Book) -> None:
    """What was said of it behind the time that is asked about only tells something."""
    lost = input_row(AT + 9, Disconnected("web-1", "QEMU closed the monitor"))
    why = book.loaded(PICKY).known().rows(lost).why()
    assert told(why, "guest") == [
        ("note", "its monitor was away since 2027-01-15T08:00:09Z: QEMU closed the monitor")
    ]


def test_an_on_limit_stands_beside_what_the_limit_refused(book: Book) -> None:
    """It is no event and no run of a match; in the list of runs it says what it is."""
    book.loaded(PICKY).known().event(1, data={"x": 1})
    book.refused(1, "limited", "3 per 1h", event="GO").spoke(1)
    book.refused(2, "limited", "3 per 1h", event="GO").refused(3, "silenced", "s", event="GO")
    why = book.why()
    assert [(m.event, m.verdict, m.run, m.on_limit, m.outcome) for m in why.moments] == [
        ("GO", "limited", "", "r-9", "succeeded"),
        ("GO", "limited", "", "", ""),
        ("GO", "silenced", "", "", ""),
    ]
    assert [(run.run, run.stands) for run in why.runs] == [("r-9", "on_limit: succeeded")]


@pytest.mark.parametrize(
    ("trigger", "event", "verdict", "reason"),
    [
        pytest.param(
            "{event: GO}",
            {"own": True},
            "the event is an effect of reactor's own command",
            "GO",
            id="own",
        ),
        pytest.param("{event: GO, own: true}", {"own": True}, "it fits", "", id="own, wanted"),
        pytest.param(
            "{event: GO, synthetic: false}",
            {"synthetic": True},
            "the event is synthetic",
            "GO",
            id="synthetic",
        ),
        pytest.param("{event: GO}", {"synthetic": True}, "it fits", "", id="synthetic, taken"),
        pytest.param(
            "{event: 'REACTOR_*'}",
            {"name": "REACTOR_RUN_FAILED", "data": {"policy": "p"}},
            "the event is an effect of reactor's own command",
            "a policy never sees the REACTOR_RUN_* of its runs",
            id="of a run of its own",
        ),
        pytest.param(
            "{event: GO, where: guest.status == 'paused'}",
            {},
            "it cannot be told",
            "`guest.status == 'paused'` reads guest.status, which is not kept",
            id="the status of then",
        ),
        pytest.param(
            '{event: GO, where: \'marked("disk", "a")\'}',
            {},
            "it cannot be told",
            '`marked("disk", "a")` reads marks, which is not kept',
            id="the marks of then",
        ),
        pytest.param(
            "{event: GO, where: guest.labels.tier == 'web'}",
            {},
            "`where` is false",
            "`guest.labels.tier == 'web'`: guest.labels.tier is \"db\"",
            id="labels are known",
        ),
        pytest.param(
            "{event: GO, where: event.received > timestamp('2026-01-01T00:00:00Z')}",
            {},
            "it fits",
            "",
            id="times are known",
        ),
        pytest.param(
            "{event: GO, followed_by: {event: BACK, within: 1m}}",
            {},
            "it fits",
            "the trigger wants it followed by BACK",
            id="a first event",
        ),
        pytest.param(
            "{event: GO, not_followed_by: {event: BACK, within: 1m}}",
            {},
            "it fits",
            "the trigger wants it not followed by BACK",
            id="a first event, and silence",
        ),
        pytest.param(
            "[{event: GO, where: data.x == 1}, {event: GO}]",
            {},
            "it fits",
            "",
            id="one of two triggers",
        ),
        pytest.param(
            "[{event: GO, where: data.x == 1}, {every: 1h}]",
            {},
            "`where` is false",
            "`data.x == 1`: data has no member 'x'",
            id="other kinds of triggers see no events",
        ),
        pytest.param(
            "{event: DEVICE_UNPLUG_GUEST_ERROR}",
            {"name": "MEM_UNPLUG_ERROR", "data": {"device": "d", "msg": ""}},
            "it fits",
            "",
            id="by its other name",
        ),
    ],
)
def test_an_event_is_looked_at_again(
    book: Book, trigger: str, event: dict[str, Any], verdict: str, reason: str
) -> None:
    """With what is kept of it; what is not kept is not guessed."""
    book.loaded(document("p", "[{log: x}]", trigger)).known(tier="db")
    name = event.pop("name", "GO")
    (moment,) = book.event(1, name, **event).why().moments
    assert (moment.verdict, moment.reason, moment.evaluated) == (verdict, reason, True)
    assert moment.event == name


def test_what_a_trigger_counted(book: Book) -> None:
    """Which of how many an event was, of those that fit and were recorded."""
    trigger = "{event: GO, where: data.x == 1, count: 3, within: 1m}"
    book.loaded(document("p", "[{log: x}]", trigger)).known()
    book.event(-55, data={"x": 1}).event(1, data={"x": 2}).event(2, data={"x": 1})
    book.event(3, data={"x": 1}, own=True).event(8, data={"x": 1})
    why = book.why()
    fitting = [moment for moment in why.moments if moment.verdict == "it fits"]
    numbers = [moment.reason.partition(": it was the ")[2][:1] for moment in fitting]
    assert numbers == ["1", "2", "2"]
    assert fitting[0].reason.startswith("the trigger wants 3 within 1m")


def test_events_of_reactors_own_are_found_by_their_time(book: Book) -> None:
    """They are handled when they are made, and journaled a moment later."""
    trigger = "{event: REACTOR_MARK_SET}"
    book.loaded(document("p", "[{log: x}]", trigger)).known()
    made = Event("REACTOR_MARK_SET", "web-1", {"id": "d"}, AT + 1, AT + 1)
    book.rows(made_row(AT + 1.002, made)).refused(1, "limited", "x", event="REACTOR_MARK_SET")
    (moment,) = book.why().moments
    assert (moment.verdict, moment.data, moment.evaluated) == ("limited", {"id": "d"}, False)


def test_a_refusal_without_its_event(book: Book) -> None:
    """Such as one that waited for quiet: it stands by itself."""
    book.loaded(PICKY).known()
    (moment,) = book.refused(1, "limited", "x", event="GO", seen=1).why().moments
    assert (moment.event, moment.verdict, moment.data) == ("GO", "limited", {})
    assert moment.values == {"seen": 1}


# ------------------------------------------------------------------ the policy


def test_the_revision_that_was_in_force_is_used(book: Book) -> None:
    """Not today's; the output names it and says since when."""
    newer = document("p", "[{log: x}]", "{event: GO, where: data.x == 2}")
    book.loaded(PICKY, -600).known().event(1, data={"x": 2}).loaded(newer, 30)
    why = book.why()
    assert why.revision == policy(PICKY).revision
    assert why.in_force == AT - 600
    assert told(why, "policy") == [
        ("ok", f"revision {policy(PICKY).revision[:12]}, in force since 2027-01-15T07:50:00Z"),
        ("note", f"from 2027-01-15T08:00:30Z on: revision {policy(newer).revision[:12]}"),
    ]
    assert why.moments[0].verdict == "`where` is false"
    later = book.why(40)
    assert (later.revision, later.moments[0].revision) == (policy(newer).revision, why.revision)
    assert later.moments[0].verdict == "`where` is false"


def test_a_policy_that_came_into_force_just_then(book: Book) -> None:
    """The first one behind the time that is asked about, though it was changed again."""
    newer = document("p", "[{log: x}]", "{event: GO, where: data.x == 2}")
    book.known().loaded(PICKY, 10).event(20, data={"x": 2}).loaded(newer, 30)
    why = book.why()
    first = policy(PICKY).revision
    assert (why.in_force, why.revision) == (AT + 10, first)
    assert told(why, "policy") == [
        ("no", f"it was not loaded before 2027-01-15T08:00:10Z: then revision {first[:12]}"),
        ("note", f"from 2027-01-15T08:00:30Z on: revision {policy(newer).revision[:12]}"),
    ]


def test_each_event_is_looked_at_with_the_revision_of_its_time(book: Book) -> None:
    """Before, between and behind; the moment it came into force belongs to the new one."""
    newer = document("p", "[{log: x}]", "{event: GO, where: data.x == 2}")
    book.known().event(5, data={"x": 2}).loaded(PICKY, 10)
    book.event(20, data={"x": 2}).loaded(newer, 30).event(30, data={"x": 2})
    book.event(35, "STOP").loaded("", 40).event(50, data={"x": 2})
    why = book.why()
    assert [(m.at - AT, m.verdict) for m in why.moments] == [
        (5.0, "the policy was not loaded then"),
        (20.0, "`where` is false"),
        (30.0, "it fits"),
        (50.0, "the policy was not loaded then"),
    ]
    revisions = [policy(text).revision for text in (PICKY, newer)]
    assert [moment.revision for moment in why.moments] == ["", *revisions, ""]
    assert told(why, "policy")[-1] == ("note", "from 2027-01-15T08:00:40Z on: it was gone")


def test_a_text_that_is_lost(book: Book) -> None:
    """The newest one that is known is used, and the output says so."""
    book.loaded(PICKY).known().event(1, data={"x": 2})
    book.batches[0].loaded = Loaded(AT - 600, {"p": "lost"})
    why = book.why()
    assert why.in_force is None
    assert why.moments[0].verdict == "`where` is false"


def test_a_policy_that_was_not_loaded(book: Book) -> None:
    """It had gone before."""
    why = book.loaded(PICKY).loaded("", -300).known().event(1, data={"x": 1}).why()
    assert told(why, "policy") == [("no", "it was not loaded: it went at 2027-01-15T07:55:00Z")]
    assert why.verdict == ("it did not run: it was not loaded: it went at 2027-01-15T07:55:00Z")
    assert why.moments == []


def test_a_policy_that_nobody_knows(book: Book) -> None:
    """The journal never saw it."""
    why = book.loaded(PICKY).known().event(1).why(policy_="q")
    assert why.verdict == "it did not run: the journal knows no policy 'q'"


def test_a_policy_that_this_version_refuses(book: Book) -> None:
    """What was recorded is told all the same."""
    book.batches.append(Batch(revisions=[("r", "p", "policy: p\n")], loaded=Loaded(AT, {"p": "r"})))
    book.known().event(1, data={"x": 2}).refused(2, "limited", "x", event="GO")
    why = book.why(1)
    refused = "its text of then (revision r) is refused by this version of reactor"
    assert told(why, "policy") == [("note", f"{refused}: events cannot be looked at again")]
    assert decided(why.moments) == [(2.0, "limited", False)]


def test_a_loaded_policy_need_not_be_built_again(book: Book) -> None:
    """The daemon has it."""
    made = policy(PICKY)
    book.loaded(PICKY).known().event(1, data={"x": 2})
    why = book.asked(
        lambda reader: why_at(reader, "p", "web-1", at=AT, around=9.0, host=HOST, loaded=[made])
    )
    assert why.moments[0].verdict == "`where` is false"


# ------------------------------------------------------------------- the guest


def test_a_guest_that_nobody_knows(book: Book) -> None:
    """Or of which nothing is kept from that time."""
    why = book.loaded(PICKY).known("web-2").why()
    assert (
        why.verdict
        == "it did not run: the journal holds nothing about a guest 'web-1' at that time"
    )


def test_a_monitor_that_was_away(book: Book) -> None:
    """Since when and why; that stood in the way."""
    book.loaded(PICKY).known()
    book.rows(input_row(AT - 30, Disconnected("web-1", "QEMU ended")))
    why = book.why()
    assert told(why, "guest") == [
        ("no", "its monitor was away since 2027-01-15T07:59:30Z: QEMU ended")
    ]
    assert why.verdict.endswith("QEMU ended")


def test_a_guest_that_was_not_selected(book: Book) -> None:
    """By the labels that it was known with then."""
    text = document("p", "[{log: x}]", "{event: GO}", "guests: {labels: {tier: web}}\n")
    why = book.loaded(text).known(tier="db").event(1).why()
    assert told(why, "selected") == [
        ("no", "the policy does not select this guest: its label `tier` is 'db', not `web`")
    ]


def test_labels_that_are_not_known(book: Book) -> None:
    """Nothing is said about the selection then."""
    book.loaded(PICKY).rows(input_row(AT - 9, GuestForgotten("web-1")))
    why = book.event(1, data={"x": 2}).why()
    assert told(why, "selected") == []
    assert why.moments[0].verdict == "`where` is false"


def test_a_condition_on_labels_that_are_not_known(book: Book) -> None:
    """It is not guessed at."""
    trigger = "{event: GO, where: guest.labels.tier == 'web'}"
    (moment,) = book.loaded(document("p", "[{log: x}]", trigger)).event(1).why().moments
    assert moment.verdict == "it cannot be told"
    assert "reads guest.labels.tier, which is not kept" in moment.reason


def test_the_other_events_of_that_time(book: Book) -> None:
    """The most frequent first."""
    why = book.loaded(PICKY).known().event(1, "STOP").event(2, "RTC").event(3, "RTC").why()
    assert told(why, "events") == [("note", "events of that time: RTC 2x, STOP 1x")]
    assert told(why, "trigger") == [("note", "it waits for GO")]


@pytest.mark.parametrize(
    ("name", "mark"),
    [pytest.param("GO", "no", id="its own"), pytest.param("STOP", "note", id="others")],
)
def test_events_that_were_dropped(book: Book, name: str, mark: str) -> None:
    """How many, and when the guest was asked; those of its trigger stood in the way."""
    book.loaded(PICKY).known()
    book.rows(input_row(AT - 9, Missed("web-1", {name: 3, "RTC": 4})))
    why = book.why()
    text = f"too many inputs waited, events were dropped: RTC 4x, {name} 3x; "
    text += "the guest was asked how it stands at 2027-01-15T07:59:51Z"
    assert told(why, "events")[0] == (mark, text)
    assert why.verdict.startswith("it did not run: too many inputs") is (mark == "no")


def test_a_row_that_another_version_wrote(book: Book) -> None:
    """It is left out."""
    row = InputRow(AT - 9, "web-1", "missed", "", b"{}")
    why = book.loaded(PICKY).known().rows(row).why()
    assert told(why, "events") == [("no", "no event of this guest came in that time")]


def test_when_a_schedule_was_due(book: Book) -> None:
    """A firing is in the journal, whatever came of it."""
    book.loaded(document("p", "[{log: x}]", "{every: 1h}")).known()
    book.rows(input_row(AT + 1, Fired("p", 0, AT)), input_row(AT + 2, Fired("q", 0, AT)))
    assert told(book.why(), "trigger") == [("note", "its schedule was due at 2027-01-15T08:00:01Z")]


def test_a_row_of_another_version_is_left_out(book: Book) -> None:
    """What cannot be read is no event."""
    book.loaded(PICKY).known()
    book.rows(
        InputRow(AT + 1, "web-1", "event", "GO", b"?"),
        InputRow(AT + 2, "web-1", "disconnected", "", b"?"),
    )
    assert book.why().moments == []


@pytest.mark.parametrize("after", [-20.0, 0.0, 20.0])
def test_a_storm_is_cut_to_what_is_near(
    book: Book, monkeypatch: pytest.MonkeyPatch, after: float
) -> None:
    """And the output says so."""
    monkeypatch.setattr(record_module, "EVENTS_MAX", 6)
    monkeypatch.setattr(record_module, "_PAGE", 4)
    book.loaded(PICKY).known()
    for number in range(-30, 30):
        book.event(number, data={"x": number + 100})
    why = book.why(after + 0.5)
    assert [moment.at - AT for moment in why.moments] == [after + n for n in range(-2, 4)]
    assert told(why, "events") == [("note", "events of that time: GO 6x, the nearest of more")]


def test_a_long_history_is_not_read_to_its_beginning(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The labels that lie too far back are not known."""
    monkeypatch.setattr(record_module, "BACK_MAX", 5)
    book.loaded(PICKY).known(tier="db")
    for number in range(10):
        book.event(number, "STOP")
    why = book.why(9)
    assert told(why, "selected") == []
    assert told(why, "events") == [("note", "events of that time: STOP 6x, the nearest of more")]


def test_a_journal_of_version_1_is_explained(tmp_path: Path) -> None:
    """As far as it goes: which revision was in force it does not know."""
    path = tmp_path / "journal.db"
    shutil.copy(GOLDEN, path)
    reader = Reader(path)
    at = next(row.at for row in reader.history(0, 100) if row.name == "WATCHDOG")
    why = why_at(reader, "limited", "web-1", at=at, around=60.0, host=HOST)
    reader.close()
    assert [(moment.verdict, bool(moment.run)) for moment in why.moments] == [
        ("admitted", True),
        ("limited", False),
    ]
    assert told(why, "policy")[0][1].startswith("which revision was in force at ")


# --------------------------------------------------------------------- recently


def test_what_was_refused_stands_in_the_explanation(book: Book) -> None:
    """That of the time about the policy or the guest; of a command by hand, which is no policy."""
    book.known().ran(1.0, "r-1", policy="cmd/stop")
    rows: list[InputRow] = []
    for after, policy_, guest in (
        (-90.0, "", "web-1"),
        (5.0, "", "web-1"),
        (6.0, "cmd/stop", "web-2"),
        (7.0, "cmd/stop", ""),
    ):
        at = AT + after
        Refusals(rows.extend, lambda at=at: at).note(  # type: ignore[misc]
            "w", f"at {after:g}", "no", about=(policy_, guest)
        )
    book.rows(*rows)
    why = book.why(policy_="cmd/stop")
    assert [one.what for one in why.refused] == ["at 5", "at 7"]
    assert [run.run for run in why.runs] == ["r-1"]
    assert (why.unknown, why.findings[0].text) == (
        False,
        "a command that is sent by hand, and no policy",
    )


def test_near_misses_stand_beside_what_is_in_the_journal(book: Book) -> None:
    """Each once, by what was recorded; those of other guests not at all."""
    book.loaded(PICKY).known()
    book.event(-9, data={"x": 2}).event(-8, data={"x": 1}).refused(-8, "limited", "l", event="GO")
    near = [
        Trace(AT - 9, "p", "web-1", "trigger", "`where` is false", "then", "", {"event": "GO"}),
        Trace(AT - 8, "p", "web-1", "trigger", "limited", "l", "", {"event": "GO"}),
        Trace(AT - 7, "p", "web-2", "trigger", "limited", "l", "", {"event": "GO"}),
    ]
    asked = Why("p", "web-1", "nothing stands in the way")
    made = policy(PICKY)
    why = book.asked(
        lambda reader: recent(reader, asked, policy=made, near=near, now=AT, labels={}, host=HOST)
    )
    assert decided(why.moments) == [(-9.0, "`where` is false", False), (-8.0, "limited", False)]
    assert (why.moments[0].reason, why.moments[0].data) == ("then", {"x": 2})
    assert (why.verdict, why.end) == (asked.verdict, AT)


def test_the_latest_ten_of_each(book: Book) -> None:
    """Runs of any age, moments of the last day."""
    book.loaded(PICKY).known()
    for number in range(12):
        book.event(number - 50, data={"x": 2}).ran(-90_000 + number, f"r-{number}")
    why = book.asked(
        lambda reader: recent(
            *(reader, Why("p", "web-1", "")),
            policy=policy(PICKY),
            near=[],
            now=AT,
            labels={},
            host=HOST,
        )
    )
    assert [moment.at - AT for moment in why.moments] == [n - 50 for n in range(2, 12)]
    assert [run.run for run in why.runs] == [f"r-{n}" for n in range(2, 12)]
