"""The control socket in the daemon: from its start to its end, and what the log says of it."""

import asyncio
import time

import structlog

from reactor.adapters.control import Answer, ControlServer, InUseError
from reactor.app.control.asks import Ask
from reactor.app.control.desk import Desk
from reactor.app.control.orders import Orders
from reactor.app.control.vitals import Parts
from reactor.errors import ControlError

RETRY_S = 10.0
"""Seconds between two tries to make a socket that cannot be made."""

TOLD_AGAIN_S = 60.0
"""Seconds in which it is told once that somebody asked who may not."""

WHO_KEPT = 1000

log = structlog.get_logger("reactor")


class Control:
    """Lets operators ask, from ``start`` on."""

    def __init__(self, parts: Parts, orders: Orders) -> None:
        settings = parts.settings
        self._desk = Desk(parts, orders)
        self._told: dict[str, float] = {}
        self._trouble = ""
        self._listening = False
        self._server = ControlServer(
            settings.control_socket, self._answer, self, group=settings.control.group
        )

    async def start(self) -> None:
        """Listen; where that is not possible now it is told, and tried again by ``run``.

        Raises:
            InUseError: another process listens there: two daemons have one setting.
        """
        try:
            await self._server.start()
        except InUseError:
            raise
        except ControlError as error:
            if error.problem != self._trouble:
                self._trouble = error.problem
                log.error(  # noqa: TRY400 - the sentence says it all
                    "control socket cannot be used",
                    place=str(error.place),
                    problem=error.problem,
                    fix=error.fix,
                )
            return
        self._listening = True
        if self._trouble:
            log.info("control socket is used again", socket=str(self._server.path))

    async def run(self) -> None:
        """Try until it listens; another process that took the place meanwhile is told too."""
        while not self._listening:
            await asyncio.sleep(RETRY_S)
            try:
                await self.start()
            except InUseError as error:
                log.warning("control socket is in use", place=str(error.place), fix=error.fix)

    async def close(self) -> None:
        """Listen no more; a second call does nothing."""
        await self._server.close()

    async def carry(self, who: str, ask: Ask, name: str) -> Answer:
        """What somebody is answered who asks another way than by the socket.

        Raises:
            ReactorError: the journal cannot be read, or too many orders wait.
        """
        return await self._desk.carry(who, ask, self._server, name)

    async def _answer(self, who: str, body: bytes) -> Answer:
        return await self._desk.answer(who, body, self._server)

    # ------------------------------------------------ what the server tells

    def on_forbidden(self, who: str, pid: int) -> None:
        """Somebody asked who may not; told once a minute, whoever knocks how often."""
        now = time.monotonic()
        if now < self._told.get(who, 0.0):
            return
        if len(self._told) >= WHO_KEPT:
            self._told.clear()
        self._told[who] = now + TOLD_AGAIN_S
        log.warning("operator refused", who=who, process=pid, socket=str(self._server.path))

    def on_failure(self, who: str, error: BaseException) -> None:
        """A request failed for a fault of ours."""
        log.error("internal error", who=who, error=repr(error), exc_info=error)
