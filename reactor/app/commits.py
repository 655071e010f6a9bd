"""What waits for the disk: batches on their way, in their order, and what they let happen."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

import structlog

from reactor.adapters.journal import Batch, Chain
from reactor.app.calls import Deed
from reactor.app.ports import JournalPort
from reactor.core.effect import Effect, Execute
from reactor.errors import JournalError

RETRY_JOURNAL_S = 1.0
LATE_S = 5.0
"""What the disk took longer for was decided on how things stood long ago."""

log = structlog.get_logger("reactor")


@dataclass(slots=True)
class Work:
    """What a batch of inputs leaves behind, and the effects that wait until that is durable.

    ``weight`` counts its inputs, those that have effects for more than one. ``held_up``: the disk
    did not take it at once, or not what came before it; ``is_late``: it took long to. ``deeds`` are
    those of the effects that leave the process, ``commanded`` the guests of its commands.
    ``posted`` is when it was given to the journal, ``landing`` what that answers, None before.
    ``is_durable``: it is on disk; or the journal failed with it in a way that trying again cannot
    mend, as ``landing`` tells.
    """

    batch: Batch = field(default_factory=Batch)
    effects: list[Effect] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    commanded: set[str] = field(default_factory=set)
    weight: int = 0
    held_up: bool = False
    is_late: bool = False
    posted: float = 0.0
    landing: asyncio.Future[None] | None = None
    is_durable: bool = False


class Commits:
    """The way of the work to the disk, in its order.

    Each batch is given to the journal at once, which writes together what waits together. They
    are one chain: a full disk may refuse the first, and have room for the second, which rests
    on it.

    Args:
        landed: called when the first of what was posted can be taken back.

    ``took_s`` is how long the last write took that was not refused, ``weight`` that of all
    that is on its way. ``trouble`` is why the disk takes nothing: as long as it stands, nothing
    more should be handled. Empty when all is well.
    """

    def __init__(self, journal: JournalPort, landed: Callable[[], None]) -> None:
        self._journal = journal
        self._landed = landed
        self._posted: deque[Work] = deque()
        self._chain = Chain()
        self._retry: asyncio.TimerHandle | None = None
        self._unanswered = 0
        self._is_abandoned = False
        self._change = asyncio.Event()
        self._landed_at = 0.0
        self.weight = 0
        self.took_s = 0.0
        self.trouble = ""

    @property
    def under_way(self) -> bool:
        """Whether anything was posted and not taken back; durable or not."""
        return bool(self._posted)

    def undone(self, latest: Work) -> Iterable[Deed]:
        """What was decided and is not done, that of the latest batch behind the others."""
        return chain(*(work.deeds for work in self._posted), latest.deeds)

    def take_questions(self, work: Work, effects: Iterable[Effect]) -> list[Execute]:
        """Let the effects wait with this work; the questions to QEMU that need not wait.

        A question changes nothing, and is asked again after a crash: what it answers is worth
        more the sooner it is known. Behind a command to the same guest that still waits for
        the disk it waits, too: else it would tell how things stood before that.
        """
        questions = []
        for effect in effects:
            if isinstance(effect, Execute):
                if effect.changes:
                    work.commanded.add(effect.guest)
                elif not self._waits(work, effect.guest):
                    questions.append(effect)
                    continue
            if isinstance(effect, Deed):
                work.deeds.append(effect)
            work.effects.append(effect)
        return questions

    def _waits(self, work: Work, guest: str) -> bool:
        return guest in work.commanded or any(guest in one.commanded for one in self._posted)

    def post(self, work: Work) -> None:
        """Let it become durable, after all that was posted before."""
        self._posted.append(work)
        self.weight += work.weight
        if self.trouble:
            work.held_up = True
        else:
            self._give(work)

    @property
    def is_durable(self) -> bool:
        """Whether the first of what was posted can be taken back."""
        return bool(self._posted) and self._posted[0].is_durable

    def take_durable(self) -> Iterator[Work]:
        """The work that was posted, as far as it is durable; none of it twice.

        Raises:
            Exception: what the journal failed with, if it was no refusal of the disk.
        """
        while self.is_durable:
            work = self._posted.popleft()
            self.weight -= work.weight
            if work.landing is not None:
                work.landing.result()
            yield work

    async def wait(self) -> None:
        """Until the first of what was posted can be taken back; who is ended here abandons all."""
        while self._posted and not self.is_durable:
            self._change.clear()
            try:
                await self._change.wait()
            except asyncio.CancelledError:
                self.abandon()
                raise

    def abandon(self) -> None:
        """Nobody waits any more; what the journal did not take yet is withdrawn."""
        self._is_abandoned = True
        if self._retry is not None:
            self._retry.cancel()
        # The last first: what is written must not rest on what was withdrawn.
        for work in reversed(self._posted):
            if work.landing is not None:
                work.landing.cancel()

    def _give(self, work: Work) -> None:
        work.posted = asyncio.get_running_loop().time()
        work.landing = self._journal.post(work.batch, self._chain)
        self._unanswered += 1
        work.landing.add_done_callback(partial(self._heard, work))

    def _heard(self, work: Work, landing: asyncio.Future[None]) -> None:
        self._unanswered -= 1
        if landing.cancelled() or self._is_abandoned:
            return  # what nobody acts upon is not tried again
        if isinstance(error := landing.exception(), JournalError):
            self._say_why(error)
        else:
            self._note(work)
        if self.trouble and not self._unanswered:
            self._see_to_the_refused()
        if self.is_durable:
            self._change.set()
            self._landed()

    def _note(self, work: Work) -> None:
        work.is_durable = True
        now = asyncio.get_running_loop().time()
        work.is_late = now - work.posted > LATE_S
        if work is self._posted[0]:
            # Its write began after the one before it, or when it was posted.
            self.took_s = now - max(work.posted, self._landed_at)
            self._landed_at = now

    def _see_to_the_refused(self) -> None:
        """All that was given is answered: try again later, or go on as ever."""
        rest = [work for work in self._posted if not work.is_durable]
        if any(work.landing is not None for work in rest):
            for work in rest:
                work.held_up = True
            self._retry = asyncio.get_running_loop().call_later(RETRY_JOURNAL_S, self._try_again)
            return
        log.warning("journal is written again", after=self.trouble)
        self.trouble = ""
        for work in rest:
            self._give(work)

    def _try_again(self) -> None:
        """Give what was refused to the journal, and what was posted since, in their order."""
        self._chain = Chain()
        for work in [work for work in self._posted if not work.is_durable]:
            self._give(work)

    def _say_why(self, error: JournalError) -> None:
        """Tell each change of it."""
        if self.trouble != error.problem:
            self.trouble = error.problem
            # No stack: the sentence says it all, and it may come every second.
            log.error(
                "journal cannot be written",
                place=str(error.place),
                problem=error.problem,
                fix=error.fix,
            )
