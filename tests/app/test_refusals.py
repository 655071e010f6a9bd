"""What was refused is kept, enough of it and never a flood, and found again."""

import msgspec
import pytest

from reactor.adapters.journal import REFUSED, HistoryRow, InputRow
from reactor.app.refusals import (
    AT_ONCE,
    ONE_IN_S,
    REASONS_MAX,
    Refusals,
    Refused,
    about_order,
    refused_of,
)
from reactor.app.requests.routes import about
from reactor.core.message_telling import TEXT_MAX
from reactor.core.orders import HoldGuests, Order, RunCommand, StartRun
from tests.docs.pages import page


class Book:
    """Refusals, and a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.rows: list[InputRow] = []
        self.refusals = Refusals(self.rows.extend, lambda: self.now)

    def note(self, why: str = "w", times: int = 1) -> None:
        """So many for one reason."""
        for _ in range(times):
            self.refusals.note(why, "set/hold", "no", about=("p", "web-1"))

    @property
    def kept(self) -> list[Refused]:
        """All that is in the journal."""
        return [msgspec.json.decode(row.body, type=Refused) for row in self.rows]


def test_a_refusal_is_a_row_of_the_history() -> None:
    """With all that is known of it, under the guest's name; texts are cut."""
    book = Book()
    book.refusals.note(
        "w", "cmd/web-1/stop", "x" * 300, fix="f", who="anna", about=("cmd/stop", "web-1")
    )
    (row,) = book.rows
    assert (row.at, row.guest, row.kind, row.name) == (1000.0, "web-1", REFUSED, "cmd/web-1/stop")
    found = refused_of(HistoryRow(1, row.at, row.guest, row.kind, row.name, row.body))
    cut = "x" * (TEXT_MAX - 1) + "…"
    assert found == Refused(1000.0, "cmd/web-1/stop", cut, "f", "anna", "web-1", "cmd/stop")
    assert refused_of(HistoryRow(1, 0.0, "", REFUSED, "", b"{}")) is None


@pytest.mark.parametrize(
    ("times", "kept"),
    [(AT_ONCE - 1, AT_ONCE - 1), (AT_ONCE, AT_ONCE), (AT_ONCE + 1, AT_ONCE)],
)
def test_so_many_are_kept_at_once(times: int, kept: int) -> None:
    """Of one reason; those of another are kept all the same."""
    book = Book()
    book.note(times=times)
    assert len(book.rows) == kept
    book.note("another")
    assert len(book.rows) == kept + 1


@pytest.mark.parametrize(
    ("later", "more"), [(ONE_IN_S - 0.1, None), (ONE_IN_S, 3), (ONE_IN_S + 0.1, 3)]
)
def test_then_one_in_a_while_with_the_number_of_the_others(later: float, more: int | None) -> None:
    """Those that were not kept since."""
    book = Book()
    book.note(times=AT_ONCE + 3)
    book.now += later
    book.note()
    assert [one.more for one in book.kept[AT_ONCE:]] == ([] if more is None else [more])
    assert {one.more for one in book.kept[:AT_ONCE]} == {0}


def test_the_page_says_how_many_are_kept() -> None:
    """Whoever changes it finds the page."""
    text = page("docs/how-to/find-out-why.md").replace("\n", " ")
    assert f"{AT_ONCE} are kept at once and then one in {ONE_IN_S:g} s" in text


def test_reasons_are_bounded() -> None:
    """The one that was used longest ago is forgotten: it begins anew."""
    book = Book()
    book.note("first", AT_ONCE + 1)
    for number in range(REASONS_MAX):
        book.note(f"w{number}")
    before = len(book.rows)
    book.note("first")
    assert len(book.rows) == before + 1
    assert book.kept[-1].more == 0


@pytest.mark.parametrize(
    ("policy", "guest", "concerns"),
    [
        pytest.param("p", "web-1", True, id="both"),
        pytest.param("p", "", True, id="the policy, on whatever guest"),
        pytest.param("", "web-1", True, id="the guest"),
        pytest.param("q", "web-1", False, id="another policy on it"),
        pytest.param("p", "web-2", False, id="the policy on another guest"),
        pytest.param("", "", False, id="nobody"),
    ],
)
def test_whom_a_refusal_concerns(policy: str, guest: str, concerns: bool) -> None:
    """For who asks about policy `p` on guest `web-1`."""
    one = Refused(0.0, "w", "r", guest=guest, policy=policy)
    assert one.concerns("p", "web-1") is concerns


@pytest.mark.parametrize(
    ("topic", "named"),
    [
        pytest.param("cmd/web-1/stop", ("cmd/stop", "web-1"), id="a command"),
        pytest.param("set/trigger/p/web-1", ("p", "web-1"), id="an order to start"),
        pytest.param("trigger/p/web-1", ("p", "web-1"), id="a policy by its name"),
        pytest.param("set/hold/web-1", ("", "web-1"), id="a hold"),
        pytest.param("set/mark/web-1/disk/d/bad", ("", "web-1"), id="a mark"),
        pytest.param("set/policy/p", ("p", ""), id="a policy"),
        pytest.param("ask/why/p/web-1", ("p", "web-1"), id="a question"),
        pytest.param("approve/k-1", ("", ""), id="a run"),
        pytest.param("cmd/web-1", ("", ""), id="no topic of a request"),
    ],
)
def test_whom_a_topic_names(topic: str, named: tuple[str, str]) -> None:
    """The policy, and the guest."""
    assert about(topic) == named


@pytest.mark.parametrize(
    ("order", "named"),
    [
        pytest.param(RunCommand("web-1", "stop"), ("cmd/stop", "web-1"), id="a command"),
        pytest.param(StartRun("p", "web-1"), ("p", "web-1"), id="a run"),
        pytest.param(HoldGuests(), ("", ""), id="all guests"),
    ],
)
def test_whom_an_order_names(order: Order, named: tuple[str, str]) -> None:
    """The same, of one that came by the control socket."""
    assert about_order(msgspec.to_builtins(order)) == named
