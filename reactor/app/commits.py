"""What waits for the disk: one batch on its way at a time, and what it lets happen."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain

import structlog

from reactor.adapters.journal import Batch
from reactor.app.ports import JournalPort
from reactor.core.effect import Effect, Execute
from reactor.errors import JournalError

RETRY_JOURNAL_S = 1.0

log = structlog.get_logger("reactor")


@dataclass(slots=True)
class Work:
    """What a batch of inputs leaves behind, and the effects that wait until that is durable.

    ``weight`` counts its inputs, those that have effects for more than one. ``refused``: the
    disk did not take it at once. ``held_up``: it waited for that, or for
    what was refused before it. ``commanded`` are the guests of its commands.
    """

    batch: Batch = field(default_factory=Batch)
    effects: list[Effect] = field(default_factory=list)
    commanded: set[str] = field(default_factory=set)
    weight: int = 0
    refused: bool = False
    held_up: bool = False


class Commits:
    """The way of the work to the disk, in its order and one after the other.

    Two at a time would be wrong: a full disk may refuse the first, and have room
    for the second, which rests on it.

    Args:
        landed: called when the work that was sent off is durable.

    ``took_s`` is how long the last commit took that was not refused. ``trouble`` is why
    the disk takes nothing: as long as it stands, nothing acts, and nothing more is
    handled. Empty when all is well.
    """

    def __init__(self, journal: JournalPort, landed: Callable[[], None]) -> None:
        self._journal = journal
        self._landed = landed
        self._task: asyncio.Task[None] | None = None
        self._work: Work | None = None
        self.took_s = 0.0
        self.trouble = ""

    @property
    def under_way(self) -> Work | None:
        """What was sent off and not taken back; durable or not."""
        return self._work

    def with_those_under_way(self, effects: Iterable[Effect]) -> Iterable[Effect]:
        """Effects of a later batch, after those that were decided and are not done."""
        return effects if self._work is None else chain(self._work.effects, effects)

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
            work.effects.append(effect)
        return questions

    def _waits(self, work: Work, guest: str) -> bool:
        before = self._work
        return guest in work.commanded or (before is not None and guest in before.commanded)

    def send_off(self, work: Work) -> None:
        """Let it become durable, while the loop goes on."""
        self._work = work
        self._task = asyncio.ensure_future(self.commit(work))
        self._task.add_done_callback(lambda _task: self._landed())

    @property
    def is_durable(self) -> bool:
        """Whether what was sent off can be taken back."""
        return self._task is not None and self._task.done()

    def take_durable(self) -> Work | None:
        """The work that was sent off, once it is durable; None before, and once taken.

        Raises:
            Exception: what the journal failed with, if it was no refusal of the disk.
        """
        if self._task is None or not self._task.done():
            return None
        self._task.result()
        work, self._work, self._task = self._work, None, None
        return work

    async def wait(self) -> None:
        """Until what was sent off is durable."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def abandon(self) -> None:
        """Nobody waits any more; what the journal did not take yet is withdrawn."""
        if self._task is not None:
            self._task.cancel()

    async def commit(self, work: Work) -> None:
        """Commit, again and again while the disk refuses."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self._journal.commit(work.batch)
            except JournalError as error:
                if self.trouble != error.problem:
                    self.trouble = error.problem
                    # No stack: the sentence says it all, and it may come every second.
                    log.error(  # noqa: TRY400
                        "journal cannot be written",
                        place=str(error.place),
                        problem=error.problem,
                        fix=error.fix,
                    )
                work.refused = work.held_up = True
                await asyncio.sleep(RETRY_JOURNAL_S)
            else:
                self.took_s = loop.time() - began
                if self.trouble:
                    log.warning("journal is written again", after=self.trouble)
                    self.trouble = ""
                return
