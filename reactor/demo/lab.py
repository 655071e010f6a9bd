"""A short-lived folder with real guests and storage daemons; all of it ends with it."""

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self, TypeVar

from reactor.demo.disk import Fault, QuorumDisk
from reactor.demo.emulator import Emulator
from reactor.demo.guests import Guest, GuestPlan, StorageDaemon

_Started = TypeVar("_Started", bound=Emulator)

# More starts at once than cores only make all of them late.
_AT_ONCE: Final = 4


class Lab:
    """``async with Lab() as lab``: leaving it kills what it started, and nothing else.

    Attributes:
        folder: holds the monitors as ``NAME.sock``; give the daemon `pattern`.
    """

    def __init__(self) -> None:
        # Short, because a unix socket's path has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="reactor-"))
        self._emulators: list[Emulator] = []

    @property
    def pattern(self) -> str:
        """The glob that finds every monitor of the lab, and nothing else."""
        return str(self.folder / "*.sock")

    async def guest(
        self,
        name: str = "guest-1",
        plan: GuestPlan | None = None,
        *,
        disk: QuorumDisk | None = None,
    ) -> Guest:
        """A started guest, still paused before its first instruction.

        Raises:
            DemoError: see `Emulator.start`.
        """
        return await self._start(Guest(name, self.folder, plan or GuestPlan(), disk))

    async def fleet(
        self, count: int, plan: GuestPlan | None = None, *, at_once: int = _AT_ONCE
    ) -> list[Guest]:
        """Started guests ``guest-1``, ``guest-2``, ..., still paused; some start at a time."""
        turns = asyncio.Semaphore(at_once)

        async def one(number: int) -> Guest:
            async with turns:
                return await self.guest(f"guest-{number}", plan)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(number)) for number in range(1, count + 1)]
        except ExceptionGroup as errors:
            # One sentence for the operator: what stops the first start stops the others.
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    async def storage_daemon(self, name: str, *disks: QuorumDisk) -> StorageDaemon:
        """A started storage daemon that holds these disks."""
        return await self._start(StorageDaemon(name, self.folder, disks))

    def disk(
        self, name: str, *, faults: Mapping[int, Fault] | None = None, repairs: bool = False
    ) -> QuorumDisk:
        """A disk in three copies that agree, of which two must; nobody has it open yet."""
        disk = QuorumDisk(name=name, folder=self.folder, faults=faults or {}, repairs=repairs)
        disk.create()
        return disk

    async def _start(self, emulator: _Started) -> _Started:
        # Known before it runs: a cancelled start is ended, too.
        self._emulators.append(emulator)
        await emulator.start()
        return emulator

    async def close(self) -> None:
        """Kill and reap everything that was started here, then remove the folder."""
        try:
            await asyncio.gather(*(emulator.close() for emulator in self._emulators))
        finally:
            shutil.rmtree(self.folder)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()
