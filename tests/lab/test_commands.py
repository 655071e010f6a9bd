"""QMP commands that come over a real broker and go to a real QEMU, and what is answered."""

import asyncio
import contextlib
import itertools
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

import reactor
from reactor.app.settings import MqttSettings
from reactor.demo import bootcode
from reactor.demo.guests import Guest, GuestPlan
from reactor.demo.lab import Lab
from reactor.demo.waiting import until
from tests.fakes.broker import Mosquitto, Speaker, Subscriber
from tests.lab.cutting import Line
from tests.lab.lab import Audit
from tests.lab.rig import HOST, rig
from tests.lab.test_inbound import heard_by

pytestmark = pytest.mark.asyncio

BASE: Final = f"reactor/{HOST}"
MINE: Final = f"{BASE}/reply/me"
QUIET: Final = GuestPlan(boot=bootcode.guest_code(panics=0))

SETTINGS = """
host: {{name: {host}}}
guests: [{{discover: '{sockets}/*.sock'}}]
journal: {{path: '{folder}/journal.db'}}
mqtt: {{url: 'mqtt://127.0.0.1:{port}', username: reactor, commands: [query-status, cont]}}
"""


async def _answer(heard: Subscriber, topic: str, name: str) -> Any:  # noqa: ANN401 - JSON
    """The one answer to the command of this id."""

    def mine() -> list[Any]:
        return [one for p in heard.payloads(topic) if (one := json.loads(p)).get("id") == name]

    await until(f"{name} is answered", lambda: bool(mine()), 20.0)
    (reply,) = mine()
    return reply


class Sender:
    """Somebody who sends commands with MQTT 5, and waits for each answer."""

    def __init__(self, speaker: Speaker, heard: Subscriber) -> None:
        self._speaker = speaker
        self._heard = heard
        self._numbers = itertools.count(1)

    async def send(self, command: str, **arguments: object) -> Any:  # noqa: ANN401 - JSON
        """What is answered."""
        name = f"{command}-{next(self._numbers)}"
        body = json.dumps({"id": name, "arguments": arguments})
        topic = f"{BASE}/cmd/web-1/{command}"
        self._speaker.say(topic, body, expiry_s=30, response_topic=MINE)
        return await _answer(self._heard, MINE, name)


async def test_commands_reach_a_real_qemu(lab: Lab, tmp_path: Path) -> None:
    """From clients of MQTT 5 and 3.1.1; its returns and its refusals come back in its words."""
    folder = tmp_path / "broker"
    folder.mkdir()
    with (
        Mosquitto(folder) as broker,
        Speaker(broker.port) as speaker,
        Speaker(broker.port, old=True) as old,
        Subscriber(broker.port, f"{BASE}/reply/#") as heard,
    ):
        mqtt = MqttSettings(broker.url, commands=("query-*", "stop", "cont", "quit", "qom-get"))
        async with rig(lab, tmp_path, [], broker=broker, mqtt=mqtt) as host:
            guest = await lab.guest("web-1", QUIET)
            await host.watches("web-1")
            await heard_by(host)
            await _new_client(Sender(speaker, heard), guest)
            body = json.dumps({"id": "old", "sent_at": time.time(), "by": "ben"})
            old.say(f"{BASE}/cmd/web-1/stop", body)
            stopped = await _answer(heard, f"{BASE}/reply/common", "old")
            assert (stopped["ok"], await guest.control.status()) == (True, "paused")
            assert [(run.policy, run.outcome) for run in host.ended()] == [
                ("cmd/query-status", "succeeded"),
                ("cmd/cont", "succeeded"),
                ("cmd/qom-get", "succeeded"),
                ("cmd/qom-get", "failed"),
                ("cmd/stop", "succeeded"),
            ]


async def _new_client(sender: Sender, guest: Guest) -> None:
    """What a client with MQTT 5 sends, and what it hears."""
    audit = Audit(guest)
    looked = await sender.send("query-status")
    assert looked["data"]["return"]["status"] == await guest.control.status()
    assert (await sender.send("cont"))["data"]["return"] == {}
    await audit.reaches("running")
    kind = await sender.send("qom-get", path="/machine", property="type")
    assert "machine" in kind["data"]["return"]
    absent = await sender.send("qom-get", path="/nowhere/${guest.name}", property="type")
    assert (absent["ok"], absent["data"]["class"]) == (False, "DeviceNotFound")
    assert "${guest.name}" in absent["data"]["desc"]
    wrong = await sender.send("qom-get", path="/machine", propety="type")
    assert "would refuse it" in wrong["error"]
    dangerous = await sender.send("quit")
    assert dangerous["error"] == "refused: quit is not in the settings' qmp.allow"


@contextlib.asynccontextmanager
async def _life(settings: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """One life of `reactor run`, which is killed at its end."""
    root = Path(reactor.__file__).parents[1]
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "reactor", "run", "-c", str(settings)),
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    try:
        yield program
    finally:
        with contextlib.suppress(ProcessLookupError):
            program.kill()
        await program.wait()


async def test_a_command_in_flight_at_a_kill_is_answered_by_the_next_life(
    lab: Lab, tmp_path: Path
) -> None:
    """QEMU obeyed, nobody heard it, reactor was killed: it is found out about, and told once."""
    folder = tmp_path / "broker"
    folder.mkdir()
    guest = await lab.guest("web-1", QUIET)
    behind = lab.folder / "line"
    behind.mkdir()
    line = Line(behind / "web-1.sock", guest, "cont", hangs=True)
    await line.open()
    settings = tmp_path / "settings.yaml"
    with (
        Mosquitto(folder) as broker,
        Speaker(broker.port) as speaker,
        Subscriber(broker.port, f"{BASE}/#") as heard,
    ):
        settings.write_text(
            SETTINGS.format(host=HOST, sockets=behind, folder=tmp_path, port=broker.port)
        )
        audit = Audit(guest)
        try:
            async with _life(settings):
                await until("it is there", lambda: _is_watched(heard), 30.0)
                speaker.say(f"{BASE}/cmd/web-1/cont", '{"id": "once"}', expiry_s=30)
                await asyncio.wait_for(line.broken.wait(), 20.0)
                await audit.reaches("running")
            await line.cut()
            line.mend()
            async with _life(settings):
                reply = await _answer(heard, f"{BASE}/reply/common", "once")
        finally:
            await line.close()
        assert (reply["ok"], reply["text"]) == (True, "cont on web-1: done")
        assert len(audit.events("RESUME")) == 1


def _is_watched(heard: Subscriber) -> bool:
    """Whether reactor listens, and watches the guest."""
    said = (
        heard.payloads(f"{BASE}/availability"),
        heard.payloads(f"{BASE}/guest/web-1/availability"),
    )
    return all(words[-1:] == [b"online"] for words in said)
