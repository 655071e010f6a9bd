"""What the log and `reactor status` say of the journal's size and of what is removed from it."""

import asyncio
import time

import structlog

from reactor.adapters.journal import Bounds, Figures, Journal, Limits, Reader
from reactor.app.control.answers import JournalLine
from reactor.app.records import STANDING, stands_for, waits_for_an_end
from reactor.app.settings import JournalSettings
from reactor.errors import JournalError

LOOK_S = 60.0
"""Seconds between two looks at the journal."""

TELL_S = 3600.0
"""Seconds between two lines about what was removed."""

log = structlog.get_logger("reactor")


def limits_of(settings: JournalSettings) -> Limits:
    """The bounds that the settings give the journal."""
    bounds = Bounds(settings.keep, settings.max, STANDING, stands_for, waits_for_an_end)
    return Limits(bounds=bounds)


class Upkeep:
    """Looks at the journal from time to time."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._figures: Figures | None = None
        self._told: Figures | None = None
        self._told_at = 0.0
        self._trouble = ""

    async def run(self) -> None:
        """Look until cancelled; what the opening found is told first."""
        for warning in self._journal.warnings:
            log.warning("journal", path=str(self._journal.path), problem=warning)
        while True:
            try:
                self._figures = await self._journal.ask(Reader.figures)
            except JournalError:
                pass  # a journal that cannot be read is told by who needs it
            else:
                self._tell(self._figures)
            await asyncio.sleep(LOOK_S)

    def line(self) -> JournalLine:
        """How it stands."""
        statistics = self._journal.statistics()
        times = statistics.durations
        return JournalLine(
            self._figures,
            statistics.commits,
            times.last_s,
            times.p50_s,
            times.max_s,
            statistics.care_trouble,
        )

    def _tell(self, figures: Figures) -> None:
        trouble = self._journal.statistics().care_trouble
        if trouble and trouble != self._trouble:
            log.warning("journal", path=str(self._journal.path), problem=trouble)
        self._trouble = trouble
        before, now = self._told, time.monotonic()
        if before is None or now >= self._told_at + TELL_S:
            known = before.removed if before else figures.removed
            gone = {kind: n - known.get(kind, 0) for kind, n in figures.removed.items()}
            if removed := {kind: n for kind, n in gone.items() if n}:
                log.info("old rows removed from the journal", **removed)
            self._told, self._told_at = figures, now
