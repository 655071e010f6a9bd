"""A real guest agent, on this host, with everything forbidden that does more than tell.

`guest-shutdown`, `guest-exec` and all their like are on its block list from its start.
"""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from reactor.core import catalog
from reactor.demo.process import Process, find_program
from reactor.errors import GuestError
from tests.adapters.agent.scene import Scene, eventually
from tests.fakes.agent import FakeAgent, Refuse

pytestmark = [pytest.mark.asyncio, pytest.mark.lab]

HARMLESS = {
    "guest-get-host-name",
    "guest-get-osinfo",
    "guest-get-time",
    "guest-info",
    "guest-ping",
    "guest-sync",
    "guest-sync-delimited",
}


async def commands_of_qemu_ga() -> set[str]:
    """Every command that this qemu-ga knows."""
    told = await asyncio.create_subprocess_exec(
        find_program("qemu-ga"), "-b", "help", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await told.communicate()
    return set(output.decode().split())


def answers(path: str) -> bool:
    """Whether the agent is up: its socket is there, and even listens, before it serves."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        if client.connect_ex(path) != 0:
            return False
        client.sendall(b'{"execute": "guest-ping"}\n')
        return b"return" in client.recv(100)


@pytest_asyncio.fixture
async def agent(folder: Path, scene: Scene) -> AsyncIterator[Scene]:
    """A pool that reaches a real agent as `web-1`."""
    blocked = await commands_of_qemu_ga() - HARMLESS
    assert {"guest-shutdown", "guest-exec", "guest-fsfreeze-freeze", "guest-set-time"} <= blocked
    options = ["-m", "unix-listen", "-p", scene.path(), "-t", str(folder)]
    options += ["-f", str(folder / "pid"), "-b", ",".join(blocked)]
    process = Process("qemu-ga", options, folder / "log")
    try:
        await eventually(lambda: answers(scene.path()) or process.exit_code is not None, 10.0)
        scene.agents.add("web-1", scene.path())
        yield scene
    finally:
        process.send(signal.SIGTERM)
        await process.ended()


async def test_what_it_tells(agent: Scene) -> None:
    """An object, a number, and what it knows of itself."""
    assert await agent.ask("guest-ping") == {}
    assert await agent.ask("guest-get-host-name") == {"host-name": os.uname().nodename}
    now = await agent.ask("guest-get-time")
    assert isinstance(now, int)
    info: Any = await agent.ask("guest-info")
    told = {command["name"]: command for command in info["supported_commands"]}
    assert told.keys() == await commands_of_qemu_ga()
    assert agent.agents.counters.connects == 1


async def test_the_catalogue_says_what_the_agent_says(agent: Scene) -> None:
    """Every command of it is known, and which of them do not reply."""
    info: Any = await agent.ask("guest-info")
    for command in info["supported_commands"]:
        assert command["name"] in catalog.agent_commands()
        assert command["success-response"] is catalog.agent_replies(command["name"])


@pytest.mark.parametrize(
    ("command", "replies", "words"),
    [
        pytest.param("guest-exec", True, "has been disabled", id="blocked"),
        pytest.param("guest-shutdown", False, "has been disabled", id="blocked, no reply"),
        pytest.param("guest-invented", True, "has not been found", id="unknown"),
        pytest.param("guest-sync", True, "Parameter 'id' is missing", id="without arguments"),
    ],
)
async def test_what_it_refuses(agent: Scene, command: str, replies: bool, words: str) -> None:
    """The refusal of a command without a reply comes within the second, too."""
    with pytest.raises(GuestError, match=words):
        await agent.ask(command, {} if command != "guest-exec" else {"path": "x"}, replies=replies)
    assert await agent.ask() == {}


async def test_half_a_command_of_another_client(agent: Scene) -> None:
    """The agent keeps it over the end of its connection; our sync makes it forget."""
    _, writer = await asyncio.open_unix_connection(agent.path())
    writer.write(b'{"execute": "guest-get-ho')
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert await agent.ask() == {}


async def test_another_client_has_its_turn_when_we_let_go(agent: Scene) -> None:
    """It connects while we hold the agent, and is served after our idle time."""
    await agent.ask()
    reader, writer = await asyncio.open_unix_connection(agent.path())
    writer.write(b'{"execute": "guest-ping"}\n')
    async with asyncio.timeout(10):
        assert json.loads(await reader.readline()) == {"return": {}}
    writer.close()


LINES = [
    pytest.param(b'{"execute": "guest-ping"}\n', id="a command"),
    pytest.param(b'{"execute": "guest-ping"}\n{"execute": "guest-ping"}\n', id="two"),
    pytest.param(b'\xff{"execute": "guest-sync-delimited", "arguments": {"id": 7}}\n', id="a sync"),
    pytest.param(
        b'{"execute": "gu\xff{"execute": "guest-sync-delimited", "arguments": {"id": 8}}\n',
        id="a sync after half a line",
    ),
    pytest.param(b'{"execute": "guest-invented"}\n', id="unknown"),
    pytest.param(b'{"execute": "guest-exec", "arguments": {"path": "x"}}\n', id="blocked"),
]


async def exchange(path: str, data: bytes, enough: Callable[[bytes], bool]) -> bytes:
    """Everything that comes back."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(data)
    came = b""
    async with asyncio.timeout(5):
        while not enough(came):
            came += await reader.read(1000)
    writer.close()
    return came


def shape(answers: bytes) -> list[tuple[bool, object]]:
    """Line by line: whether a 0xFF stands before it, and what it returns or which error it is."""
    found = []
    for line in answers.splitlines():
        message = json.loads(line.lstrip(b"\xff"))
        error = message.get("error", {}).get("class")
        found.append((line.startswith(b"\xff"), error or message["return"]))
    return found


@pytest.mark.parametrize("line", LINES)
async def test_the_fake_agent_answers_as_the_real_one(agent: Scene, line: bytes) -> None:
    """Line by line, errors by their class: what the other tests prove holds for qemu-ga."""
    fake = FakeAgent({"guest-ping": {}, "guest-exec": Refuse("disabled", "CommandNotFound")})
    await fake.listen(agent.path("fake"))
    agent.fakes.append(fake)
    count = line.count(b"\n") + line.count(b"\xff")
    both = [
        shape(await exchange(agent.path(name), line, lambda came: came.count(b"\n") >= count))
        for name in ("web-1", "fake")
    ]
    assert both[0] == both[1]
    assert len(both[0]) == count
