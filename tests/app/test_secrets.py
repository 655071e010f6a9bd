"""Secrets stay where they belong: the whole daemon at its most talkative, and a look everywhere."""

import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from reactor.demo.waiting import until
from tests.app.house import FakeGuest
from tests.fakes.agent import FakeAgent, Refuse
from tests.fakes.broker import Mosquitto, Subscriber
from tests.fakes.web import Server

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

ROOT = str(Path(__file__).resolve().parents[2])

BROKER, WEB, GUEST, VNC, KEY = (
    f"s3cret-of-the-{who}" for who in ("broker", "web", "guest", "vnc", "key")
)
WATCHER = "w"
SECRETS = (BROKER, WEB, GUEST, VNC, KEY)

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
mqtt: {{url: '{url}', username: reactor, password_file: '{password}'}}
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
                told = await verb("runs", "-c", str(settings), "-o", "json")
                told += await verb("why", "careless", "web-1", "-c", str(settings))
            heard = b"".join(message.payload for message in subscriber.messages)
    await guest.close()
    await agent.close()
    assert [got.headers["authorization"] for got in server.got] == [f"Bearer {WEB}"]
    assert "object-add" in [command.execute for command in guest.commands]
    kept = rows(tmp_path / "journal.db").encode()
    places = {"log": bytes(process.said), "answers": told, "mqtt": heard, "journal": kept}
    assert [name for name, text in places.items() if b"careless" not in text] == []
    leaks = [name for name, text in places.items() for one in SECRETS if one.encode() in text]
    assert leaks == []
