"""What the dispatcher needs of the world: somebody who sends, somewhere to write."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from reactor.adapters.journal import Batch, Chain, InputRow
from reactor.adapters.qmp.commands import Then
from reactor.app.dumps import Dumps
from reactor.core.effect import AskFree, CallHttp, StartProgram
from reactor.core.inputs import Answered


class Commands(Protocol):
    """Who sends QMP commands."""

    def send(
        self,
        guest: str,
        command: str,
        arguments: Mapping[str, object],
        *,
        timeout: float,
        then: Then,
    ) -> asyncio.Future[object]:
        """The future of the command's return value; the command is on its way.

        It gets GuestError or LostReply when there is none. ``then`` takes the future as
        soon as it is done, before any event that QEMU sent after the reply: what a query
        found must not be believed after what happened since.

        Raises:
            ReactorError: the command certainly was not sent.
        """
        ...


class AgentCommands(Protocol):
    """Who sends commands to the agents inside the guests."""

    def send(
        self,
        guest: str,
        command: str,
        arguments: Mapping[str, object],
        *,
        timeout: float,
        replies: bool,
    ) -> asyncio.Future[object]:
        """The future of the result, or of GuestError, LostReply, MonitorError (not sent).

        Raises:
            ReactorError: the command certainly is not sent.
        """
        ...


class Requests(Protocol):
    """Who sends HTTP requests."""

    async def send(self, call: CallHttp, timeout_s: float) -> Answered:
        """What became of it, within that time."""
        ...


class Starts(Protocol):
    """Who starts programs of the host."""

    async def run(
        self, start: StartProgram, timeout_s: float, facts: Mapping[str, str]
    ) -> Answered:
        """What became of it, within that time; ``facts`` are variables of its environment."""
        ...


class Space(Protocol):
    """Who knows how much room is left."""

    async def ask(self, question: AskFree) -> Answered:
        """The bytes, or why they cannot be told."""
        ...


@dataclass(frozen=True, slots=True)
class Outside:
    """Everybody who carries out what the engine asks for."""

    monitors: Commands
    agents: AgentCommands
    http: Requests
    programs: Starts
    space: Space
    dumps: Dumps


class JournalPort(Protocol):
    """Where inputs and intents become durable."""

    def post(self, batch: Batch, chain: Chain) -> asyncio.Future[None]:
        """Done when the batch is on disk, after those posted before it; or refused (JournalError).

        From the first of a chain that is refused on, all of them are.
        """
        ...

    def lazily(self, rows: list[InputRow]) -> None:
        """Write these some time soon."""
        ...
