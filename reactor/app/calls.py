"""Carrying out what leaves the process: commands, calls, questions; each answered once.

An answer means the same wherever it comes from: a result; an error, which is certain;
``lost``: it may or may not have been done; ``unsent``: it certainly was not.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import structlog

from reactor.app.clock import Clock
from reactor.app.depth import cut, is_too_deep
from reactor.app.ports import Outside
from reactor.core.effect import (
    AskFree,
    AskPath,
    CallAgent,
    CallHttp,
    Discard,
    Dumped,
    Execute,
    StartProgram,
)
from reactor.core.inputs import Answered, Refusal
from reactor.errors import GuestError, LostReply, ReactorError

Deed = Execute | CallAgent | CallHttp | StartProgram
"""What may change something: it is announced in the journal, and waited for at the end."""

ToGuest = Execute | CallAgent
"""What goes to a guest, and must not meet another QEMU than it was decided for."""

LATE_KEPT = 1000
"""Steps of runs of which it is known that they were decided anew once."""

_STOPPING = "the daemon is stopping"
_HELD_UP = "the journal could not be written when it was decided"
_GONE = "the monitor was another one by then"
_SLOW = "the disk took long to write it down"
_LATE = "its time was over before the journal had it"
_FAILED = "reactor itself failed: see its log"

log = structlog.get_logger("reactor")


def sent_to(guest: str, deeds: Iterable[Deed]) -> set[str]:
    """The ids of the commands to a guest that are among these.

    They were decided before its monitor came or went: behind the line that is there by now
    may be another QEMU. A question may go out to that one all the same.
    """
    return {one.id for one in deeds if one.guest == guest and isinstance(one, ToGuest)}


class Calls:
    """Begins what the engine asks for, and submits what became of it.

    Args:
        submit: takes the answers.
        wake: called when a deed has ended, answered or not.
    """

    def __init__(
        self,
        outside: Outside,
        submit: Callable[[Answered], None],
        wake: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._outside = outside
        self._submit = submit
        self._wake = wake
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_flight: set[str] = set()
        # Of most of them no second try comes: their guard says no. So the latest are known.
        self._late: deque[tuple[str, str]] = deque(maxlen=LATE_KEPT)
        self._given_up = False
        self._stopping = False

    @property
    def in_flight(self) -> int:
        """Deeds without an answer."""
        return len(self._in_flight)

    def stop(self) -> None:
        """Begin no more deeds."""
        self._stopping = True

    async def abandon(self) -> None:
        """Give up what is still in flight: it will be found in doubt. Programs are ended."""
        self._given_up = True
        self._in_flight.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def do(
        self, deed: Deed, *, held_up: bool = False, gone: bool = False, late: bool = False
    ) -> None:
        """Begin a deed; a command of QMP is on its way when this returns.

        Args:
            held_up: it was decided before the disk was full. By now it may be another QEMU,
                or a guest that somebody brought back: the guard of a command is asked again,
                and that of an agent's whether it is the same QEMU.
            gone: its monitor came or went since it was decided.
            late: it was decided long ago, and is decided anew, once: a disk that is always that
                slow must not keep it from being done.
        """
        is_question = isinstance(deed, Execute) and not deed.changes
        left = deed.deadline - self._clock.now()
        if is_question:
            why = ""
        else:
            why = self._why_not(deed, left, held_up=held_up, gone=gone, late=late)
        if why:
            self._submit(Answered(deed.id, unsent=why))
            return
        if self._stopping:
            return  # a question without an answer is asked again at the next start
        timeout = max(0.05, left)
        match deed:
            case Execute():
                self._execute(deed, timeout)
            case CallAgent():
                self._call_agent(deed, timeout)
            case CallHttp():
                self._await(deed, self._outside.http.send(deed, timeout))
            case StartProgram():
                facts = {
                    "REACTOR_GUEST": deed.guest,
                    "REACTOR_POLICY": deed.policy,
                    "REACTOR_RUN": deed.run,
                }
                self._await(deed, self._outside.programs.run(deed, timeout, facts))

    def _is_late(self, deed: Deed, *, late: bool) -> bool:
        """Whether it goes to a guest, and is late for the first time."""
        place = (deed.run, deed.step)
        if place in self._late:
            self._late.remove(place)
            return False
        is_late = late and isinstance(deed, ToGuest)
        if is_late:
            self._late.append(place)
        return is_late

    def _why_not(self, deed: Deed, left: float, *, held_up: bool, gone: bool, late: bool) -> str:
        """Why it is certain not to be done; empty where it may be."""
        if isinstance(deed, ToGuest) and (gone or held_up):
            return _GONE if gone else _HELD_UP
        if self._stopping:
            return _STOPPING
        # Soon the engine gives it up, or has: its run may have ended, and another begun.
        if left <= 0:
            return _LATE
        return _SLOW if self._is_late(deed, late=late) else ""

    def ask(self, question: AskPath | AskFree) -> None:
        """Begin to find out something about this host."""
        match question:
            case AskPath():
                self.start(self._ask_path(question))
            case AskFree():
                self.start(self._ask_free(question))

    def discard(self, effect: Discard) -> None:
        """Remove what a failed dump left."""
        self.start(self._outside.dumps.discard(effect.path))

    def dumped(self, effect: Dumped) -> None:
        """Note that a dump is whole."""
        self.start(self._outside.dumps.dumped(effect))

    def start(self, work: Awaitable[None]) -> None:
        """Let something run beside the loop, until it ends or everything is abandoned."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("internal error", error=repr(error))

    def _execute(self, deed: Execute, timeout: float) -> None:
        try:
            self._outside.monitors.send(
                deed.guest,
                deed.command,
                deed.arguments,
                timeout=timeout,
                then=partial(self._replied, deed.id),
            )
        except ReactorError as error:
            self._submit(Answered(deed.id, unsent=error.problem))
            return
        if deed.changes:
            self._in_flight.add(deed.id)

    def _call_agent(self, deed: CallAgent, timeout: float) -> None:
        try:
            reply = self._outside.agents.send(
                deed.guest, deed.command, deed.arguments, timeout=timeout, replies=deed.replies
            )
        except ReactorError as error:
            self._submit(Answered(deed.id, unsent=error.problem))
            return
        self._in_flight.add(deed.id)
        reply.add_done_callback(partial(self._replied, deed.id))

    def _replied(self, command: str, reply: asyncio.Future[object]) -> None:
        self._in_flight.discard(command)
        self._wake()
        error = None if reply.cancelled() else reply.exception()
        if reply.cancelled() or self._given_up:
            return
        match error:
            case None:
                self._submit(Answered(command, result=_shallow(reply.result())))
            case GuestError():
                refusal = Refusal(error.error_class, error.description)
                self._submit(Answered(command, error=refusal))
            case LostReply():
                self._submit(Answered(command, lost=error.problem))
            case ReactorError():
                self._submit(Answered(command, unsent=error.problem))
            case _:
                log.error("internal error", error=repr(error))
                self._submit(Answered(command, lost=_FAILED))

    def _await(self, deed: CallHttp | StartProgram, work: Awaitable[Answered]) -> None:
        self._in_flight.add(deed.id)
        self.start(self._answer(deed.id, work))

    async def _answer(self, name: str, work: Awaitable[Answered]) -> None:
        try:
            answer = await work
        except Exception as error:  # noqa: BLE001 - the run must not wait for ever
            log.error("internal error", error=repr(error))  # noqa: TRY400 - as everywhere
            answer = Answered(name, lost=_FAILED)
        finally:
            self._in_flight.discard(name)
            self._wake()
        self._submit(
            Answered(name, _shallow(answer.result), answer.error, answer.lost, answer.unsent)
        )

    async def _ask_free(self, question: AskFree) -> None:
        self._submit(await self._outside.space.ask(question))

    async def _ask_path(self, question: AskPath) -> None:
        if question.size:
            self._submit(await self._outside.dumps.size(question.id, question.path))
            return
        problem = await self._outside.dumps.problem(question)
        error = Refusal("Target", problem) if problem else None
        self._submit(Answered(question.id, error=error))


def _shallow(result: object) -> object:
    return cut(result) if is_too_deep(result) else result
