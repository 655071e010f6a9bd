"""What a replay would have done: counted for each policy, and as a time line."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from reactor.app.records import intent_row
from reactor.app.replay.recording import Ran
from reactor.core.admission import Verdict
from reactor.core.effect import (
    CallAgent,
    CallHttp,
    Effect,
    Execute,
    MarkSet,
    Publish,
    RunChanged,
    StartProgram,
    Trace,
)

_GO_ON = frozenset({Verdict.ARMING.value, Verdict.DEBOUNCED.value})
"""A match that is only held back is counted when it is decided."""

_REASONED = frozenset({Verdict.LIMITED.value, Verdict.SILENCED.value, Verdict.INHIBITED.value}) | {
    Verdict.HELD.value,
    Verdict.NOT_READY.value,
}
"""Refusals that are counted with what refused: a limit, a silence, a condition."""

REASONS_MAX = 100
"""Different reasons that are counted one by one for each policy."""

OTHER_REASONS = "other reasons"
_BEGUN = "begun"


@dataclass
class PolicyTally:
    """The counts of one policy; ``because`` counts refusals with what refused."""

    runs: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    because: Counter[str] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)
    published: Counter[str] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)

    @property
    def matches(self) -> int:
        """Runs and refusals together."""
        return self.runs.total() + self.refused.total()


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the time line.

    ``what`` is ``refused``, ``step``, ``command``, ``publish``, ``mark`` or ``run``, its end.
    """

    at: float
    what: str
    policy: str
    guest: str
    run: str = ""
    text: str = ""
    reason: str = ""


@dataclass(slots=True)
class _Open:
    """A run that has not ended."""

    policy: str
    guest: str
    admitted: float
    steps: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of what is counted: policies and guests (globs), and the time since when."""

    policy: str | None = None
    guest: str | None = None
    since: float = 0.0

    def wants(self, policy: str, guest: str, at: float) -> bool:
        """Whether it is that."""
        if at < self.since:
            return False
        return self.wants_policy(policy) and self.wants_guest(guest)

    def wants_policy(self, name: str) -> bool:
        """Whether the policy is one of these."""
        return self.policy is None or fnmatchcase(name, self.policy)

    def wants_guest(self, name: str) -> bool:
        """Whether the guest is one of these."""
        return self.guest is None or fnmatchcase(name, self.guest)


class Tally:
    """Counts effects as they come.

    Args:
        wanted: count these only.
        tell: gets the time line.
        ended: gets every run that is counted, at its end.
    """

    def __init__(
        self,
        wanted: Wanted | None = None,
        tell: Callable[[Told], None] | None = None,
        ended: Callable[[Ran], None] | None = None,
    ) -> None:
        self.policies: dict[str, PolicyTally] = {}
        self.wanted = wanted or Wanted()
        self._tell = tell or (lambda _told: None)
        self._run_ended = ended or (lambda _ran: None)
        self._open: dict[str, _Open] = {}

    def watch(self, at: float, effect: Effect) -> None:
        """Count one effect."""
        match effect:
            case Trace() if not effect.run:
                self._refused(effect)
            case Trace():
                self._traced(effect)
            case Execute() if not effect.changes:
                return
            case Execute() | CallAgent() | CallHttp() | StartProgram():
                self._command(at, effect)
            case Publish():
                self._published(at, effect)
            case MarkSet(mark):
                self._marked(at, f"{mark.kind.value} {mark.word}", mark.run)
            case RunChanged():
                self._changed(effect)
            case _:
                return

    def open_runs(self) -> list[Ran]:
        """The runs that have not ended, as far as they are counted."""
        return [_ran(name, run) for name, run in self._open.items() if self._wants(run)]

    def _of(self, policy: str) -> PolicyTally:
        return self.policies.setdefault(policy, PolicyTally())

    def _wants(self, run: _Open) -> bool:
        return self.wanted.wants(run.policy, run.guest, run.admitted)

    def _refused(self, trace: Trace) -> None:
        if trace.verdict in _GO_ON or not self.wanted.wants(trace.policy, trace.guest, trace.at):
            return
        tally = self._of(trace.policy)
        tally.refused[trace.verdict] += 1
        if trace.verdict in _REASONED:
            reason = f"{trace.verdict}: {trace.reason}"
            if reason not in tally.because and len(tally.because) >= REASONS_MAX:
                reason = OTHER_REASONS
            tally.because[reason] += 1
        told = Told(trace.at, "refused", trace.policy, trace.guest, "", trace.verdict, trace.reason)
        self._tell(told)

    def _traced(self, trace: Trace) -> None:
        is_step = trace.verdict == _BEGUN and not trace.path.startswith("arm")
        if not is_step and trace.verdict != Verdict.ADMITTED.value:
            return
        run = self._open.get(trace.run)
        if run is None:
            run = self._open[trace.run] = _Open(trace.policy, trace.guest, trace.at)
        if is_step:
            run.steps.append(trace.reason)
            self._tell_of(trace.at, "step", trace.run, f"{trace.path}: {trace.reason}")

    def _command(self, at: float, effect: Execute | CallAgent | CallHttp | StartProgram) -> None:
        run = self._open.get(effect.run)
        if run is None:
            return  # an arm
        command = intent_row(at, effect).command
        run.commands.append(command)
        if self._wants(run):
            self._of(run.policy).commands[command] += 1
            self._tell_of(at, "command", effect.run, command)

    def _published(self, at: float, effect: Publish) -> None:
        run = self._open.get(effect.run)
        if run is not None and self._wants(run):
            self._of(run.policy).published[effect.topic] += 1
            self._tell_of(at, "publish", effect.run, effect.topic)

    def _marked(self, at: float, what: str, name: str) -> None:
        run = self._open.get(name)
        if run is not None and self._wants(run):
            self._of(run.policy).marks[what] += 1
            self._tell_of(at, "mark", name, what)

    def _tell_of(self, at: float, what: str, name: str, text: str) -> None:
        run = self._open[name]
        if self._wants(run):
            self._tell(Told(at, what, run.policy, run.guest, name, text))

    def _changed(self, changed: RunChanged) -> None:
        run = self._open.get(changed.run)
        if run is not None and changed.admitted is not None:
            run.admitted = changed.admitted
        if changed.ended is None:
            return
        self._open.pop(changed.run, None)
        if run is None or changed.role != "run" or not self._wants(run):
            return
        self._of(run.policy).runs[changed.outcome] += 1
        told = (run.policy, run.guest, changed.run, changed.outcome, changed.error)
        self._tell(Told(changed.ended, "run", *told))
        self._run_ended(_ran(changed.run, run, changed.outcome, changed.error))


def _ran(name: str, run: _Open, outcome: str = "", error: str = "") -> Ran:
    return Ran(
        run.admitted,
        run.policy,
        run.guest,
        name,
        outcome,
        error,
        tuple(run.steps),
        tuple(run.commands),
    )
