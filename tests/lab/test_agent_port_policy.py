"""The shipped policies for the guest agent's port, on a real QEMU whose guest drives the port."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from reactor.app.settings import Discovery
from reactor.demo import bootcode
from reactor.demo.guests import AGENT_PORT, GuestPlan
from reactor.demo.lab import Lab
from tests.fakes.agent import FakeAgent
from tests.lab.lab import Audit
from tests.lab.rig import Rig, rig
from tests.lab.shipped import shipped

pytestmark = pytest.mark.asyncio

CLOSED, OPEN, FLAPS = "agent-port-closed", "agent-port-open", "agent-port-flaps"
AFTER_RESET = "agent-port-after-reset"

FILE = "agent-port.yaml"
WITHIN = "not_followed_by: {event: VSERPORT_CHANGE, where: data.open, within: "


def _marks(host: Rig) -> list[tuple[str, str, str]]:
    return [(mark.kind, mark.id, mark.word) for mark in host.running.engine.world.marks]


@contextlib.asynccontextmanager
async def _agent(path: Path) -> AsyncIterator[FakeAgent]:
    """An agent that answers, beside a guest that has only the port."""
    made = FakeAgent()
    await made.listen(str(path))
    try:
        yield made
    finally:
        await made.close()


async def _succeeds(host: Rig, policy: str) -> None:
    def once() -> bool:
        return "succeeded" in [run.outcome for run in host.ended(policy)]

    await host.until(f"a run of {policy} succeeds", once, 40)


async def test_a_port_that_stays_closed_is_marked_until_it_opens_again(
    lab: Lab, tmp_path: Path
) -> None:
    """QEMU says whose port it is, the agent is asked when it is back; it changes all the time."""
    shorter = {f"{WITHIN}2m": f"{WITHIN}300ms", "count: 7": "count: 3"}
    places = (Discovery(lab.pattern, agent=str(lab.folder / "{name}.asked")),)
    async with (
        _agent(lab.folder / "web-1.asked") as agent,
        rig(lab, tmp_path, [shipped(FILE, shorter)], discoveries=places) as host,
    ):
        boot = bootcode.guest_code(panics=0, agent_ticks=25)
        guest = await lab.guest("web-1", GuestPlan(boot=boot, agent_port=True))
        await host.watches("web-1")
        await guest.run()
        # Open, closed for 1.4 seconds, open: three changes, again and again. On a slow machine
        # a port may be open again before it is looked at; then the next round is marked.
        await _succeeds(host, CLOSED)
        await _succeeds(host, OPEN)
        await _succeeds(host, FLAPS)
        assert "guest-ping" in agent.names
        assert await guest.control.status() == "running"
        assert Audit(guest).host_resets() == 0


async def test_the_port_of_somebody_else_is_left_alone(lab: Lab, tmp_path: Path) -> None:
    """Another name, the same changes: every run ends before its first mark."""
    name = "serial-of-somebody"
    port = f"virtserialport,nr=1,chardev=other,id=other,name={name}"
    plan = GuestPlan(
        boot=bootcode.guest_code(panics=0, agent_ticks=25),
        options=(
            *("-chardev", "null,id=other"),
            *("-device", "virtio-serial-pci,id=serial,addr=5", "-device", port),
        ),
    )
    shorter = {f"{WITHIN}2m": f"{WITHIN}300ms", "count: 7": "count: 3"}
    async with rig(lab, tmp_path, [shipped(FILE, shorter)]) as host:
        guest = await lab.guest("web-1", plan)
        await host.watches("web-1")
        await guest.run()
        assert (await host.outcomes(1, CLOSED))[0] == "skipped"
        assert (await host.outcomes(1, FLAPS))[0] == "skipped"
        assert _marks(host) == []


async def test_an_agent_that_does_not_come_back_after_a_panic(lab: Lab, tmp_path: Path) -> None:
    """The guest is reset, boots another system without an agent: five minutes, then a mark."""
    texts = [shipped("guest-panic.yaml"), shipped(FILE, {f"{WITHIN}5m": f"{WITHIN}800ms"})]
    async with rig(lab, tmp_path, texts) as host:
        boot = bootcode.guest_code(panics=0, agent_ticks=0)
        guest = await lab.guest("web-1", GuestPlan(boot=boot, agent_port=True))
        audit = Audit(guest)
        await host.watches("web-1")
        await guest.run()
        await audit.event("VSERPORT_CHANGE", lambda data: data["open"])
        await guest.up()
        # QEMU tells a change at once only when the one before is a second old.
        await audit.stays_without("VSERPORT_CHANGE", 1.1)
        guest.boots_next(bootcode.guest_code(panics=0))
        await guest.panic()
        assert await host.outcomes(1, "panic-dump-reset") == ["succeeded"]
        assert await host.outcomes(1, AFTER_RESET) == ["succeeded"]
        assert _marks(host) == [("port", AGENT_PORT, "closed")]
        assert audit.host_resets() == 1
        assert host.ended(CLOSED) == []
