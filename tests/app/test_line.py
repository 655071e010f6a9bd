"""The line before the engine: in order, bounded, fair to every guest."""

from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from reactor.app.line import NAMES, OTHERS, Adoption, Bounds, Line
from reactor.core.event import Event
from reactor.core.inputs import Answered, Fired, Happened, Input, Missed

SMALL = Bounds(line=8, ahead=2, behind=6, guest=4)


def happened(guest: str, number: int, name: str = "PLAIN") -> Happened:
    """An event that its number tells from others."""
    return Happened(Event(name, guest, {"n": number}, 0.0, 0.0))


def line(bounds: Bounds = SMALL) -> Line:
    """A line in which somebody waits for the events that are called WANTED."""
    return Line(lambda event: event.name == "WANTED", bounds)


def numbers(of: Line) -> list[int]:
    """Everything that waits, taken: the numbers of the events."""
    taken = [of.take()[1] for _ in range(len(of))]
    return [cast("int", i.event.data["n"]) for i in taken if isinstance(i, Happened)]


def put(to: Line, guests: str, name: str = "PLAIN", first: int = 0) -> None:
    """An event of each guest in turn, numbered from ``first`` on."""
    for number, guest in enumerate(guests, first):
        to.put(float(number), happened(guest, number, name), guest)


@pytest.mark.parametrize(
    ("guests", "order"),
    [
        pytest.param("abcabc", [0, 1, 2, 3, 4, 5], id="as they came"),
        pytest.param("aab", [0, 1, 2], id="at the bound of one guest"),
        pytest.param("aaab", [0, 1, 3, 2], id="one beyond it stands back"),
        pytest.param("aaaabc", [0, 1, 4, 5, 2, 3], id="and so does the next"),
        pytest.param("aaabbb", [0, 1, 3, 4, 2, 5], id="two that flood share the line"),
    ],
)
def test_the_order(guests: str, order: list[int]) -> None:
    """That of arrival, until a guest has more in the line than it may."""
    full = line()
    put(full, guests, "WANTED")
    assert numbers(full) == order


@pytest.mark.parametrize(
    ("name", "count", "waiting", "dropped", "missed"),
    [
        pytest.param("PLAIN", 4, 4, 0, 0, id="plain, at half of what may stand back"),
        pytest.param("PLAIN", 5, 4, 1, 0, id="plain, beyond it"),
        pytest.param("WANTED", 6, 6, 0, 0, id="wanted, at all that may stand back"),
        pytest.param("WANTED", 7, 6, 1, 1, id="wanted, beyond it"),
    ],
)
def test_the_share_of_a_guest(
    name: str, count: int, waiting: int, dropped: int, missed: int
) -> None:
    """What nobody would miss is dropped first, and nothing of another guest."""
    full = line()
    put(full, "a" * count, name)
    told = min(missed, 1)
    assert (len(full), full.dropped, full.missed) == (waiting + told, dropped, missed)
    put(full, "bb")
    assert (len(full), full.dropped) == (waiting + told + 2, dropped)


@pytest.mark.parametrize(
    ("guests", "name", "dropped"),
    [
        pytest.param("aaaabbb", "PLAIN", 0, id="plain: half of what may stand back"),
        pytest.param("aaaabbbb", "PLAIN", 1, id="plain: one beyond it"),
        pytest.param("aaaaaabbbb", "WANTED", 0, id="wanted: all of it"),
        pytest.param("aaaaaabbbbb", "WANTED", 1, id="wanted: one beyond it"),
        pytest.param("abcd", "PLAIN", 0, id="the line, at its half"),
        pytest.param("abcde", "PLAIN", 1, id="plain, beyond half of the line"),
        pytest.param("abcdefgh", "WANTED", 0, id="wanted, at the line's end"),
        pytest.param("abcdefghi", "WANTED", 1, id="wanted, beyond it"),
    ],
)
def test_what_all_guests_share(guests: str, name: str, dropped: int) -> None:
    """The line, and the room behind it, are bounded for all guests together."""
    full = line()
    put(full, guests, name)
    assert full.dropped == dropped


@pytest.mark.parametrize(
    ("name", "size", "dropped"),
    [
        pytest.param("WANTED", 4000, 0, id="little"),
        pytest.param("WANTED", 6000, 1, id="too much"),
        pytest.param("PLAIN", 2000, 0, id="plain, little"),
        pytest.param("PLAIN", 3000, 1, id="plain, more than half"),
    ],
)
def test_what_they_say_is_bounded_too(name: str, size: int, dropped: int) -> None:
    """A few large events fill memory as many small ones do; what was taken makes room."""
    full = line(Bounds(line=100, ahead=2, behind=100, guest=100, bytes=10_000))
    large = Happened(Event(name, "a", {"n": 0, "text": "x" * size}, 0.0, 0.0))
    for _ in range(3):
        before = full.dropped
        for _ in range(4):
            full.put(0.0, large, "a")
        assert full.dropped - before == dropped
        numbers(full)


@pytest.mark.parametrize(
    ("input_", "refused", "told"),
    [
        pytest.param(happened("a", 0, "WANTED"), 1, "z", id="an event"),
        pytest.param(Fired("p", 0, 0.0), 1, "", id="a firing"),
        pytest.param(Answered("x"), 0, "", id="an answer"),
        pytest.param(Adoption(()), 0, "", id="new policies"),
    ],
)
@pytest.mark.parametrize("guest", ["", "z"])
def test_what_is_never_dropped(
    input_: Input | Adoption, refused: int, told: str, guest: str
) -> None:
    """Only events and firings: everything else comes in answer to what we did."""
    full = line()
    put(full, "abcdefgh", "WANTED")
    full.put(9.0, input_, guest)
    assert (full.dropped, len(full)) == (refused, 9 - refused + (bool(told) and guest == told))


def test_the_answer_of_a_guest_that_floods_is_kept_behind_its_events() -> None:
    """It is taken in where events are dropped, and keeps its place."""
    full = line()
    put(full, "a" * 9, "WANTED")
    full.put(9.0, Answered("x"), "a")
    taken = [full.take()[1] for _ in range(len(full))]
    assert taken[6:] == [Missed("a", {"WANTED": 3}), Answered("x")]
    assert (full.dropped, full.missed) == (3, 3)


def test_what_was_missed_is_told_where_the_first_of_it_would_have_stood() -> None:
    """Once, however much it is; what is dropped behind that is told anew."""
    full = line()
    put(full, "a" * 8, "WANTED")
    assert [type(full.take()[1]) for _ in range(2)] == [Happened] * 2
    put(full, "aaaaaa", "WANTED", 8)
    put(full, "aa", "ELSE", 14)
    taken = [full.take()[1] for _ in range(len(full))]
    assert [i.event.data["n"] if isinstance(i, Happened) else i for i in taken] == [
        *(2, 3, 4, 5),
        Missed("a", {"WANTED": 7}),
        8,
    ]
    put(full, "a" * 7, "WANTED")
    assert full.missed == 8
    assert [full.take()[1] for _ in range(len(full))][-1] == Missed("a", {"WANTED": 1})


def test_the_names_of_what_was_missed_are_bounded() -> None:
    """A QEMU that makes up names fills no memory with them."""
    full = Line(lambda _event: True, SMALL)
    for number in range(6 + NAMES + 7):
        full.put(0.0, happened("a", number, f"E{number}"), "a")
    told = next(i for _ in range(len(full)) if isinstance(i := full.take()[1], Missed))
    assert (len(told.events), told.events[OTHERS]) == (NAMES + 1, 7)


def test_time_never_goes_back() -> None:
    """An input that stood back counts as come when the one before it did."""
    full = line()
    put(full, "aaab")
    assert [full.take()[0] for _ in range(4)] == [0.0, 1.0, 3.0, 3.0]


def test_a_flood_is_told_at_its_beginning_and_its_end() -> None:
    """Each guest's by itself, with the number; a new one is told again."""
    full, other = line(), {"reason": "too many inputs wait", "log_level": "error"}
    with capture_logs() as lines:
        for _ in range(2):
            put(full, "a" * 7 + "bbb")
            full.tell_ends()
            numbers(full)
            full.tell_ends()
    began = [{"event": "events dropped", "guest": g, "waiting": 2} | other for g in "a"]
    over = {"event": "events are taken in again", "log_level": "warning"}
    assert lines == [*began, over | {"guest": "a", "dropped": 3}] * 2


def test_a_flood_of_firings_ends_when_the_line_is_short_again() -> None:
    """They belong to no guest."""
    full = line()
    put(full, "abcdefgh", "WANTED")
    with capture_logs() as lines:
        full.put(9.0, Fired("p", 0, 0.0))
        for _ in range(5):
            full.take()
        full.tell_ends()
        assert len(lines) == 1
        full.take()
        full.tell_ends()
    assert [line["event"] for line in lines] == ["events dropped", "events are taken in again"]
    assert all("guest" not in line for line in lines)


LONG = Bounds(line=40, ahead=10, behind=6, guest=4, long=3, few=2)


@pytest.mark.parametrize(
    ("came", "order"),
    [
        pytest.param("aP bP cQ", "abc", id="a line at its length: as they came"),
        pytest.param("aP bP cP dQ", "dabc", id="a long line: another kind is heard at once"),
        pytest.param("aP bP cP dP", "abcd", id="those in line count: a crowd keeps its order"),
        pytest.param("aP bQ cP dP", "bacd", id="who stands in the crowd is let out of it"),
        pytest.param("aP bP bQ cP dP", "abbcd", id="but nobody who is one of the crowd, too"),
        pytest.param("aP bP cP dQ eQ fQ gQ", "deabcfg", id="few of a kind, and no more"),
        pytest.param("aP bP cP dQ eQ fQ gR", "degabcf", id="and another kind is heard again"),
        pytest.param("aP bP cP aQ", "abca", id="nobody overtakes what is of the same guest"),
        pytest.param("aP bP cP dQ dP dP dP", "ddddabc", id="and all of it stays together"),
        pytest.param(
            "aP bP cP dQ eR fS gT hU", "defgahbc", id="some of the one for one of the other"
        ),
    ],
)
def test_a_crowd_that_says_the_same_does_not_hold_up_others(came: str, order: str) -> None:
    """Each word is a guest and the event's kind; the order is that in which they are handled."""
    full = line(LONG)
    for number, word in enumerate(came.split()):
        full.put(float(number), happened(word[0], number, word[1]), word[0])
    assert "".join(_taken(full)[0] for _ in range(len(full))) == order


def test_answers_do_not_wait_behind_a_crowd() -> None:
    """However many: they end what was begun. What is of no guest stands in the long line."""
    full = line(LONG)
    put(full, "abc")
    for guest in ("x", "y", "z", ""):
        full.put(9.0, Answered(guest), guest)
    taken = [full.take()[1] for _ in range(len(full))]
    assert [i.id for i in taken[:3] if isinstance(i, Answered)] == ["x", "y", "z"]
    assert taken[-1] == Answered("")


def test_who_has_something_else_to_say_does_not_wait_behind_answers() -> None:
    """A storm brings two answers for each of its events: four turns of five, both ways."""
    full = line(LONG)
    put(full, "aaaabc")
    for guest in "hijkl":
        full.put(9.0, Answered(guest), guest)
    for guest, name in zip("pqrst", "QRSTU", strict=True):
        full.put(9.0, happened(guest, 0, name), guest)
    taken = [full.take()[1] for _ in range(len(full))]
    who = [i.id if isinstance(i, Answered) else cast("Happened", i).event.guest for i in taken]
    assert "".join(who) == "pqrshtijkalaaabc"


def test_a_crowd_is_forgotten_when_it_is_over() -> None:
    """The next one is told from others anew."""
    full = line(LONG)
    for _ in range(3):
        put(full, "abcdef")
        put(full, "g", "OTHER")
        assert "".join(_taken(full)[0] for _ in range(len(full))) == "gabcdef"


ACTS = st.lists(
    st.one_of(st.none(), st.tuples(st.sampled_from("abc"), st.sampled_from(["PLAIN", "WANTED"]))),
    max_size=80,
)
"""None takes one input, the others come."""


@given(ACTS, st.sampled_from([SMALL, LONG, Bounds(8, 2, 6, 4, 2, 1)]))
def test_every_guest_keeps_its_order_and_nobody_is_lost_uncounted(
    acts: Sequence[tuple[str, str] | None], bounds: Bounds
) -> None:
    """Whatever comes and goes: what was put is taken once, in the guest's order, or counted."""
    full, came, out = line(bounds), 0, list[tuple[str, int]]()
    for number, act in enumerate(acts):
        if act is not None:
            guest, name = act
            came += 1
            full.put(float(number), happened(guest, number, name), guest)
        elif len(full):
            assert full.ahead
            out.append(_taken(full))
    while len(full):
        out.append(_taken(full))
    assert full.ahead == 0
    told = [count for name, count in out if name == "missed"]
    out = [one for one in out if one[0] != "missed"]
    assert (len(out) + full.dropped, sum(told)) == (came, full.missed)
    for guest in "abc":
        mine = [number for name, number in out if name == guest]
        assert mine == sorted(set(mine))


@given(ACTS)
def test_a_guest_waits_for_a_few_inputs_of_each_other_one(
    acts: Sequence[tuple[str, str] | None],
) -> None:
    """However much the others sent: at most what they may have in the line comes before."""
    full = line()
    for number, act in enumerate(acts):
        if act is not None:
            full.put(float(number), happened(act[0], number, act[1]), act[0])
        elif len(full):
            full.take()
    full.put(100.0, happened("quiet", -1, "WANTED"), "quiet")
    before = 0
    while _taken(full)[0] != "quiet":
        before += 1
    assert before <= 3 * SMALL.ahead


def _taken(full: Line) -> tuple[str, int]:
    input_ = full.take()[1]
    if isinstance(input_, Missed):
        return "missed", sum(input_.events.values())
    assert isinstance(input_, Happened)
    return input_.event.guest, cast("int", input_.event.data["n"])
