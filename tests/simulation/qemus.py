"""The simulated QEMUs of a history, each behind a monitor, and what was really done to them.

A guest and its QEMU are those of policy tests (``reactor/app/scenario``); here they
answer over the wire, to the real adapter, and an auditor keeps a list beside them.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reactor.app.scenario import commands
from reactor.app.scenario.agenda import Agenda
from reactor.app.scenario.answers import Answerer
from reactor.app.scenario.guest import SimulatedGuest
from reactor.app.scenario.happenings import happen
from reactor.app.scenario.limiter import Occurrence
from reactor.app.scenario.qemu import Traits
from reactor.core.inputs import Refusal
from reactor.core.subjects_devices import PERIPHERAL
from reactor.policyfile.policy_tests import Answering, EventHappens
from tests.simulation.cable import Cable
from tests.simulation.loop import START, VirtualLoop

GREETING = (
    b'{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}, '
    b'"capabilities": ["oob"]}}\r\n'
)
ACTIONS = {"panic": "pause", "shutdown": "poweroff", "reboot": "reset"}
"""What the command lines say: a panic pauses, with or without reactor."""

PORT = "agent"
DEVICES = ("d0", "d1", "d2")
"""What every QEMU has from its start: a port that is closed, and devices."""

_FORESEEN = (
    EventHappens("", "VSERPORT_CHANGE", {"id": PORT}),
    *(EventHappens("", "DEVICE_DELETED", {"device": name}) for name in DEVICES),
)

WATCHED = frozenset({"dump-guest-memory", "system_reset", "cont", "stop"})


@dataclass(frozen=True, slots=True)
class Deed:
    """A command that a QEMU obeyed: ``incident`` counts the guest's panics, 0 before any."""

    at: float
    guest: str
    incident: int
    command: str
    before: str


class LoopAgenda(Agenda):
    """The agenda of the guests, moved by the loop."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__(START)
        self._loop = loop

    def at(self, moment: float, what: Any) -> None:
        """Let ``what`` be done at this moment."""
        self.catch_up()
        super().at(moment, what)
        self._loop.call_at(max(moment, self.now) - START, self._due)

    def catch_up(self) -> None:
        """It is as late as the loop says."""
        self.jump(START + self._loop.time())

    def _due(self) -> None:
        self.catch_up()
        while (due := self.next()) is not None and due <= self.now + 1e-6:
            self.take()()


@dataclass
class Monitor:
    """One guest with its monitor; whoever connects last is served."""

    guest: SimulatedGuest
    answerer: Answerer
    log: "Qemus"
    cable: Cable | None = None
    incident: int = 0
    partial: bytes = b""
    cut_at: int = 0
    deeds: list[Deed] = field(default_factory=list)

    def opened(self, cable: Cable) -> None:
        """Greet."""
        if self.guest.qemu is None:
            cable.hang_up()
            return
        self.cable, self.partial = cable, b""
        self.greet(cable)

    def greet(self, cable: Cable) -> None:
        """Say who is there."""
        cable.tell(GREETING)

    def received(self, cable: Cable, data: bytes) -> None:
        """Carry out what came in whole."""
        if cable is not self.cable:
            return
        *lines, self.partial = (self.partial + data).split(b"\n")
        for line in lines:
            self.log.agenda.catch_up()
            self.command(json.loads(line))

    def heal(self) -> None:
        """From now on the connection holds."""
        self.cut_at = 0

    def closed(self, cable: Cable) -> None:
        """Nobody listens any more."""
        if cable is self.cable:
            self._leave()

    def _leave(self) -> None:
        self.cable, self.guest.connected = None, False

    def command(self, message: Mapping[str, Any]) -> None:
        """Obey, and answer."""
        name, number, qemu = message["execute"], message.get("id"), self.guest.qemu
        if name == "qmp_capabilities":
            self.guest.connected = True
            self.reply(number, {})
            return
        if qemu is None:
            return
        before = qemu.status

        def answer(result: object) -> None:
            # A slow command's reply goes to whoever is connected by then.
            self.reply(number, result)
            if name in WATCHED and not isinstance(result, Refusal):
                deed = Deed(
                    self.log.agenda.now - START, self.guest.name, self.incident, name, before
                )
                self.deeds.append(deed)
                protocol = str(message.get("arguments", {}).get("protocol", ""))
                if protocol:
                    self.log.files.add(protocol.removeprefix("file:"))

        cuts = self._is_cut()
        if cuts and self.cut_at > 0:
            self.log.cut(self.guest.name, lose_commands=True, lose_replies=True)
            self.cut_at = 0
            return
        commands.execute(qemu, name, message.get("arguments", {}), answer)
        if cuts:
            self.log.cut(self.guest.name, lose_commands=True, lose_replies=True)
            self.cut_at = 0

    def _is_cut(self) -> bool:
        """Whether the connection breaks at this command: at 1 before QEMU obeys, at -1 after."""
        if abs(self.cut_at) > 1:
            self.cut_at += -1 if self.cut_at > 0 else 1
            return False
        return self.cut_at != 0

    def reply(self, number: object, result: object) -> None:
        """Send an answer to who listens."""
        body: dict[str, object] = {"id": number}
        if isinstance(result, Refusal):
            body["error"] = {"class": result.error_class, "desc": result.description}
        else:
            body["return"] = result
        self.send(json.dumps(body).encode() + b"\r\n")

    def send(self, data: bytes) -> None:
        """Send bytes to who listens."""
        if self.cable is not None:
            self.cable.tell(data)

    def told(self, event: Occurrence) -> None:
        """Send an event to who listens."""
        stamp = event.time - self.log.agenda.now + self.log.loop.wall()
        body = {
            "timestamp": {"seconds": int(stamp), "microseconds": round(stamp % 1 * 1e6) % 10**6},
            "event": event.name,
            "data": dict(event.data),
        }
        self.send(json.dumps(body).encode() + b"\r\n")

    def ended(self) -> None:
        """The process is gone, and its end of the connection with it."""
        if self.cable is not None:
            self.cable.hang_up()
            self.cable = None


class Qemus:
    """All guests of a history."""

    def __init__(
        self,
        loop: VirtualLoop,
        guests: Mapping[str, Mapping[str, str]],
        kinds: Mapping[str, "type[Monitor]"],
    ) -> None:
        self.loop = loop
        self.files: set[str] = set()
        self._kinds = kinds
        self.agenda = LoopAgenda(loop)
        self.labels = guests
        self.monitors = {name: self._make(name) for name in guests}

    def _make(self, name: str) -> Monitor:
        answerer = Answerer({})
        guest = SimulatedGuest(
            name,
            self.agenda,
            Traits(actions=ACTIONS),
            answerer,
            lambda name, event: self.monitors[name].told(event),
            lambda name, _words: self.monitors[name].ended(),
            foreseen=_FORESEEN,
        )
        guest.start("running")
        return self._kinds.get(name, Monitor)(guest, answerer, self)

    def connect(self, name: str) -> Cable:
        """A connection to this guest's monitor.

        Raises:
            OSError: there is no QEMU.
        """
        monitor = self.monitors[name]
        if monitor.guest.qemu is None:
            raise ConnectionRefusedError(111, "Connection refused")
        return Cable(self.loop, monitor)

    def epoch(self, name: str) -> str:
        """Which life of QEMU is behind this monitor."""
        return self.monitors[name].guest.epoch

    # ------------------------------------------------------- what happens

    def panic(self, name: str) -> None:
        """The kernel dies, if it runs."""
        monitor = self.monitors[name]
        qemu = monitor.guest.qemu
        self.agenda.catch_up()
        if qemu is not None and qemu.is_running:
            monitor.incident += 1
            happen(qemu, "GUEST_PANICKED", {"action": "pause"})

    def event(self, name: str, event: str, data: Mapping[str, object]) -> None:
        """Something else happens in a guest that runs."""
        qemu = self.monitors[name].guest.qemu
        self.agenda.catch_up()
        if qemu is not None and qemu.is_running:
            happen(qemu, event, data)

    def flip(self, name: str) -> None:
        """The guest opens its port, or closes it."""
        qemu = self.monitors[name].guest.qemu
        if qemu is not None:
            is_open = qemu.belongings.ports.get(PORT, False)
            self.event(name, "VSERPORT_CHANGE", {"id": PORT, "open": not is_open})

    def unplug(self, name: str, device: str) -> None:
        """The guest gives a device back, if it has it."""
        qemu = self.monitors[name].guest.qemu
        if qemu is not None and device in qemu.belongings.devices:
            path = f"{PERIPHERAL}/{device}"
            self.event(name, "DEVICE_DELETED", {"device": device, "path": path})

    def hang(self, name: str, seconds: float) -> None:
        """QEMU does and answers nothing for so long, and then all that it was told."""
        qemu = self.monitors[name].guest.qemu
        self.agenda.catch_up()
        if qemu is not None:
            qemu.deaf_until = max(qemu.deaf_until, self.agenda.now + seconds)

    def die(self, name: str, seconds: float) -> None:
        """QEMU is killed, and started again by its manager after so long."""
        monitor = self.monitors[name]
        self.agenda.catch_up()
        if monitor.guest.qemu is not None:
            monitor.guest.qemu.end("killed")
            monitor.ended()
            self.agenda.after(seconds, functools.partial(self.revive, name))

    def revive(self, name: str) -> None:
        """There is a QEMU again."""
        guest = self.monitors[name].guest
        if guest.qemu is None:
            guest.connected = False
            guest.start("running")

    def heal(self, name: str) -> None:
        """It is there, and its connection breaks no more."""
        self.monitors[name].heal()
        self.revive(name)

    def cut(self, name: str, *, lose_commands: bool, lose_replies: bool) -> None:
        """The connection to the monitor breaks."""
        monitor = self.monitors[name]
        if monitor.cable is not None:
            monitor.cable.cut(lose_commands=lose_commands, lose_replies=lose_replies)

    def dumps(self, name: str, *, takes: float, breaks: str | None) -> None:
        """From now on dumps of this guest take so long, or fail."""
        self.monitors[name].answerer.change(
            {"dump-guest-memory": (Answering(takes=takes, breaks=breaks),)}
        )

    def status(self, name: str) -> str:
        """The run state; empty while there is no QEMU."""
        qemu = self.monitors[name].guest.qemu
        return "" if qemu is None else qemu.status
