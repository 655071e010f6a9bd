"""Orders on their way into the engine, and the replies on their way back."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from reactor.app.control import orders as module
from reactor.app.control.orders import Orders
from reactor.core.effect import Reply
from reactor.core.orders import HoldGuests, ReleaseGuests
from reactor.demo.waiting import until
from reactor.errors import ControlError

if TYPE_CHECKING:
    from reactor.core.inputs import Operated

pytestmark = pytest.mark.asyncio


class Desk:
    """Keeps what is given to the engine."""

    def __init__(self) -> None:
        self.given: list[Operated] = []
        self.orders = Orders(self.given.append)

    async def wait_for(self, count: int) -> None:
        """Return when so many orders were given."""
        await until(f"{count} orders are given", lambda: len(self.given) >= count)


async def test_each_order_gets_its_own_reply() -> None:
    """In whatever order they come back."""
    desk = Desk()
    first = asyncio.create_task(desk.orders.give("anna", HoldGuests()))
    second = asyncio.create_task(desk.orders.give("ben", ReleaseGuests()))
    await desk.wait_for(2)
    assert [given.who for given in desk.given] == ["anna", "ben"]
    assert desk.given[0].id != desk.given[1].id
    for given in reversed(desk.given):
        desk.orders.replied(Reply(given.id, ok=True, text=f"done for {given.who}"))
    assert (await first).text == "done for anna"
    assert (await second).text == "done for ben"


async def test_a_reply_that_nobody_waits_for_is_dropped() -> None:
    """Its caller gave up, or it is of an earlier life; a second one changes nothing."""
    desk = Desk()
    desk.orders.replied(Reply("o-1", ok=True, text="x"))
    order = asyncio.create_task(desk.orders.give("anna", HoldGuests()))
    await desk.wait_for(1)
    name = desk.given[0].id
    order.cancel()
    with pytest.raises(asyncio.CancelledError):
        await order
    desk.orders.replied(Reply(name, ok=True, text="x"))
    again = asyncio.create_task(desk.orders.give("anna", HoldGuests()))
    await desk.wait_for(2)
    for text in ("first", "second"):
        desk.orders.replied(Reply(desk.given[1].id, ok=True, text=text))
    assert (await again).text == "first"


async def test_no_more_orders_wait_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one beyond is not given; when one is answered there is room again."""
    monkeypatch.setattr(module, "WAITING_MAX", 1)
    desk = Desk()
    first = asyncio.create_task(desk.orders.give("anna", HoldGuests()))
    await desk.wait_for(1)
    with pytest.raises(ControlError, match="1 orders wait for their reply already"):
        await desk.orders.give("ben", HoldGuests())
    desk.orders.replied(Reply(desk.given[0].id, ok=True, text="x"))
    await first
    second = asyncio.create_task(desk.orders.give("ben", HoldGuests()))
    await desk.wait_for(2)
    desk.orders.replied(Reply(desk.given[1].id, ok=False, text="no"))
    assert not (await second).ok
