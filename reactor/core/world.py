"""The engine's state, and the one place through which effects leave."""

import dataclasses
from collections import OrderedDict, deque
from collections.abc import Mapping

import msgspec

from reactor.core.admission import LedgerRow, PolicyState, scope_values
from reactor.core.awaited import Awaited
from reactor.core.catalog import DISCONNECTED
from reactor.core.config import EngineConfig
from reactor.core.effect import (
    AskFree,
    AskPath,
    CallAgent,
    CallHttp,
    Effect,
    EventSeen,
    Execute,
    GuestChanged,
    Keep,
    Log,
    MarkCleared,
    MarkSet,
    RunChanged,
    StartProgram,
    Trace,
)
from reactor.core.event import Event
from reactor.core.guest import Guest
from reactor.core.inputs import Dropped
from reactor.core.marks import Mark, MarkBook
from reactor.core.matching import Index, Selection
from reactor.core.misses import Miss
from reactor.core.policy import LimitScope, Policy
from reactor.core.program import Program, compile_program
from reactor.core.restraints import Restraints
from reactor.core.run import Role, Run
from reactor.core.steps import StepOptions
from reactor.core.timers import Timers
from reactor.core.trigger_memory import TriggerMemory
from reactor.core.windows import WindowCounts

NEAR_MISSES_KEPT = 50
"""Refused matches remembered per policy, for "why did it not run"."""

DERIVED_MAX = 10_000
"""Engine's own events that may follow from one input: policies in a loop end here."""


_LOOP = (
    "more than {} events of the engine's own followed from one input, the last is {}: "
    "policies start each other in a loop; what follows is dropped"
)

Asking = Execute | AskPath | AskFree | CallAgent | CallHttp | StartProgram
"""The effects that are answered."""

PATH_LIMIT = 10.0
"""Seconds the file system has to answer."""

ANSWER_GRACE = 5.0
"""Seconds after its deadline in which the adapter says what became of a command."""


class CommandRow(msgspec.Struct, frozen=True):
    """A command that counts for the settings' limits; ``kind`` is reset, dump, destroy."""

    kind: str
    guest: str
    at: float


@dataclasses.dataclass(slots=True)
class World:
    """All that the engine knows. ``now`` is the time of the input at hand.

    ``dropped`` is what was told of the outbox's drops.
    ``free`` is the room at paths of the host, as far as conditions asked. ``cancelled`` are
    runs whose steps were just given up: their turn is over, although
    their ``finally`` may go on.
    """

    config: EngineConfig
    identity: str
    now: float = 0.0
    number: int = 0
    questions: int = 0
    guests: dict[str, Guest] = dataclasses.field(default_factory=dict)
    selections: dict[str, Selection] = dataclasses.field(default_factory=dict)
    runs: dict[str, Run] = dataclasses.field(default_factory=dict)
    programs: dict[str, Program] = dataclasses.field(default_factory=dict)
    awaited: Awaited = dataclasses.field(default_factory=Awaited)
    index: Index = dataclasses.field(default_factory=Index)
    states: dict[str, PolicyState] = dataclasses.field(default_factory=dict)
    free: dict[str, int | str] = dataclasses.field(default_factory=dict)
    marks: MarkBook = dataclasses.field(default_factory=MarkBook)
    restraints: Restraints = dataclasses.field(default_factory=Restraints)
    timers: Timers = dataclasses.field(default_factory=Timers)
    commands: dict[str, WindowCounts] = dataclasses.field(default_factory=dict)
    command_rows: OrderedDict[str, CommandRow] = dataclasses.field(default_factory=OrderedDict)
    triggers: TriggerMemory = dataclasses.field(default_factory=TriggerMemory)
    near: dict[str, deque[Trace | Miss]] = dataclasses.field(default_factory=dict)
    near_messages: dict[str, deque[Miss]] = dataclasses.field(default_factory=dict)
    effects: list[Effect] = dataclasses.field(default_factory=list)
    derived: deque[Event] = dataclasses.field(default_factory=deque)
    derived_count: int = 0
    derived_dropped: int = 0
    dropped: Dropped = dataclasses.field(default_factory=Dropped)
    changed_runs: dict[str, None] = dataclasses.field(default_factory=dict)
    asked: dict[str, str] = dataclasses.field(default_factory=dict)
    ended: list[str] = dataclasses.field(default_factory=list)
    cancelled: list[str] = dataclasses.field(default_factory=list)
    wakeups: deque[str] = dataclasses.field(default_factory=deque)

    def emit(self, effect: Effect) -> None:
        """Let an effect leave with the present input."""
        self.effects.append(effect)

    def keep(self, kind: str, key: str, value: object) -> None:
        """Let state survive; None takes it away."""
        body = None if value is None else msgspec.json.encode(value)
        self.effects.append(Keep(kind, key, body))

    def trace(
        self,
        run: Run,
        path: str,
        verdict: str,
        reason: str = "",
        values: Mapping[str, object] | None = None,
    ) -> None:
        """Record why a run did what it did."""
        record = Trace(
            self.now, run.policy, run.guest, path, verdict, reason, run.story, values or {}
        )
        self.effects.append(record)

    def near_miss(self, record: Trace | Miss) -> None:
        """Remember why a match did not become a run."""
        ring = self.near.get(record.policy)
        if ring is None:
            ring = self.near[record.policy] = deque(maxlen=NEAR_MISSES_KEPT)
        ring.append(record)

    def missed_message(self, record: Miss) -> None:
        """Remember a message that was no match: whoever sends many pushes out no event's."""
        ring = self.near_messages.get(record.policy)
        if ring is None:
            ring = self.near_messages[record.policy] = deque(maxlen=NEAR_MISSES_KEPT)
        ring.append(record)

    def count_dropped(self, what: str, policy: str, why: str) -> None:
        """Count something that a trigger had to let go; the first of a kind is told."""
        dropped = self.triggers.dropped
        dropped[what] += 1
        if dropped[what] == 1:
            text = f"{why}: the oldest is let go, and so it will be with others, which are counted"
            self.emit(Log("warning", text, policy, title="engine says"))

    def happen(self, name: str, guest: str, data: Mapping[str, object]) -> None:
        """Let an event of the engine's own happen, after what is being handled."""
        if self.derived_count >= DERIVED_MAX:
            self.derived_dropped += 1
            if self.derived_count == DERIVED_MAX:
                self.derived_count += 1
                text = _LOOP.format(DERIVED_MAX, name)
                self.emit(Log("warning", text, title="engine says"))
            return
        self.derived_count += 1
        self.occur(Event(name, guest, data, self.now, self.now))

    def occur(self, event: Event) -> None:
        """Let this event happen after what is being handled."""
        self.derived.append(event)
        self.effects.append(EventSeen(event))

    def ask(self, run: Run, effect: Asking, purpose: str) -> None:
        """Let a question or command of a run leave; its answer finds the run again."""
        self.asked[effect.id] = run.id
        run.cursor.pending[effect.id] = purpose
        if isinstance(effect, AskPath | AskFree):
            deadline = self.now + PATH_LIMIT
        else:
            deadline = effect.deadline
        run.cursor.answer_by = deadline + ANSWER_GRACE
        self.effects.append(effect)

    def guest_of(self, run: Run) -> Guest:
        """The run's guest: it stays for as long as it has an open run."""
        return self.guests[run.guest]

    def program_of(self, run: Run) -> Program:
        """The program of the revision that started the run."""
        return self.programs[run.revision]

    def options_of(self, run: Run) -> StepOptions:
        """The options of the step at which the run stands."""
        options = self.program_of(run).steps[run.cursor.pc]
        assert options is not None  # noqa: S101 - no run ever stops at the end of a section
        return options

    def add_program(self, policy: Policy) -> Program:
        """The policy's program, compiled once per revision."""
        program = self.programs.get(policy.revision)
        if program is None:
            program = self.programs[policy.revision] = compile_program(policy)
            self.awaited.add(program)
        return program

    def state_of(self, policy: str) -> PolicyState:
        """What the policy remembers; made for a policy that is gone but has open runs."""
        state = self.states.get(policy)
        if state is None:
            state = self.states[policy] = PolicyState(WindowCounts(()))
        return state

    def values_of(self, guest: str, key: str) -> dict[LimitScope, str]:
        """The scope values of one run on this host."""
        return scope_values(guest, key, self.config.host)

    def counts_of(self, kind: str) -> WindowCounts:
        """What the settings' limits count of one kind of command."""
        counts = self.commands.get(kind)
        if counts is None:
            counts = self.commands[kind] = WindowCounts(self.config.limits.get(kind, ()))
        return counts

    def count_command(self, name: str, row: CommandRow) -> None:
        """Count a command for the settings' limits, under the id of its effect."""
        self.counts_of(row.kind).add(name, self.values_of(row.guest, row.guest), row.at)
        self.command_rows[name] = row

    def forget_commands(self) -> None:
        """Drop the commands that no window of the settings counts any more."""
        limits = (limit for limits in self.config.limits.values() for limit in limits)
        longest = max((limit.window or 0.0 for limit in limits), default=0.0)
        for name, row in list(self.command_rows.items()):
            if row.at + longest > self.now:
                return
            self.uncount_command(name)

    def uncount_command(self, name: str) -> None:
        """Give the place of a command back: it is long ago, or was not done after all."""
        row = self.command_rows.pop(name, None)
        if row is not None:
            self.counts_of(row.kind).remove(name, self.values_of(row.guest, row.guest))
            self.keep("command", name, None)

    def touch(self, run: Run) -> None:
        """The run changed: it is kept and its timer set when the input has been handled."""
        self.changed_runs[run.id] = None

    def tell_run(self, run: Run, step: str = "", verb: str = "") -> None:
        """Let the world know how a run stands; an arm is nobody's business but readiness's."""
        if run.role is Role.ARM:
            return
        ended = None if run.is_open else self.now
        outcome = run.outcome.value if run.outcome else ""
        whole = self.runs.get(run.root, run)
        self.emit(
            RunChanged(
                run=run.story,
                policy=run.policy,
                guest=run.guest,
                state=run.phase.value,
                word=run.phase.word,
                ask=run.ask,
                role=whole.role.value,
                step=step,
                verb=verb,
                outcome=outcome,
                error=run.error,
                admitted=run.admitted,
                started=run.started,
                ended=ended,
            )
        )

    def tell_guest(self, guest: Guest) -> None:
        """Let the world know how a guest stands, and keep it for a restart."""
        self.emit(
            GuestChanged(
                guest=guest.name,
                status=guest.status,
                since=guest.since,
                connected=guest.connected,
                uuid=guest.facts.uuid,
                kind=guest.facts.kind,
                qemu_version=guest.facts.qemu_version,
                labels=guest.labels,
            )
        )
        self.keep_guest(guest)

    def keep_guest(self, guest: Guest) -> None:
        """Keep what the next life compares with; nothing before the first connect."""
        kept = guest.kept()
        if kept is not None:
            self.keep("guest", guest.name, kept)

    def set_status(self, guest: Guest, status: str) -> None:
        """What ``query-status`` answered, or that it has no answer."""
        if guest.status != status:
            self.triggers.moved[guest.name] = None
            guest.status = status
            guest.since = self.now
            if status != DISCONNECTED:
                guest.facts = msgspec.structs.replace(guest.facts, status=status)
            self.tell_guest(guest)

    def set_dump(self, guest: Guest, status: str) -> None:
        """What ``query-dump`` answered, or the end of a dump told."""
        if guest.facts.dump != status:
            guest.facts = msgspec.structs.replace(guest.facts, dump=status)
            self.keep_guest(guest)

    def set_migration(self, guest: Guest, word: str, *, migrating: bool) -> None:
        """What ``query-migrate`` answered, and whether one runs then."""
        facts = guest.facts
        if facts.migrating != migrating:
            self.triggers.moved[guest.name] = None
        if (facts.migration, facts.migrating) != (word, migrating):
            guest.facts = msgspec.structs.replace(facts, migration=word, migrating=migrating)
            self.keep_guest(guest)

    def set_mark(self, mark: Mark) -> None:
        """Set or renew a mark; only a new one is an event."""
        mark, new = self.marks.set(mark)
        self.triggers.moved[mark.guest] = None
        self.keep("mark", mark.key, mark)
        self.emit(MarkSet(mark))
        self.timers.set("marks", self.marks.next_expiry())
        if new:
            self.happen("REACTOR_MARK_SET", mark.guest, _mark_data(mark))

    def clear_mark(self, mark: Mark, reason: str) -> None:
        """Take a mark away."""
        self.marks.remove(mark)
        self.triggers.moved[mark.guest] = None
        self.keep("mark", mark.key, None)
        self.emit(MarkCleared(mark))
        self.timers.set("marks", self.marks.next_expiry())
        data = _mark_data(mark) | {"reason": reason}
        self.happen("REACTOR_MARK_CLEARED", mark.guest, data)

    def keep_ledger(self, row: LedgerRow | None, run: str) -> None:
        """Keep or drop a run's place in the windows."""
        self.keep("ledger", run, row)

    def changed_keeps(self) -> None:
        """Keep every run that the present input changed, and set its timer."""
        for run_id in self.changed_runs:
            run = self.runs.get(run_id)
            if run is None:
                self.keep("run", run_id, None)
                self.timers.set(f"run {run_id}", None)
                continue
            self.timers.set(f"run {run_id}", run.next_wake())
            if run.role is not Role.ARM:
                self.keep("run", run_id, run)
        self.changed_runs.clear()


def _mark_data(mark: Mark) -> dict[str, object]:
    return {"kind": mark.kind.value, "id": mark.id, "as": mark.word, "reason": mark.reason}
