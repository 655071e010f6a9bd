"""What changes on a real QEMU while reactor is not there is told at the next connect."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from reactor.demo import bootcode
from reactor.demo.guests import AGENT_PORT, GuestPlan
from reactor.demo.lab import Lab
from tests.lab.rig import rig

pytestmark = pytest.mark.asyncio

KEEPER = """
policy: keeper
description: Writes down what it is told.
mode: queued
trigger: {event: [VSERPORT_CHANGE]}
steps:
  - log: '${event.name} ${event.synthetic} ${data}'
"""


def _told(logs: Sequence[Mapping[str, object]]) -> list[object]:
    """What the policy said: name, whether it was made up for, and data."""
    said = [str(log["text"]).split(" ", 2) for log in logs if log["event"] == "policy says"]
    return [(name, synthetic == "true", json.loads(data)) for name, synthetic, data in said]


async def test_what_changed_while_reactor_was_stopped(lab: Lab, tmp_path: Path) -> None:
    """It is told once; what reactor saw itself is not told again."""
    boot = bootcode.guest_code(panics=0, agent_ticks=0)
    guest = await lab.guest("web-1", GuestPlan(boot=boot, agent_port=True))
    with capture_logs() as logs:
        async with rig(lab, tmp_path, [KEEPER]) as host:
            await host.watches("web-1")
            await host.stop()
            await guest.run()
            await guest.control.event("VSERPORT_CHANGE", lambda data: data["open"])
            await host.start()
            await host.outcomes(1)
            opened = ("VSERPORT_CHANGE", True, {"id": AGENT_PORT, "open": True})
            assert _told(logs) == [opened]
            await guest.control.command("stop")
            await guest.control.command("system_reset")
            await host.outcomes(2)
            closed = ("VSERPORT_CHANGE", False, {"id": AGENT_PORT, "open": False})
            assert _told(logs) == [opened, closed]
            await host.stop()
            await host.start()
            await host.watches("web-1")
            assert _told(logs) == [opened, closed]
