"""Real QEMU guests that panic on demand, and storage daemons whose disks go bad."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from reactor.demo import bootcode
from reactor.demo.disk import QuorumDisk
from reactor.demo.emulator import Emulator
from reactor.demo.process import DemoError
from reactor.demo.waiting import until

AGENT_PORT: Final = "agent"
"""The device id of the agent's port: VSERPORT_CHANGE calls it ``id``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestPlan:
    """What a guest is made of; the default is a small one that panics at its first boot.

    Args:
        boot: its boot sector, from `reactor.demo.bootcode`.
        memory: the value of QEMU's ``-m``.
        machine: the value of QEMU's ``-M``; ``pc`` or ``q35``.
        preserved: QEMU keeps the guest at a panic (``-action panic=pause``); without it a
            panic ends QEMU within milliseconds, unless somebody sends ``set-action``.
        agent_port: it has a virtio-serial port with the name of the guest agent, whose
            other end is the socket ``NAME.agent`` beside the monitor.
        panic_device: it has a device that tells QEMU of a panic.
        options: more options of QEMU.
    """

    boot: bytes = field(default_factory=bootcode.guest_code)
    memory: str = "16M"
    machine: str = "pc"
    preserved: bool = False
    agent_port: bool = False
    panic_device: bool = True
    options: tuple[str, ...] = ()


class Guest(Emulator):
    """A guest; `start` leaves it paused before its first instruction, `run` lets it go.

    Attributes:
        disk: its hard disk in copies, or None.
    """

    program = "qemu-system-x86_64"
    monitor_option = "-mon"

    def __init__(
        self, name: str, folder: Path, plan: GuestPlan, disk: QuorumDisk | None = None
    ) -> None:
        super().__init__(name, folder)
        self.plan = plan
        self.disk = disk
        self.uuid = uuid.uuid5(uuid.NAMESPACE_OID, name)
        self.agent = folder / f"{name}.agent"
        self._console = self.files / "console.txt"

    def options(self) -> list[str]:
        """The hardware of the plan."""
        plan = self.plan
        boot = self.boots_next(plan.boot)
        return [
            # KVM is never tried: nested, it takes seconds for what TCG does in 0.1 s.
            *("-accel", "tcg", "-M", plan.machine, "-m", plan.memory, "-S"),
            *("-nodefaults", "-no-user-config", "-display", "none"),
            *("-name", self.name, "-uuid", str(self.uuid)),
            # A floppy: the firmware does not boot a hard disk of 512 bytes.
            *("-drive", f"file={boot},format=raw,if=floppy,readonly=on", "-boot", "order=a"),
            *(("-device", "pvpanic") if plan.panic_device else ()),
            *("-chardev", f"file,id=console,path={self._console}"),
            *("-device", "isa-debugcon,chardev=console"),
            *(("-action", "panic=pause") if plan.preserved else ()),
            *(self._agent_options() if plan.agent_port else ()),
            *(self._disk_options(self.disk) if self.disk is not None else ()),
            *plan.options,
        ]

    def _agent_options(self) -> list[str]:
        # The boot sector looks for the controller in PCI slot 5, and opens port 1.
        port = f"virtserialport,nr=1,chardev=agent,id={AGENT_PORT},name=org.qemu.guest_agent.0"
        return [
            *("-chardev", f"socket,id=agent,path={self.agent},server=on,wait=off"),
            *("-device", "virtio-serial-pci,id=serial,addr=5", "-device", port),
        ]

    @staticmethod
    def _disk_options(disk: QuorumDisk) -> list[str]:
        nodes = [part for node in disk.blockdevs() for part in ("-blockdev", node)]
        return [*nodes, "-device", f"ide-hd,drive={disk.name},id={disk.name}-device"]

    def boots_next(self, boot: bytes) -> Path:
        """Put another boot sector into its place: QEMU reads it at the next reset."""
        image = self.files / "boot.img"
        image.write_bytes(boot)
        return image

    # ------------------------------------------------------------ what it does

    async def run(self) -> None:
        """Let a paused guest go on (``cont``)."""
        await self.control.command("cont")

    async def panic(self) -> None:
        """Make a working guest panic now (``inject-nmi``), as an operator may do by hand.

        Wait for `up` first: in the firmware an NMI resets the guest instead.
        """
        await self.control.command("inject-nmi")

    async def read_disk(self, offset: int = 0, length: int = 512) -> None:
        """Have QEMU read its disk, whether the guest runs or not; events tell how it went.

        The read's own result goes to QEMU's output, not into a reply (HMP ``qemu-io``).
        """
        if self.disk is None:
            raise DemoError(f"guest {self.name}", "it has no disk", "give it one")
        await self.control.hmp(f'qemu-io {self.disk.name} "read {offset} {length}"')

    @property
    def console(self) -> str:
        """What it wrote since QEMU started: see `reactor.demo.bootcode`."""
        return self._console.read_text("ascii") if self._console.exists() else ""

    @property
    def boots(self) -> int:
        """How often it came up since QEMU started."""
        return self.console.count("U")

    @property
    def panics(self) -> int:
        """How often it panicked since QEMU started, by its own account."""
        return self.console.count("P")

    @property
    def failed_reads(self) -> int:
        """How many reads of its disk it saw fail since QEMU started."""
        return self.console.count("!")

    async def booted(self, boots: int = 1, within: float = 10.0) -> None:
        """Return when it has come up so many times since QEMU started."""
        await until(
            f"guest {self.name} comes up {boots} times", lambda: self.boots >= boots, within
        )

    async def up(self, boots: int = 1, within: float = 10.0) -> None:
        """Return when it has come up so many times, and works now."""
        await self.booted(boots, within)
        await self.alive(within)

    async def alive(self, within: float = 10.0) -> None:
        """Return at its next heartbeat; a dead or paused guest has none.

        Raises:
            DemoError: no heartbeat within ``within`` seconds.
        """
        before = len(self.console)
        await until(
            f"guest {self.name} gives a heartbeat",
            lambda: self.console[before:].endswith((".", "!")),
            within,
        )


class StorageDaemon(Emulator):
    """A qemu-storage-daemon: disks in copies, and no guest at all."""

    program = "qemu-storage-daemon"
    monitor_option = "--monitor"

    def __init__(self, name: str, folder: Path, disks: Sequence[QuorumDisk]) -> None:
        super().__init__(name, folder)
        self.disks: Mapping[str, QuorumDisk] = {disk.name: disk for disk in disks}

    def options(self) -> list[str]:
        """The disks, each with a place where its backups vanish."""
        return [
            part
            for disk in self.disks.values()
            for node in (*disk.blockdevs(), self._nowhere(disk))
            for part in ("--blockdev", node)
        ]

    @staticmethod
    def _nowhere(disk: QuorumDisk) -> str:
        return f"driver=null-co,node-name={disk.name}-nowhere,size={disk.size_bytes}"

    async def read_disk(self, disk: str) -> str | None:
        """Read a whole disk (a backup to nowhere); QEMU's error text, None when it was read."""
        control = self.control
        mark = control.seen
        job = f"read-{disk}"
        arguments = {
            "job-id": job,
            "device": disk,
            "target": f"{disk}-nowhere",
            "sync": "full",
        }
        await control.command("blockdev-backup", arguments)
        ended = await control.event(
            "BLOCK_JOB_COMPLETED", lambda data: data["device"] == job, after=mark
        )
        # The job's name is free again only now.
        await control.event(
            "JOB_STATUS_CHANGE",
            lambda data: data == {"id": job, "status": "null"},
            after=mark,
        )
        error: str | None = ended.data.get("error")
        return error
