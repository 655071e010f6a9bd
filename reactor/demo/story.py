"""The demo: real guests get into trouble, the real daemon reacts, the terminal tells it."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiomqtt

from reactor.app.shipped import shipped_rules
from reactor.demo.broker import Broker
from reactor.demo.dumps import dump_files, dump_problem
from reactor.demo.guests import GuestPlan
from reactor.demo.lab import Lab
from reactor.demo.narrator import Narrator
from reactor.demo.process import DemoError

WITHIN_S = 60.0
"""Seconds for each chapter of the story."""

_SETTINGS = """\
host: {{name: demo}}
guests:
  - discover: {pattern}
    labels: {{tier: demo}}
rules: [{rules}]
mqtt: {{url: '{broker}'}}
journal: {{path: {folder}/journal.db}}
dumps: {{folder: {folder}/dumps}}
"""


async def main(keep: Path | None, output: str) -> int:
    """Tell the story; 0 when everything that was promised was seen.

    Args:
        keep: a folder that keeps the dump, the journal and the logs; None: a
            temporary one that is removed.
        output: ``text`` or ``jsonl``.

    Raises:
        DemoError: a program is missing, or something did not happen in time.
    """
    folder = _folder(keep)
    try:
        async with Lab() as lab, _Stage(folder, lab, Narrator(output)) as stage:
            await _panic(stage)
            await _bad_disk(stage)
            return stage.narrator.verdict()
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _folder(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="reactor-demo-"))
    keep.mkdir(parents=True, exist_ok=True)
    return keep.resolve()


@dataclass
class _Stage(contextlib.AbstractAsyncContextManager["_Stage"]):
    """Broker, daemon and ears; ``heard`` are all messages, the oldest first."""

    folder: Path
    lab: Lab
    narrator: Narrator
    heard: list[tuple[str, Any]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _exit: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def __aenter__(self) -> Self:
        try:
            await self._set()
        except BaseException:
            await self._exit.aclose()
            raise
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._exit.aclose()

    async def _set(self) -> None:
        say = self.narrator
        say.chapter("A host with two QEMU processes, a broker, and reactor")
        broker = Broker(self.folder)
        self._exit.push_async_callback(broker.close)
        await broker.start()
        say.did(f"mosquitto listens on {broker.url}")
        ears = asyncio.create_task(self._listen(broker.port))
        self._exit.push_async_callback(_cancelled, ears)
        await self.until("the subscriber is ready", lambda: bool(self.heard))
        settings = self.folder / "reactor.yaml"
        settings.write_text(
            _SETTINGS.format(
                pattern=self.lab.pattern,
                rules=shipped_rules(),
                broker=broker.url,
                folder=self.folder,
            )
        )
        await self._exit.enter_async_context(_daemon(settings, self.folder / "reactor.log"))
        say.did(f"reactor runs, with the policies of {shipped_rules()}")
        await self.until("reactor is online", lambda: self.last("availability") == "online")

    async def _listen(self, port: int) -> None:
        async with aiomqtt.Client("127.0.0.1", port) as client:
            await client.subscribe("reactor/demo/#", qos=1)
            self.heard.append(("", None))
            self._changed.set()
            async for message in client.messages:
                topic = str(message.topic).removeprefix("reactor/demo/")
                payload = _payload(message.payload)
                self.heard.append((topic, payload))
                self.narrator.heard(topic, payload)
                self._changed.set()

    def last(self, topic: str) -> Any:  # noqa: ANN401 - any JSON
        """The newest payload of a topic, or None."""
        return next((p for t, p in reversed(self.heard) if t == topic), None)

    async def until(self, what: str, true: Callable[[], bool]) -> None:
        """Return when the messages make it true.

        Raises:
            DemoError: they did not in time.
        """
        try:
            async with asyncio.timeout(WITHIN_S):
                while not true():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise DemoError(
                "the demo",
                f"this did not happen within {WITHIN_S:g} s: {what}",
                "run it again with `reactor demo --keep FOLDER` and read FOLDER/reactor.log",
            ) from None

    def run_of(self, policy: str) -> Any:  # noqa: ANN401 - any JSON
        """The newest word on a policy's last run, or None while none has ended."""
        return self.last(f"policy/{policy}/last")


@contextlib.asynccontextmanager
async def _daemon(settings: Path, log: Path) -> AsyncIterator[None]:
    command = [sys.executable, "-m", "reactor", "run", "-c", str(settings), "--log-format", "json"]
    # The user's own settings must not lead the demo to another broker.
    own = {name: text for name, text in os.environ.items() if not name.startswith("REACTOR_")}
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=sink, stderr=sink, env=own
        )
    try:
        yield
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 15)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _payload(body: object) -> Any:  # noqa: ANN401 - any JSON
    text = bytes(body).decode(errors="replace") if isinstance(body, bytes | bytearray) else ""
    try:
        return json.loads(text)
    except ValueError:
        return text


async def _panic(stage: _Stage) -> None:
    say = stage.narrator
    say.chapter("A guest panics: keep the evidence, bring it back")
    guest = await stage.lab.guest("web-1", GuestPlan(memory="64M"))
    say.did("QEMU runs guest web-1; by itself it would die at a panic, so reactor arms it first")
    online = "guest/web-1/availability"
    await stage.until("reactor watches web-1", lambda: stage.last(online) == "online")
    await guest.run()
    say.did("the guest's kernel is started, and panics at once")
    policy = "panic-dump-reset"
    await stage.until("the run has ended", lambda: stage.run_of(policy) is not None)
    run = stage.run_of(policy)
    say.check(f"the run of {policy} succeeded", run["outcome"] == "succeeded", str(run["error"]))
    await guest.up(within=WITHIN_S)
    dumps = dump_files(stage.folder / "dumps")
    problem = dump_problem(dumps[0]) if dumps else "there is no file"
    size = dumps[0].stat().st_size if dumps else 0
    say.check(f"the memory dump is whole ({size:,} bytes)", problem is None, problem or "")
    resets = [
        event
        for event in guest.control.events("RESET")
        if event.data.get("reason") == "host-qmp-system-reset"
    ]
    say.check("there was exactly one reset", len(resets) == 1, f"{len(resets)} resets")
    say.check("the guest is running again", await guest.control.status() == "running")


async def _bad_disk(stage: _Stage) -> None:
    say = stage.narrator
    say.chapter("A copy of a disk goes bad: mark it, tell people once")
    disk = stage.lab.disk("disk0")
    store = await stage.lab.storage_daemon("store-1", disk)
    say.did("a qemu-storage-daemon holds disk0 in three copies, of which two must agree")
    online = "guest/store-1/availability"
    await stage.until("reactor watches store-1", lambda: stage.last(online) == "online")
    disk.spoil(1)
    error = await store.read_disk("disk0")
    say.did("copy 1 was spoilt, and the disk is read")
    mark = f"guest/store-1/mark/disk/{disk.node(1)}/degraded"
    await stage.until("the disk is marked", lambda: stage.last(mark) is not None)
    policy = "quorum-report-bad"
    await stage.until("the run has ended", lambda: stage.run_of(policy) is not None)
    say.check("the read itself succeeded: two copies agree", error is None, str(error))
    say.check(f"{disk.node(1)} is marked degraded", stage.last(mark)["as"] == "degraded")
    alerts = [topic for topic, _ in stage.heard if topic.startswith("alert/")]
    say.check("people were told on MQTT", bool(alerts), "no alert")
