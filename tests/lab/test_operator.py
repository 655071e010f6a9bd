"""The big red button on a real QEMU: between the dump and the reset."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reactor.adapters.control import Answer, Code, ask
from reactor.app.control.answers import Status
from reactor.app.control.asks import Ask, AskRun, AskStatus, AskWhy, GiveOrder
from reactor.app.settings import DumpsSettings
from reactor.app.timeline import Timeline
from reactor.app.why.reasons import Why
from reactor.core.orders import HoldGuests, ReleaseGuests
from reactor.demo.lab import Lab
from tests.lab.lab import Audit, Fifo
from tests.lab.rig import Rig, rig

pytestmark = pytest.mark.asyncio

POLICY = """
policy: free
description: the runbook without limits
arm: [{{guest: preserve-on-panic}}]
trigger: {{event: GUEST_PANICKED}}
if: guest.status == "guest-panicked"
mode: queued
steps:
  - guest: dump
    to: {target}
    format: elf
  - guest: reset
"""


async def request(host: Rig, what: Ask) -> Answer:
    """What the daemon answers by its socket."""
    path = host.settings.control_socket
    answer = await asyncio.to_thread(ask, path, msgspec.json.encode(what))
    assert answer.code is Code.DONE, answer
    return answer


async def look(host: Rig, what: Ask, kind: Any) -> Any:  # noqa: ANN401 - as it was asked
    """The same, as values."""
    return msgspec.json.decode((await request(host, what)).data, type=kind)


async def test_a_hold_between_the_dump_and_the_reset(lab: Lab, tmp_path: Path) -> None:
    """The guest is not touched until the release, and then it is brought back.

    `why`, the status and the run's time line all name the hold and who pressed the button.
    """
    target = tmp_path / "memory"
    fifo = Fifo(target)
    dumps = DumpsSettings(tmp_path / "dumps", frozenset({str(target)}))
    async with rig(lab, tmp_path, [POLICY.format(target=target)], dumps=dumps) as host:
        guest = await lab.guest("web-1")
        audit = Audit(guest)
        await host.watches("web-1")
        await guest.run()
        await fifo.begun()
        pressed = await request(host, GiveOrder(HoldGuests("", None, "what is this?")))
        await fifo.drain()
        (run,) = host.running.engine.world.runs.values()
        await host.until("the run stands before its reset", lambda: _waits(host))
        status: Status = await look(host, AskStatus(), Status)
        assert [line.reason for line in status.runs] == [pressed.text]
        why: Why = await look(host, AskWhy("free", "web-1"), Why)
        assert why.verdict == f"a match now would start no run: {pressed.text}"
        assert audit.host_resets() == 0
        assert await guest.control.status() == "guest-panicked"

        await request(host, GiveOrder(ReleaseGuests()))
        assert await host.outcomes(1, "free") == ["succeeded"]
        await guest.up()
        assert audit.host_resets() == 1
        timeline: Timeline = await look(host, AskRun(run.id), Timeline)
        waited = [e for e in timeline.entries if e.what == "waiting" and "held by" in e.reason]
        assert [(entry.path, entry.reason) for entry in waited] == [("steps/1", pressed.text)]
        reset = next(e for e in timeline.entries if e.reason.startswith("system_reset"))
        assert reset.at > waited[0].at
    fifo.close()


def _waits(host: Rig) -> bool:
    """Whether the run's latest line is that it waits for the release."""
    (run,) = host.running.engine.world.runs.values()
    latest = host.running.journal.reader.traces(run.id)[-1].trace
    return (latest.path, latest.verdict) == ("steps/1", "waiting")
