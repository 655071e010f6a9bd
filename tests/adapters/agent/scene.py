"""What the tests of guest agents share: agents, the fakes they talk to, a wait with a limit."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

from reactor.adapters.agent import Agents, Limits
from tests.fakes.agent import GUEST, FakeAgent
from tests.fakes.qmp_server import Answer


async def eventually(condition: Callable[[], object], limit_s: float = 5.0) -> None:
    """Wait until it holds; TimeoutError when it does not within the limit."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.002)


class Scene:
    """Agents under test, and the fakes they talk to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fakes: list[FakeAgent] = []
        self.pools: list[Agents] = []
        self.limit()

    def limit(self, limits: Limits | None = None) -> Agents:
        """Go on with agents of these limits."""
        self.agents = Agents(limits=limits, rng=Random(1))  # noqa: S311 - the same every time
        self.pools.append(self.agents)
        return self.agents

    def path(self, guest: str = "web-1") -> str:
        """Where a guest's agent listens."""
        return str(self.folder / f"{guest}.agent")

    async def fake(self, guest: str = "web-1", answers: Mapping[str, Answer] = GUEST) -> FakeAgent:
        """An agent of a guest, listening, and known to the pool."""
        fake = FakeAgent(answers)
        await fake.listen(self.path(guest))
        self.fakes.append(fake)
        self.agents.add(guest, self.path(guest))
        return fake

    async def ask(
        self,
        command: str = "guest-ping",
        arguments: Mapping[str, object] | None = None,
        *,
        guest: str = "web-1",
        timeout_s: float = 5.0,
        replies: bool = True,
    ) -> object:
        """What the agent answers."""
        return await self.agents.send(
            guest, command, arguments or {}, timeout=timeout_s, replies=replies
        )

    async def close(self) -> None:
        """Stop everything."""
        for pool in self.pools:
            await pool.close()
        for fake in self.fakes:
            await fake.close()
