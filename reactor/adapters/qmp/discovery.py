"""Guests found by their sockets: they appear and vanish while reactor runs."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing, suppress
from typing import Protocol

import watchfiles

from reactor.adapters.qmp.pattern import parse_pattern
from reactor.adapters.qmp.survey import Folder, Found, Stamps, stamps, survey
from reactor.errors import SettingsError

# Between the first change in a folder and the scan: a QEMU that has made its
# socket listens on it a moment later.
_SETTLE_MS = 50

# After so many rescans that found every folder's stamp unchanged the sockets
# are looked through all the same: a stamp is as coarse as the system's clock.
_SCAN_ANYWAY = 15


class Finder(Protocol):
    """Who is told; every method is called on the loop and returns soon."""

    def on_found(self, found: Found) -> None:
        """A socket appeared."""

    def on_vanished(self, guest: str) -> None:
        """The socket of a guest that was found is gone."""

    def on_problem(self, error: SettingsError) -> None:
        """Something keeps sockets from being found; told once until it is mended."""


class Discovery:
    """Watches patterns such as ``/run/qemu/*.sock``.

    The folders are watched by the system's own notices; every ``rescan_s``
    seconds their time stamps are compared all the same: notices get lost, and
    a folder may appear later.

    Args:
        limit: guests at most; what is found beyond is left out and told.

    Raises:
        SettingsError: a pattern is wrong.
    """

    def __init__(
        self,
        patterns: Sequence[str],
        finder: Finder,
        *,
        rescan_s: float = 2.0,
        limit: int = 10_000,
    ) -> None:
        self._patterns = [parse_pattern(text) for text in patterns]
        self._finder = finder
        self._rescan_s = rescan_s
        self._limit = limit
        self._found: dict[str, Found] = {}
        self._told: frozenset[str] = frozenset()
        self._folders: frozenset[Folder] = frozenset()
        self._stamps: Stamps = {}

    async def scan(self) -> None:
        """Look once, and tell what changed since the last look."""
        known = dict(self._found)
        # In a thread: 10,000 sockets take longer than the loop may be held up.
        seen = await asyncio.to_thread(survey, self._patterns, known, self._limit)
        for guest, found in known.items():
            if seen.found.get(guest) != found:
                del self._found[guest]
                self._finder.on_vanished(guest)
        for guest, found in seen.found.items():
            if guest not in self._found:
                self._found[guest] = found
                self._finder.on_found(found)
        for key, error in seen.problems.items():
            if key not in self._told:
                self._finder.on_problem(error)
        self._told = frozenset(seen.problems)
        self._folders = seen.folders
        self._stamps = seen.stamps

    async def run(self) -> None:
        """Scan at every change, until the task is cancelled."""
        changed = asyncio.Event()
        watcher: asyncio.Task[None] | None = None
        watched: frozenset[Folder] = frozenset()
        noticed = False
        try:
            while True:
                changed.clear()
                await self.scan()
                # A watch that ended by itself is not begun again at once: where
                # the system refuses it, that would go on without a pause.
                ended = watcher is None or watcher.done()
                if self._folders != watched or (ended and not noticed):
                    await _end(watcher)
                    watched = self._folders
                    watcher = asyncio.create_task(_watch(watched, changed), name="discovery")
                noticed = await self._news(changed)
        finally:
            await _end(watcher)

    async def _news(self, changed: asyncio.Event) -> bool:
        """Wait until a scan is due; whether the watch gave notice of a change."""
        for _ in range(_SCAN_ANYWAY):
            with suppress(TimeoutError):
                async with asyncio.timeout(self._rescan_s):
                    await changed.wait()
                return True
            if await asyncio.to_thread(stamps, self._patterns) != self._stamps:
                break
        return False


async def _watch(folders: frozenset[Folder], changed: asyncio.Event) -> None:
    """Set ``changed`` at every change; where the system cannot watch it ends, rescans go on."""
    if not folders:
        return
    # A watch begins after the scan that asked for it: what came in between
    # takes one more scan.
    changed.set()
    notices = watchfiles.awatch(
        *(folder.path for folder in folders),
        watch_filter=None,
        recursive=False,
        step=_SETTLE_MS,
        debounce=10 * _SETTLE_MS,
    )
    async with aclosing(notices):
        async for _ in notices:
            changed.set()


async def _end(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
