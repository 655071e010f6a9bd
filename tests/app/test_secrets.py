"""Secrets stay where they belong: the whole daemon at its most talkative, and a look everywhere."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from reactor.demo.waiting import until
from tests.app.house import FakeGuest
from tests.fakes.agent import FakeAgent, Refuse
from tests.fakes.broker import Mosquitto, Speaker, Subscriber
from tests.fakes.web import Server

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

ROOT = str(Path(__file__).resolve().parents[2])

BROKER, WEB, GUEST, VNC, KEY, HAND = (
    f"s3cret-of-the-{who}" for who in ("broker", "web", "guest", "vnc", "key", "hand")
)
WATCHER = "w"
SECRETS = (BROKER, WEB, GUEST, VNC, KEY, HAND)
BY_HAND = {"protocol": "vnc", "password": HAND}

POLICY = f"""
policy: careless
description: Uses every secret that a policy can use, and then looks at what came back.
trigger: {{event: WATCHDOG}}
steps:
  - http:
      method: POST
      url: "URL?token={WEB}"
      headers: {{Authorization: Bearer {WEB}}}
      json: {{password: {WEB}}}
    save: web
  - agent: guest-set-user-password
    args: {{username: anna, password: {GUEST}, crypted: false}}
  - qmp: set_password
    args: {{protocol: vnc, password: {VNC}}}
  - publish: done
    payload: {{web: "${{steps.web.result.status}}"}}
  - qmp: object-add
    args: {{qom-type: secret, id: k0, data: {KEY}}}
"""

SETTINGS = """
host: {{name: h}}
guests: [{{discover: '{run}/*.sock', agent: '{run}/{{name}}.agent'}}]
rules: ['{rules}']
journal: {{path: '{journal}'}}
qmp: {{allow: [object-add]}}
mqtt: {{url: '{url}', username: reactor, password_file: '{password}', commands: [set_password]}}
"""


@dataclass
class Process:
    """`reactor run`, as an admin starts it; ``said`` is all that it wrote."""

    settings: Path
    said: bytearray = field(default_factory=bytearray)

    async def __aenter__(self) -> Self:
        self._child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "reactor", "run", "-c", str(self.settings)),
            *("--log-level", "debug"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": ROOT},
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_why: object) -> None:
        if self._child.returncode is None:
            self._child.send_signal(signal.SIGTERM)
        await self._child.wait()
        await self._reader

    async def _read(self) -> None:
        assert self._child.stdout is not None
        while chunk := await self._child.stdout.read(65_536):
            self.said += chunk

    async def until(self, word: str) -> None:
        """Wait until it says so."""
        await until(f"it says {word!r}", lambda: word.encode() in self.said, 40)


def rows(journal: Path) -> str:
    """All that the journal holds but the policies' own texts."""
    with closing(sqlite3.connect(journal)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        kept = [name for (name,) in tables if name != "revision"]
        return repr([database.execute(f"SELECT * FROM {name}").fetchall() for name in kept])  # noqa: S608


async def verb(*words: str) -> bytes:
    """What an operator reads."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "reactor", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await child.communicate()
    return output


def write(folder: Path, run: Path, broker: Mosquitto, server: Server) -> Path:
    """The settings of a host with a password, and the policy; where the settings stand."""
    (folder / "password").write_text(f"{BROKER}\n")
    (folder / "rules").mkdir()
    (folder / "rules" / "careless.yaml").write_text(POLICY.replace("URL", server.url("/echo")))
    settings = folder / "reactor.yaml"
    names = {"rules": folder / "rules", "journal": folder / "journal.db", "url": broker.url}
    settings.write_text(SETTINGS.format(run=run, password=folder / "password", **names))
    return settings


def order_by_hand(broker: Mosquitto) -> None:
    """Somebody sends a password by a message; it blocks."""
    order = json.dumps({"arguments": BY_HAND, "id": 1, "sent_at": time.time()})
    with Speaker(broker.port, username="watcher", password=WATCHER) as speaker:
        speaker.say("reactor/h/cmd/web-1/set_password", order)


def everywhere(
    tmp_path: Path, process: Process, told: bytes, heard: Subscriber
) -> dict[str, bytes]:
    """All that was said, by the place; over MQTT without the order itself."""
    said = [one.payload for one in heard.messages if "/cmd/" not in one.topic]
    kept = rows(tmp_path / "journal.db").encode()
    return {"log": bytes(process.said), "answers": told, "mqtt": b"".join(said), "journal": kept}


async def test_no_secret_is_told(run: Path, tmp_path: Path) -> None:
    """Not in the log at its most talkative, the journal, a trace, an answer, or over MQTT."""
    (tmp_path / "broker").mkdir()
    users = {"reactor": BROKER, "watcher": WATCHER}
    guest, agent = FakeGuest(), FakeAgent({"guest-set-user-password": {}})
    guest.answers |= {"set_password": {}, "object-add": Refuse("GenericError", "no")}
    await guest.listen(f"{run}/web-1.sock")
    await agent.listen(f"{run}/web-1.agent")
    with Server() as server, Mosquitto(tmp_path / "broker", users=users) as broker:
        settings = write(tmp_path, run, broker, server)
        with Subscriber(broker.port, qos=0, username="watcher", password=WATCHER) as subscriber:
            async with Process(settings) as process:
                await process.until("monitor connected")
                await process.until("broker connected")
                guest.event("WATCHDOG", {"action": "none"})
                await process.until("run failed")
                await asyncio.to_thread(order_by_hand, broker)
                await process.until("request refused")
                told = await verb("runs", "-c", str(settings), "-o", "json")
                told += await verb("why", "careless", "web-1", "-c", str(settings))
    await guest.close()
    await agent.close()
    assert [got.headers["authorization"] for got in server.got] == [f"Bearer {WEB}"]
    assert "object-add" in [command.execute for command in guest.commands]
    sent = [one for one in guest.commands if one.execute == "set_password"]
    assert [one.arguments["password"] for one in sent] == [VNC]
    places = everywhere(tmp_path, process, told, subscriber)
    assert [name for name, text in places.items() if b"careless" not in text] == []
    leaks = [name for name, text in places.items() for one in SECRETS if one.encode() in text]
    assert leaks == []
    assert [
        name for name in ("log", "journal", "mqtt") if b"hold a secret" not in places[name]
    ] == []
