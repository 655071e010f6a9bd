"""A message from the broker, and a schedule, act on a real QEMU."""

import json
import time
from pathlib import Path

import pytest

from reactor.demo import bootcode
from reactor.demo.dumps import dump_problem
from reactor.demo.guests import GuestPlan
from reactor.demo.lab import Lab
from tests.fakes.broker import Mosquitto, Speaker
from tests.lab.lab import Audit
from tests.lab.rig import HOST, Rig, rig

pytestmark = pytest.mark.asyncio

ON_REQUEST = """
policy: dump-on-request
description: somebody asks for a dump
trigger:
  mqtt: request/+/dump
  guest: "${topic[3]}"
  where: message.json.user != ""
  max_age: 60s
mode: queued
steps:
  - guest: dump
    format: elf
  - publish: answer/dump
    payload: {guest: "${guest.name}", by: "${message.json.user}"}
"""

LETS_GO_ON = """
policy: lets-go-on
description: a guest that somebody paused and forgot goes on
trigger: {every: 1s}
if: guest.status == "paused"
steps:
  - guest: resume
"""


async def heard_by(host: Rig) -> None:
    """Return when the broker has answered to the subscriptions."""
    broker = host.running.broker
    assert broker is not None

    def is_subscribed() -> bool:
        link = broker.publisher._link  # noqa: SLF001
        return link is not None and not link.asked and bool(broker.inbound.inbox.filters)

    await host.until("the topics are subscribed", is_subscribed)


async def test_a_message_dumps_a_paused_guest(lab: Lab, tmp_path: Path) -> None:
    """Asked by its topic and by the policy's name; the guest is left as it was."""
    folder = tmp_path / "broker"
    folder.mkdir()
    with Mosquitto(folder) as broker, Speaker(broker.port) as speaker:
        async with rig(lab, tmp_path, [ON_REQUEST], broker=broker) as host:
            guest = await lab.guest("web-1", GuestPlan(memory="16M"))
            await host.watches("web-1")
            await heard_by(host)
            audit = Audit(guest)
            asked = json.dumps({"user": "anna", "sent_at": time.time()})
            speaker.say(f"reactor/{HOST}/request/web-1/dump", asked)
            assert await host.outcomes(1) == ["succeeded"]
            speaker.say(f"reactor/{HOST}/trigger/dump-on-request/web-1", asked)
            assert await host.outcomes(2) == ["succeeded"] * 2
            speaker.say(f"reactor/{HOST}/request/web-1/dump", asked, retain=True)
            speaker.say(f"reactor/{HOST}/request/web-1/dump", '{"user": "anna", "sent_at": 1}')
            await host.until(
                "both are refused",
                lambda: len(host.running.engine.near_misses("dump-on-request")) == 2,
            )
            await host.until("both are answered", lambda: len(host.heard("answer/dump")) == 2)
            assert host.heard("answer/dump") == [{"guest": "web-1", "by": "anna"}] * 2
            assert [dump_problem(path) for path in host.dumps()] == [None, None]
            assert await guest.control.status() == "prelaunch"
            assert len(audit.events("DUMP_COMPLETED")) == 2
            assert len(host.ended()) == 2


async def test_a_schedule_lets_a_paused_guest_go_on(lab: Lab, tmp_path: Path) -> None:
    """At its next time; what is fine is left alone, run after run."""
    async with rig(lab, tmp_path, [LETS_GO_ON]) as host:
        guest = await lab.guest("web-1", GuestPlan(boot=bootcode.guest_code(panics=0)))
        await host.watches("web-1")
        await guest.run()
        await guest.up()
        await guest.control.command("stop")
        audit = Audit(guest)
        await audit.reaches("running")
        await host.until("it fired on", lambda: len(host.ended()) >= 3)
        assert audit.story() == ["RESUME"]
        outcomes = [run.outcome for run in host.ended()]
        assert outcomes.count("succeeded") == 1
        assert set(outcomes) == {"succeeded", "skipped"}
