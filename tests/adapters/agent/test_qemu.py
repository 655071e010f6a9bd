"""The agent's port of a real QEMU, in whose guest no agent runs."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from reactor.adapters.agent import Agents, Limits
from reactor.demo.guests import GuestPlan
from reactor.demo.lab import Lab
from reactor.errors import MonitorError
from tests.adapters.agent.scene import eventually

pytestmark = [pytest.mark.asyncio, pytest.mark.lab]


@pytest_asyncio.fixture
async def lab() -> AsyncIterator[Lab]:
    """An empty lab."""
    async with Lab() as started:
        yield started


@pytest_asyncio.fixture
async def agents() -> AsyncIterator[Agents]:
    """Agents that are not waited for long."""
    agents = Agents(limits=Limits(sync_s=0.3, idle_s=0.1))
    yield agents
    await agents.close()


async def ask(agents: Agents, timeout_s: float = 5.0) -> object:
    """What the agent of `web-1` answers."""
    return await agents.send("web-1", "guest-ping", {}, timeout=timeout_s)


async def test_nobody_in_the_guest_answers(lab: Lab, agents: Agents) -> None:
    """QEMU takes the connection, and that is all: nothing was sent. Again and again."""
    guest = await lab.guest("web-1", GuestPlan(agent_port=True))
    agents.add("web-1", str(guest.agent))
    for _ in range(3):
        with pytest.raises(MonitorError, match="not sent: the guest agent did not answer"):
            await ask(agents)
    assert (agents.counters.connects, agents.counters.commands) == (3, 0)


async def test_another_client_holds_the_port(lab: Lab, agents: Agents) -> None:
    """QEMU lets us connect all the same, and hears us when the other one has left."""
    guest = await lab.guest("web-1", GuestPlan(agent_port=True))
    agents.add("web-1", str(guest.agent))
    _, other = await asyncio.open_unix_connection(guest.agent)
    with pytest.raises(MonitorError, match="not sent: the guest agent did not answer"):
        await ask(agents)
    other.close()
    await other.wait_closed()


async def test_a_port_with_a_full_queue(lab: Lab, agents: Agents) -> None:
    """Others stand in line already: told apart from a guest that is silent."""
    guest = await lab.guest("web-1", GuestPlan(agent_port=True))
    agents.add("web-1", str(guest.agent))
    others: list[socket.socket] = []
    told = ""
    try:
        while "is taken, and others wait for it" not in told:
            assert len(others) < 20
            # QEMU takes one of them off the queue, and then one more finds room.
            with contextlib.suppress(BlockingIOError):
                kind = socket.SOCK_STREAM | socket.SOCK_NONBLOCK
                others.append(socket.socket(socket.AF_UNIX, kind))
                others[-1].connect(str(guest.agent))
            with pytest.raises(MonitorError) as refused:
                await ask(agents)
            told = str(refused.value)
    finally:
        for other in others:
            other.close()


async def test_qemu_ends_meanwhile(lab: Lab, agents: Agents) -> None:
    """Nothing was sent; afterwards nobody listens any more."""
    slow = Agents()
    guest = await lab.guest("web-1", GuestPlan(agent_port=True))
    slow.add("web-1", str(guest.agent))
    asked = slow.send("web-1", "guest-ping", {}, timeout=10)
    await eventually(lambda: slow.counters.connects)
    guest.process.send(signal.SIGKILL)
    await guest.process.ended()
    with pytest.raises(MonitorError, match="not sent: QEMU closed the connection"):
        await asked
    await slow.close()
    agents.add("web-1", str(guest.agent))
    with pytest.raises(MonitorError, match="nobody listens on the socket of its agent"):
        await ask(agents)
