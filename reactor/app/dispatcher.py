"""The one loop: inputs to the engine, its effects to the journal, then to the world.

Nothing acts before the input that caused it, and its own intent, are durable; only questions
to QEMU, which change nothing, go out at once. While batches are on their way to the disk the
next is handled, so that a storm costs the processor's time or the disk's, and not their sum.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence

from reactor.adapters.journal import Batch, Loaded
from reactor.app.breaks import BREAK, Breaks
from reactor.app.calls import Calls, Deed
from reactor.app.clock import Clock
from reactor.app.commits import Commits, Work
from reactor.app.line import Adoption, Bounds, Line, guest_of
from reactor.app.ports import JournalPort, Outside
from reactor.app.projection import Projection
from reactor.app.records import (
    Asked,
    Asking,
    answer_row,
    as_seen,
    asked_as,
    dumped_row,
    input_row,
    intent_row,
    made_row,
    must_be_durable,
    outbox_row,
    outcome_rows,
    rulebook_row,
    run_row,
    stopped_row,
)
from reactor.app.telling import Teller
from reactor.core.effect import (
    AskFree,
    AskPath,
    CallAgent,
    CallHttp,
    Discard,
    Dumped,
    Effect,
    EventSeen,
    Execute,
    GuestChanged,
    Keep,
    Log,
    MarkCleared,
    MarkSet,
    Publish,
    Reply,
    RunChanged,
    StartProgram,
    Trace,
)
from reactor.core.engine import Engine
from reactor.core.inputs import (
    Answered,
    Happened,
    Input,
    Received,
    Ticked,
)
from reactor.core.policy import Policy

MESSAGES_MAX_BYTES = 8 << 20
"""Bytes of messages that may wait, each reckoned as one KiB and its payload."""

BOUNDS = Bounds()
AHEAD_MAX = 800
"""How much is handled ahead of the disk: an input counts once, one that has effects DEAR times. So
in a storm nobody waits for long, however slow the processor is."""

DEAR = 20
SLOW_S = 0.02
"""On a disk whose writes take longer this grows with them, up to AHEAD_GROWTH times: it is not
asked for each few inputs."""

AHEAD_GROWTH = 25

TURN = 100
TURN_S = 0.0025
"""How much is handled in a turn of the loop, and for how long: that is a batch. Then adapters read
and write."""


class Dispatcher:
    """Delivers inputs in their order and carries out effects.

    Args:
        nudge: called after messages were put into the outbox; None without a
            broker: then no message is made at all.
        replied: told of every reply to an operator's order, once what it did is durable;
            None where nobody gives orders.
    """

    def __init__(  # noqa: PLR0913 - the ports of the loop, by keyword
        self,
        *,
        engine: Engine,
        journal: JournalPort,
        outside: Outside,
        projection: Projection,
        clock: Clock,
        nudge: Callable[[], None] | None,
        replied: Callable[[Reply], None] | None = None,
    ) -> None:
        self._replied = replied
        self._engine = engine
        self._journal = journal
        self._projection = projection
        self._clock = clock
        self._nudge = nudge
        self._inputs = Line(engine.matters, BOUNDS)
        self._asked: dict[str, Asked] = {}
        self._breaks = Breaks()
        self._wake = asyncio.Event()
        self._calls = Calls(outside, self.submit, self._wake.set, clock)
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at: float | None = None
        self._message_bytes = 0
        self.commits = Commits(journal, self._wake.set)
        self._work = Work()
        self.stopping = False
        self.teller = Teller()

    def submit(self, input_: Input) -> None:
        """Let an input in; it is handled in the order of arrival."""
        if isinstance(input_, BREAK):
            self._breaks.heard(input_)
        self._inputs.put(self._clock.now(), input_, guest_of(input_, self._asked))
        self._wake.set()

    def offer(self, message: Received) -> bool:
        """Let a message in, if there is room for it: False when there is none."""
        size = _room(message)
        if self._message_bytes + size > MESSAGES_MAX_BYTES:
            return False
        self._message_bytes += size
        self.submit(message)
        return True

    def adopt(self, policies: Sequence[Policy]) -> None:
        """Let the engine load these policies, after the inputs that came before."""
        self._inputs.put(self._clock.now(), Adoption(policies))
        self._wake.set()

    @property
    def waiting(self) -> int:
        """Inputs that are not handled yet."""
        return len(self._inputs)

    @property
    def dropped(self) -> int:
        """Events and firings for which there was no room."""
        return self._inputs.dropped

    @property
    def missed(self) -> int:
        """Those of the dropped that a policy, a step or a guest's state may have needed."""
        return self._inputs.missed

    async def run(self) -> None:
        """Handle inputs until ``stop`` has seen the last answer."""
        try:
            while not self._is_over():
                await self._wait()
                for work in self.commits.take_durable():
                    self._act_all(work)
                if not self._must_wait():
                    self._handle_some(self._work)
                    self._inputs.tell_ends()
                self._let_go()
        finally:
            self.commits.abandon()

    def _is_over(self) -> bool:
        rests = not (self._calls.in_flight or self._inputs or self._work.weight)
        return self.stopping and rests and not self.commits.under_way

    def _must_wait(self) -> bool:
        """Whether nothing more may be handled before the disk has taken what it was given."""
        is_full = self._room <= 0 or bool(self.commits.trouble)
        return is_full and self.commits.under_way

    @property
    def _room(self) -> float:
        """How much may be handled before the disk has taken what it was given."""
        ahead_max = AHEAD_MAX * min(max(1.0, self.commits.took_s / SLOW_S), AHEAD_GROWTH)
        return ahead_max - self.commits.weight - self._work.weight

    def _let_go(self) -> None:
        """Send off what was handled; what nobody waits for acts at once."""
        work = self._work
        if must_be_durable(work.batch, work.effects):
            self.commits.post(work)
        elif work.effects and self.commits.under_way:
            return  # what was decided before it acts before it
        else:
            if work.batch.inputs:
                self._journal.lazily(work.batch.inputs)
            self._act_all(work)
        self._work = Work()

    def _handle_some(self, work: Work) -> None:
        """Handle what stands in the line, as far as a turn goes."""
        began, number, handled = self._clock.now(), self._inputs.ahead, 0
        end = work.weight + min(self._room, TURN)
        # What stood back comes too where the batch costs a commit anyway.
        while handled < number or (work.batch.messages and self._inputs.ahead):
            at, input_ = self._inputs.take()
            handled += 1
            if isinstance(input_, Received):
                self._message_bytes -= _room(input_)
            # An answer that came before a deadline counts, however late it is looked at.
            self._tick(at, work)
            work.weight += DEAR if self._take(at, input_, work) else 1
            dear = work.effects or work.batch.messages
            if work.weight >= end or (dear and self._clock.now() - began > TURN_S):
                break
        if not self._inputs:
            self._tick(self._clock.now(), work)
        elif handled >= number:
            # Only guests that flood have older inputs: nobody's time stands still for them.
            self._tick(began, work)

    async def take_up(self, effects: list[Effect], policies: Sequence[Policy], at: float) -> None:
        """Carry out what the engine wants since its start, ``at``, before any input."""
        work = Work(effects=effects, deeds=[one for one in effects if isinstance(one, Deed)])
        self._note_policies(work.batch, policies, at, starts=True)
        self._fill(work.batch, effects)
        self.commits.post(work)
        await self.commits.wait()
        for durable in self.commits.take_durable():
            self._act_all(durable)

    def _note_policies(
        self, batch: Batch, policies: Sequence[Policy], at: float, *, starts: bool = False
    ) -> None:
        batch.inputs.append(rulebook_row(at, policies, self._engine.world.config, starts=starts))
        batch.revisions += [(p.revision, p.name, p.source) for p in policies]
        batch.loaded = Loaded(at, {policy.name: policy.revision for policy in policies})
        if self._nudge is None:
            return
        digest = hashlib.sha256("".join(sorted(p.revision for p in policies)).encode())
        told = self._projection.policies(policies, digest.hexdigest()[:12])
        batch.messages += map(outbox_row, told)

    def _act_all(self, work: Work) -> None:
        """Do what a batch wants done: it is durable."""
        if work.batch.messages and self._nudge is not None:
            self._nudge()
        # Commands first: they must not wait for the lines that tell of them.
        for deed in work.deeds:
            gone = self._breaks.came_before(deed)
            self._calls.do(deed, held_up=work.held_up, gone=gone, late=work.is_late)
        for effect in work.effects:
            self._act(effect)
        self.teller.tell(work.effects)

    def stop(self) -> None:
        """Send no more commands; ``run`` returns when those in flight are answered.

        Their runs then stand before the next command, and go on from there at
        the next start.
        """
        self.stopping = True
        self._calls.stop()
        self._wake.set()

    async def abandon(self) -> None:
        """Give up what is still in flight: it will be found in doubt."""
        if self._alarm is not None:
            self._alarm.cancel()
        await self._calls.abandon()
        self._journal.lazily([stopped_row(self._clock.now())])
        self._wake.set()

    async def _wait(self) -> None:
        if self._must_wait():
            await self.commits.wait()
            return
        if self._inputs:
            # Let adapters read and write between two turns.
            await asyncio.sleep(0)
            return
        self._wake.clear()
        if self.commits.is_durable or self._is_over():
            return
        self._set_alarm()
        await self._wake.wait()

    def _set_alarm(self) -> None:
        """Let the loop wake at the engine's next deadline; mostly it is set already."""
        deadline = self._engine.next_deadline()
        if deadline == self._alarm_at:
            return
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._alarm_at = deadline
        if deadline is not None:
            delay = max(0.0, deadline - self._clock.now())
            self._alarm = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        self._alarm, self._alarm_at = None, None
        self._wake.set()

    def _take(self, at: float, input_: Input | Adoption, work: Work) -> bool:
        """Whether the input has effects."""
        batch = work.batch
        if isinstance(input_, Adoption):
            follow = self._engine.load(input_.policies, at)
            self._note_policies(batch, input_.policies, at)
        else:
            follow = self._engine.handle(input_, at)
            if isinstance(input_, Happened):
                self._note_event(at, as_seen(input_, follow), batch)
            elif isinstance(input_, Answered):
                asked = self._asked.pop(input_.id, Asked())
                batch.inputs.append(answer_row(at, input_, asked.guest, asked.what))
                batch.outcomes += outcome_rows(at, input_, asked)
            else:
                if isinstance(input_, BREAK):
                    self._breaks.handled(input_, self.commits.undone(work))
                batch.inputs.append(input_row(at, input_))
        if follow:
            self._fill(batch, follow)
            for question in self.commits.take_questions(work, follow):
                self._calls.do(question)
        return bool(follow)

    def _note_event(self, at: float, happened: Happened, batch: Batch) -> None:
        batch.inputs.append(input_row(at, happened))
        self.teller.tally.event(happened.event.name)
        # Input by input: what the world reads on one topic keeps the order of arrival.
        if self._nudge is not None:
            batch.messages.append(outbox_row(self._projection.event(happened.event)))

    def _tick(self, at: float, work: Work) -> None:
        """Let the engine see to a deadline that was due by then."""
        deadline = self._engine.next_deadline()
        if deadline is not None and deadline <= at:
            self._take(at, Ticked(), work)

    def _fill(  # noqa: C901 - one case for each kind
        self, batch: Batch, effects: list[Effect]
    ) -> None:
        """Put what the effects leave behind into the batch."""
        now = self._clock.now()
        for effect in effects:
            if isinstance(effect, Asking):
                self._asked[effect.id] = asked_as(effect)
            match effect:
                case Keep():
                    batch.keeps.append(effect)
                case Trace():
                    batch.traces.append(effect)
                case Execute() if not effect.changes:
                    pass
                case Execute() | CallAgent() | CallHttp() | StartProgram():
                    batch.intents.append(intent_row(now, effect))
                case RunChanged():
                    batch.runs.append(run_row(effect))
                case Dumped():
                    batch.inputs.append(dumped_row(now, effect))
                case EventSeen(event) if event.own:
                    continue  # told where it came in
                case EventSeen(event):
                    batch.inputs.append(made_row(now, event))
                case _:
                    pass
            if self._nudge is not None:
                batch.messages += map(outbox_row, self._projection.messages(effect))

    def _act(self, effect: Effect) -> None:  # noqa: C901 - one case for each kind
        match effect:
            case AskPath() | AskFree():
                self._calls.ask(effect)
            case Reply():
                if self._replied is not None:
                    self._replied(effect)
            case Discard():
                self._calls.discard(effect)
            case Dumped():
                self._calls.dumped(effect)
            case Execute() | CallAgent() | CallHttp() | StartProgram():
                pass  # begun already
            case Log() | Trace() | RunChanged() | MarkSet() | MarkCleared():
                pass  # told together
            case Keep() | Publish() | EventSeen() | GuestChanged():
                pass  # durable already


def _room(received: Received) -> int:
    return 1024 + len(received.message.payload)
