"""Marks: identity, renewal, expiry; topics of publish steps, which marks and policies fill."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.effect import MarkCleared, MarkSet
from reactor.core.marks import Mark, MarkBook, MarkKind
from reactor.core.topics import topic_problem
from tests.core.simulation import START, Host, document


def _mark(
    id_: str = "sda",
    word: str = "slow",
    *,
    guest: str = "g",
    at: float = 0.0,
    until: float | None = None,
) -> Mark:
    return Mark(guest, MarkKind.DISK, id_, word, "r", at, "p", "run", until)


def test_the_same_mark_again_is_renewed() -> None:
    """It keeps its since, and has the new reason and expiry."""
    book = MarkBook()
    assert book.set(_mark(at=1.0)) == (_mark(at=1.0), True)
    stands, new = book.set(_mark(at=5.0, until=9.0))
    assert (stands.since, stands.expires, new) == (1.0, 9.0, False)
    assert list(book) == [stands]


def test_marks_are_found_by_guest_kind_id_and_word() -> None:
    """Without a word all of that id."""
    book = MarkBook()
    for mark in (_mark(), _mark(word="bad"), _mark("sdb"), _mark(guest="h")):
        book.set(mark)
    assert [m.word for m in book.find("g", "disk", "sda")] == ["slow", "bad"]
    assert book.find("g", "disk", "sda", "bad") == [_mark(word="bad")]
    assert book.find("g", "port", "sda") == []
    assert book.find("nobody", "disk", "sda") == []
    assert book.of("h") == [_mark(guest="h")]
    book.remove(_mark(guest="h"))
    assert book.of("h") == []
    assert len(list(book)) == 3


def test_marks_expire_at_their_time() -> None:
    """Before it they stand, at it they are gone."""
    book = MarkBook()
    book.set(_mark())
    assert book.next_expiry() is None
    book.set(_mark("sdb", until=10.0))
    book.set(_mark("sdc", until=20.0))
    assert book.next_expiry() == 10.0
    assert book.expired(9.9) == []
    assert [mark.id for mark in book.expired(10.0)] == ["sdb"]
    assert [mark.id for mark in book.expired(20.0)] == ["sdb", "sdc"]


PARTS = st.tuples(st.text("a/%2F", max_size=4), st.text("a/%2F", max_size=4))


@given(one=PARTS, other=PARTS)
def test_two_marks_have_one_key_only_when_they_are_the_same(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    """Whatever slashes and signs a guest puts into a name."""
    assert (_mark(*one).key == _mark(*other).key) == (one == other)


MARKS = document(
    "m",
    "[{mark: {guest: self, as: watched, reason: '${data.?why.orValue(null)}', expires: 1m}}]",
)


def test_a_renewed_mark_expires_a_minute_after_its_renewal() -> None:
    """And a mark without a reason has none."""
    host = Host([MARKS]).connect()
    host.event("web-1", "GO", {}, after=0)
    host.event("web-1", "GO", {"why": "x"}, after=40)
    host.run(90)
    assert [e.mark.reason for e in host.seen(MarkSet) if isinstance(e, MarkSet)] == ["", "x"]
    assert host.seen(MarkCleared) == []
    host.run(11)
    cleared = [(at, e) for at, e in host.effects if isinstance(e, MarkCleared)]
    assert [round(at - START, 1) for at, _ in cleared] == [100.1]


@pytest.mark.parametrize(
    ("mark", "error"),
    [
        pytest.param(
            "{disk: '${data.id}', as: slow, reason: r}",
            "mark: the id is '' and `as` is 'slow'; neither may be empty",
            id="id",
        ),
        pytest.param(
            "{disk: sda, as: '${data.id}', reason: r}",
            "mark: the id is 'sda' and `as` is ''; neither may be empty",
            id="as",
        ),
    ],
)
def test_a_mark_without_a_name_is_no_mark(mark: str, error: str) -> None:
    """Nobody could clear it."""
    host = Host([document("m", f"[{{mark: {mark}}}]")]).connect()
    host.event("web-1", "GO", {"id": ""})
    host.run(1)
    assert [run.error for run in host.ended()] == [error]
    assert host.marks() == []


def test_a_template_that_fails_sets_no_mark() -> None:
    """The step fails before anything is done."""
    host = Host([document("m", "[{mark: {disk: '${data.gone}', as: slow, reason: r}}]")]).connect()
    host.event("web-1", "GO", {})
    host.run(1)
    assert host.outcomes() == ["failed"]
    assert host.marks() == []


def test_conditions_see_marks() -> None:
    """`marked` of the run's guest, and `guest.marks`; `self` needs no name."""
    text = document(
        "c",
        "[{publish: '${string(guest.marks.size())}'}]",
        trigger='{event: SEE, where: \'marked("guest", "self", "watched")\'}',
        more='if: \'marked("guest", "self") && !marked("disk", "sda")\'\n',
    )
    host = Host([MARKS, text]).connect()
    host.event("web-1", "SEE", {}, after=0)
    host.event("web-1", "GO", {}, after=1)
    host.event("web-1", "SEE", {}, after=2)
    host.run(5)
    assert [topic for topic, _ in host.published()] == ["1"]


@pytest.mark.parametrize(
    ("topic", "problem"),
    [
        pytest.param("alert/critical", None, id="fine"),
        pytest.param("", "the topic is empty", id="empty"),
        pytest.param("a/+", "the topic 'a/+' holds a wildcard", id="plus"),
        pytest.param("a/#", "the topic 'a/#' holds a wildcard", id="hash"),
        pytest.param("a\0", "the topic holds a NUL character", id="NUL"),
        pytest.param(
            "$SYS/x", "the topic '$SYS/x' begins with $, which belongs to the broker", id="$"
        ),
        pytest.param("/a", "the topic '/a' begins with a slash", id="slash"),
        pytest.param("a" * 65_535, None, id="as long as may be"),
        pytest.param("a" * 65_536, "the topic is longer than 65,535 bytes", id="too long"),
        pytest.param("ä" * 32_768, "the topic is longer than 65,535 bytes", id="too long in bytes"),
    ],
)
def test_topics_that_a_broker_would_refuse(topic: str, problem: str | None) -> None:
    """With the reason."""
    assert topic_problem(topic) == problem
