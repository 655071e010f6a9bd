"""The folder of memory dumps: whether one may be written there, what stays, what a failed one left.

All looks at the disk are made in threads, one after the other.
"""

import asyncio
import math
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import structlog

from reactor.adapters.dump_folder import Card, Found, card_of, remove, scan, write_card
from reactor.adapters.filesystem import aside
from reactor.adapters.journal import InputRow, Journal, Reader
from reactor.app.clock import Clock
from reactor.app.records import DUMP, DUMP_REMOVED
from reactor.app.settings import DumpsSettings
from reactor.app.vault import Removal, estimate, judge, partial, surplus
from reactor.core.effect import AskPath, Dumped
from reactor.core.inputs import Answered, Refusal
from reactor.errors import JournalError

ROUND_S = 3600.0
"""Seconds between two looks at what may stay, where no dump comes in between."""

NOBODY_KNOWS = math.inf
"""When a dump was whole of which this journal cannot tell: it is not lost, and not noted."""

log = structlog.get_logger("reactor")


def _nobody_knows(run: str) -> bool:
    del run
    return True


class Dumps:
    """Answers for ``dumps.folder`` and the paths of ``dumps.allow``, and keeps the folder in order.

    Args:
        journal: hears what was removed, and knows which dumps were whole; without one no dump
            counts as partial.
        is_open: whether a run has not ended; nothing of those that have not is removed.
        now: the engine's clock.
        wall: the time of day, by which files are dated; without one it is the engine's.
    """

    def __init__(
        self,
        settings: DumpsSettings,
        journal: Journal | None = None,
        is_open: Callable[[str], bool] = _nobody_knows,
        now: Callable[[], float] | None = None,
        wall: Callable[[], float] | None = None,
    ) -> None:
        self._settings = settings
        self._folder = settings.folder
        self._journal = journal
        self._is_open = is_open
        self._now = now or Clock().now
        self._wall = wall or self._now
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()

    async def problem(self, question: AskPath) -> str:
        """Why a dump must not be written to the path, or an empty string.

        The folder is made, 0700, where it is missing. Older dumps go where the quota asks for it.
        """
        async with self._turn:
            return await aside(self._problem, question)

    async def dumped(self, dump: Dumped) -> None:
        """It is whole: from now on it counts, and may become too old."""
        async with self._turn:
            await aside(self._done, Path(dump.path))
        self._wake.set()

    async def size(self, name: str, path: str) -> Answered:
        """What a dump has left at ``path``: its bytes, or null where there is nothing.

        ``name`` is the id of the question. An error says why it cannot be seen.
        """
        # In turn: on a file system that hangs one thread does, not one for each question.
        async with self._turn:
            return await aside(_size, name, Path(path))

    async def discard(self, path: str) -> None:
        """Remove what a failed dump left; only a plain file below the folder."""
        async with self._turn:
            await aside(self._discard, Path(path))
        self._wake.set()

    async def run(self) -> None:
        """Keep the folder in order until cancelled: now, after each dump, and every hour."""
        await aside(self._tell_rights)
        while True:
            self._wake.clear()
            async with self._turn:
                await aside(self._put_in_order)
            try:
                async with asyncio.timeout(ROUND_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    # ------------------------------------------------ before a dump

    def _problem(self, question: AskPath) -> str:
        path = Path(question.path)
        try:
            if self._inside(path):
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return self._parent_problem(path) or self._no_room(question)
        except (OSError, ValueError) as error:
            return f"the dump path {path} cannot be used: {_why(error)}"
        if stat.S_ISREG(mode) or str(path) not in self._settings.allow:
            return f"the dump target {path} exists already"
        return ""

    def _parent_problem(self, path: Path) -> str:
        parent = path.parent
        if not parent.is_dir():
            return f"the folder {parent} of the dump does not exist"
        if self._inside(path) and not self._is_ours(path):
            return f"the folder {parent} of the dump leads out of {self._folder}"
        return ""

    def _no_room(self, question: AskPath) -> str:
        """Why there is no room for the dump; where there is, its card is written."""
        path = Path(question.path)
        if not self._inside(path):
            return ""
        try:
            self._note_whole()
            disk = os.statvfs(path.parent)
            free = disk.f_bavail * disk.f_frsize
            judged = judge(
                scan(self._folder), self._settings, question.memory_bytes, free, self._is_open
            )
            if judged.problem:
                return judged.problem
            self._remove(judged.removals)
            if question.is_told:
                size = estimate(question.memory_bytes)
                card = Card(question.guest, question.run, question.policy, self._now(), size)
                write_card(path, card)
        except OSError as error:
            return f"the dump path {path} cannot be used: {_why(error)}"
        return ""

    # ------------------------------------------------ after a dump

    def _done(self, path: Path) -> None:
        """Note that it is whole since now."""
        found = next((each for each in scan(self._folder) if each.path == path), None)
        if found is not None:
            self._note(found, self._now())

    def _note(self, found: Found, at: float) -> None:
        try:
            write_card(found.path, msgspec.structs.replace(found.card, done=at))
        except OSError as error:
            log.warning("dump cannot be noted", path=str(found.path), reason=_why(error))

    def _discard(self, path: Path) -> None:
        try:
            if self._is_ours(path) and stat.S_ISREG(os.lstat(path).st_mode):
                path.unlink()
                card_of(path).unlink(missing_ok=True)
                log.info("partial dump removed", path=str(path))
        except FileNotFoundError:
            card_of(path).unlink(missing_ok=True)
        except (OSError, ValueError) as error:
            log.warning("partial dump cannot be removed", path=str(path), reason=_why(error))

    # ------------------------------------------------ order

    def _put_in_order(self) -> None:
        now = self._now()
        self._note_whole()
        # Cards go by the one and files by the other: by the earlier one nothing goes too soon.
        lost = partial(scan(self._folder), min(now, self._wall()), self._is_open)
        self._remove([each for each in lost if self._is_lost(each.found)])
        self._remove(surplus(scan(self._folder), self._settings, now, self._is_open))

    def _note_whole(self) -> None:
        """Note those that the journal has as whole: reactor died before it could.

        Before anything is judged: one that counts as partial is reckoned with all the memory of
        its guest, and others would go for room that nobody needs.
        """
        for found in scan(self._folder):
            if found.card.done is None and found.exists:
                at = self._whole_at(found)
                if at is not None and at != NOBODY_KNOWS:
                    self._note(found, at)

    def _is_lost(self, found: Found) -> bool:
        """Whether this journal knows that the dump was never whole."""
        return self._whole_at(found) is None

    def _whole_at(self, found: Found) -> float | None:
        """When the dump was whole, by the journal; None: never."""
        identity, _, _ = found.card.run.rpartition("-")
        if self._journal is None or identity != self._journal.identity:
            return NOBODY_KNOWS  # another journal's, perhaps one that was lost
        try:
            return _noted_at(self._journal.reader, found)
        except JournalError:
            return NOBODY_KNOWS

    def _remove(self, removals: Sequence[Removal]) -> None:
        for found, reason in removals:
            path, card = str(found.path), found.card
            try:
                remove(found)
            except OSError as error:
                log.warning("dump cannot be removed", path=path, reason=_why(error))
                continue
            if found.exists and self._journal is not None:
                log.info("dump removed", path=path, guest=card.guest, run=card.run, reason=reason)
                body = msgspec.json.encode({"run": card.run, "reason": reason})
                row = InputRow(self._now(), card.guest, DUMP_REMOVED, path, body)
                self._journal.lazily([row])

    def _tell_rights(self) -> None:
        try:
            found = self._folder.stat()
        except OSError:
            return  # it is made for the first dump
        mode = stat.S_IMODE(found.st_mode)
        # A QEMU of another user needs our group to write here; what it writes only it may read.
        others = 0o007 if found.st_gid == os.getegid() else 0o077
        if mode & others:
            log.warning(
                "dumps can be reached by others: memory holds secrets",
                folder=str(self._folder),
                mode=f"{mode:04o}",
                fix=f"chmod 0700 {self._folder}; 2770 and reactor's own group where QEMU runs as "
                "another user of that group",
            )

    def _inside(self, path: Path) -> bool:
        return _below(path, self._folder)

    def _is_ours(self, path: Path) -> bool:
        """Whether it is below the folder also where links and dots lead."""
        return self._inside(path) and _below(path.parent.resolve(), self._folder.resolve())


def _noted_at(reader: Reader, found: Found) -> float | None:
    """When this dump was whole, as the journal says; None when it does not."""
    card = found.card
    after = reader.before(card.asked)
    rows = reader.history(after, 1, guest=card.guest, name=str(found.path), kind=DUMP)
    return rows[0].at if rows else None


def _size(name: str, path: Path) -> Answered:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return Answered(name)
    except (OSError, ValueError) as error:
        return Answered(name, error=Refusal("Target", f"{path} cannot be seen: {_why(error)}"))
    if not stat.S_ISREG(found.st_mode):
        # A device or FIFO was there before the dump, and says nothing of it.
        return Answered(name, error=Refusal("Target", f"{path} is no plain file"))
    return Answered(name, result=found.st_size)


def _below(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
