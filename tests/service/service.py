"""The service on its machine: installed as the how-to says, with real guests beside it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from reactor.adapters.control import ask
from reactor.app.control.answers import Matrix
from reactor.app.control.asks import AskReadiness
from reactor.demo import bootcode
from reactor.demo.control import Control
from reactor.demo.guests import Guest, GuestPlan
from reactor.demo.process import find_program
from reactor.errors import ControlError
from tests.service import howto
from tests.service.machine import Machine

UNIT = "reactor.service"
ETC = "/etc/reactor"
DUMPS = "/var/lib/reactor-dumps"
GUESTS = "/var/lib/guests"


class Service:
    """One machine with the service on it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._guests = 0
        self._changed = False

    def install(self) -> None:
        """Steps 2 to 5 of the how-to, its own lines; then it serves."""
        machine = self.machine
        machine.shell(howto.commands("groupadd"))
        machine.shell(howto.commands("tmpfiles.d"))
        self.settings(howto.settings())
        machine.shell(howto.commands("cp /opt/reactor/rules"))
        # One policy is enough here, and every start of a test reads them.
        for file in machine.path(f"{ETC}/rules").iterdir():
            if not file.name.startswith("guest-panic."):
                file.unlink()
        machine.path(f"/etc/systemd/system/{UNIT}").write_text(howto.unit())
        # QEMU has a user of its own, in the group of the monitors.
        machine.shell("useradd --system --gid qmp --shell /usr/sbin/nologin qemu")
        machine.shell(f"install -d -m 0700 -o qemu -g qmp {GUESTS}")
        machine.shell(howto.commands("systemctl enable"))
        self._changed = False

    def mend(self) -> None:
        """Undo what a test has changed, and let it serve again."""
        verb = "restart" if self._changed else "start"
        self.settings(howto.settings())
        self.change("")
        self._changed = False
        self.machine.call("systemctl", "reset-failed", "reactor", check=False)
        self.machine.call("systemctl", verb, "reactor")

    def settings(self, text: str) -> None:
        """Write its settings file."""
        self._changed = True
        self.machine.path(f"{ETC}/reactor.yaml").write_text(text)

    def change(self, lines: str) -> None:
        """Change the unit by a drop-in, as `systemctl edit` does; empty: as it is shipped."""
        file = self.machine.path(f"/etc/systemd/system/{UNIT}.d/test.conf")
        if not lines and not file.exists():
            return
        self._changed = True
        file.parent.mkdir(exist_ok=True)
        if lines:
            file.write_text(f"[Service]\n{lines}\n")
        else:
            file.unlink()
        self.machine.call("systemctl", "daemon-reload")

    def show(self, key: str) -> str:
        """A property of the unit."""
        told = self.machine.call("systemctl", "show", f"--property={key}", "--value", UNIT)
        return told.stdout.strip()

    @property
    def state(self) -> str:
        """``active``, ``reloading``, ``failed`` and so on."""
        return self.show("ActiveState")

    def says(self, words: str, after: str) -> None:
        """Wait for words in its log."""
        self.machine.until(
            f"it says {words!r}",
            lambda: any(words in line for line in self.machine.log(UNIT, after=after)),
        )

    def comes_back(self, restarts: int) -> None:
        """Wait until systemd has started it once more."""
        self.machine.until(
            "systemd starts it again",
            lambda: self.show("NRestarts") == f"{restarts + 1}" and self.state == "active",
        )

    def kernel(self, file: str, key: str) -> str:
        """What the kernel says of its process, in a file below `/proc/PID`."""
        text = Path(self.machine.root, "proc", self.show("MainPID"), file).read_text()
        found = re.search(rf"^{key}:?\s+(.*)$", text, re.MULTILINE)
        assert found, key
        return found[1]

    def dumps(self, guest: str) -> list[Path]:
        """The dumps of a guest."""
        return sorted(self.machine.path(DUMPS).glob(f"{guest}-*"))

    @asynccontextmanager
    async def guest(self) -> AsyncIterator["Served"]:
        """A guest that was started as step 3 says, and is up; it ends with the test."""
        self._guests += 1
        name = f"web-{self._guests}"
        outside = self.machine.path(GUESTS)
        guest = Guest(name, outside, GuestPlan(boot=bootcode.guest_code(panics=0)))
        guest.files.mkdir()
        options = [word.replace(str(outside), GUESTS) for word in guest.options()]
        self.machine.shell(f"chown -R qemu:qmp {GUESTS}/{name}.files")
        self.machine.call(
            *("systemd-run", f"--unit={name}", "--uid=qemu", "--gid=qmp", "-p", "UMask=0007"),
            *("--", find_program("qemu-system-x86_64"), *options),
            *("-qmp", f"unix:/run/qemu/{name}.sock,server=on,wait=off"),
            *("-qmp", f"unix:{GUESTS}/{name}.sock,server=on,wait=off"),
        )
        self.machine.until("QEMU listens", guest.monitor.exists)
        control = await Control.connect(name, guest.monitor)
        try:
            await control.command("cont")
            await guest.up()
            yield Served(self, guest, control)
        finally:
            await control.close()
            self.machine.call("systemctl", "stop", name)


class Served:
    """A guest of the service, and a monitor of our own."""

    def __init__(self, service: Service, guest: Guest, control: Control) -> None:
        self.service = service
        self.guest = guest
        self.control = control
        self.name = guest.name

    def watched(self) -> None:
        """Return when the daemon may act on it."""
        self.service.machine.until(f"{self.name} is ready", self._is_ready)

    def _is_ready(self) -> bool:
        socket = self.service.machine.path("/var/lib/reactor/journal.db.sock")
        question = msgspec.json.encode(AskReadiness("panic-dump-reset", self.name, whole=True))
        try:
            answer = ask(socket, question)
        except ControlError:
            return False
        rows = msgspec.json.decode(answer.data, type=Matrix).rows
        return [row.state for row in rows] == ["ready"]

    async def panic(self) -> None:
        """Let its kernel panic, now."""
        await self.control.command("inject-nmi")
        await self.control.event("GUEST_PANICKED", within=40)

    async def is_back(self, boots: int = 2) -> None:
        """Return when it works again after its reset."""
        await self.guest.up(boots, within=40)
