"""Run the example's flow in a real Node-RED: `python -m tests.nodered PATH-TO-RED.JS`.

A real broker with the ACL of the example's page, the whole daemon, a guest that panics, a web
server in place of the phone's. Exit code 0: everything came that should.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reactor.app.requests.kinds import Kind
from reactor.app.settings import HostSettings, MqttSettings
from reactor.demo.waiting import until
from tests.app.house import House
from tests.docs.pages import page
from tests.fakes.broker import Mosquitto, free_port
from tests.fakes.web import Server
from tests.nodered.flow import nodes

LIMIT_S = 120.0
USERS = {"reactor-host-1": "r", "node-red": "n"}


def acl() -> str:
    """Reactor's own line, and those of the example."""
    found = re.search(
        r"```text\n(user node-red\n.*?)```", page("examples/node-red/README.md"), re.DOTALL
    )
    assert found is not None
    return f"user reactor-host-1\ntopic readwrite reactor/host-1/#\n\n{found[1]}"


@dataclass
class NodeRed:
    """A Node-RED with the flow, its address and broker replaced."""

    port: int
    log: Path

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """What is answered there; None where nothing is."""
        return self._ask("GET", path)

    def press(self, button: str) -> None:
        """Press a button of the editor."""
        self._ask("POST", f"/inject/{button}")

    def _ask(self, method: str, path: str) -> Any:  # noqa: ANN401 - JSON
        address = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(address, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                text = answer.read().decode()
        except (OSError, urllib.error.HTTPError):
            return None
        return json.loads(text) if text.startswith(("[", "{")) else text


@contextlib.contextmanager
def node_red(program: Path, folder: Path, broker: Mosquitto, phone: Server) -> Iterator[NodeRed]:
    """Runs inside the block."""
    flow = nodes()
    flow["reactor-broker"] |= {
        "broker": "127.0.0.1",
        "port": str(broker.port),
        "usetls": False,
    }
    who = {"reactor-broker": {"user": "node-red", "password": USERS["node-red"]}}
    (folder / "flows_cred.json").write_text(json.dumps(who), encoding="utf-8")
    flow["ring"]["url"] = phone.url("/")
    (folder / "flows.json").write_text(json.dumps(list(flow.values())), encoding="utf-8")
    port = free_port()
    settings = (
        f"module.exports = {{flowFile: 'flows.json', uiPort: {port}, uiHost: '127.0.0.1', "
        "credentialSecret: false, telemetry: {enabled: false}}\n"
    )
    (folder / "settings.js").write_text(settings, encoding="utf-8")
    command = ["node", str(program), "--userDir", str(folder), "-s", str(folder / "settings.js")]
    log = folder / "node-red.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env=os.environ | {"HOME": str(folder)}
        )
        try:
            yield NodeRed(port, log)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


async def play(red: NodeRed, house: House, phone: Server) -> None:
    """What the page says, one after the other."""

    async def waits(what: str, true: Any) -> None:  # noqa: ANN401 - a condition
        await until(what, true, LIMIT_S)
        sys.stdout.write(f"node-red: {what}\n")

    def shows(status: str) -> bool:
        guests = red.get("/guests") or []
        return [(one["name"], one["status"]) for one in guests] == [("web-1", status)]

    async def guests_are(status: str) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not await asyncio.to_thread(shows, status):  # noqa: ASYNC110 - over HTTP
                await asyncio.sleep(0.1)
        sys.stdout.write(f"node-red: GET /guests shows web-1 as {status}\n")

    await guests_are("running")
    guest = house.monitors[0]
    guest.panic("GUEST_PANICKED")  # type: ignore[attr-defined]
    await waits("the phone rings", lambda: bool(phone.got))
    ring = json.loads(phone.got[0].body)
    assert ring["title"] == "web-1 on host-1 panicked", ring
    assert ring["message"].endswith(": QEMU did: pause"), ring
    await guests_are("guest-panicked")
    await asyncio.to_thread(red.press, "button")
    world = house.daemon.engine.world
    await waits("the button holds everything", lambda: bool(world.restraints.holds))
    (hold,) = world.restraints.holds.values()
    assert "node-red" in str(hold), hold


async def main(program: Path) -> int:
    """Set it all up, play it, take it down."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nr", dir="/tmp")))
        for name in ("broker", "red", "host"):
            (folder / name).mkdir()
        broker = stack.enter_context(Mosquitto(folder / "broker", users=USERS, acl=acl()))
        phone = stack.enter_context(Server())
        password = folder / "password"
        password.write_text(USERS["reactor-host-1"], encoding="utf-8")
        password.chmod(0o600)
        house = House(folder / "host", folder)
        mqtt = MqttSettings(
            broker.url,
            username="reactor-host-1",
            password_file=password,
            allow=(Kind.HOLD,),
        )
        house.settings = replace(house.settings, host=HostSettings("host-1"), mqtt=mqtt)
        await house.guest("web-1")
        red = stack.enter_context(node_red(program, folder / "red", broker, phone))
        try:
            await house.start("web-1")
            await play(red, house, phone)
        except BaseException:
            sys.stdout.write(red.log.read_text(encoding="utf-8")[-4000:])
            sys.stdout.write(broker.log[-3000:])
            raise
        finally:
            await house.clear()
    sys.stdout.write("node-red: the flow of examples/node-red works\n")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]))))
