"""An operator's orders on their way into the engine, and its replies on their way back."""

import asyncio
import secrets
from collections.abc import Callable

from reactor.core.effect import Reply
from reactor.core.inputs import Operated
from reactor.core.orders import Order
from reactor.errors import ControlError

WAITING_MAX = 1000
"""Orders that may wait for their reply, whoever gave them."""


class Orders:
    """Gives orders to the engine; ``replied`` is told of every reply that is durable.

    Args:
        submit: takes the engine's inputs.
    """

    def __init__(self, submit: Callable[[Operated], None]) -> None:
        self._submit = submit
        self._waiting: dict[str, asyncio.Future[Reply]] = {}

    async def give(self, who: str, order: Order, name: str = "") -> Reply:
        """What became of the order; a caller that gives up before does not take it back.

        Args:
            name: the order's id in the journal; one that no other order ever had.

        Raises:
            ControlError: too many wait already; the order was not given.
        """
        if len(self._waiting) >= WAITING_MAX:
            problem = f"{WAITING_MAX} orders wait for their reply already"
            raise ControlError("orders", problem, "try again in a moment")
        name = name or f"o-{secrets.token_hex(6)}"
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[name] = future
        try:
            self._submit(Operated(name, who, order))
            return await future
        finally:
            del self._waiting[name]

    def replied(self, reply: Reply) -> None:
        """Tell who waits for it, if anybody still does."""
        future = self._waiting.get(reply.id)
        if future is not None and not future.done():
            future.set_result(reply)
