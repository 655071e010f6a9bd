"""What a replay would have done: counted for each policy, and as a time line."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from reactor.app.records import intent_row
from reactor.app.replay.recording import Ran
from reactor.core.admission import Verdict
from reactor.core.effect import (
    CallAgent,
    CallHttp,
    Effect,
    Execute,
    Publish,
    RunChanged,
    StartProgram,
    Trace,
)

_GO_ON = frozenset({Verdict.ARMING.value, Verdict.DEBOUNCED.value})
"""A match that is only held back is counted when it is decided."""


@dataclass
class PolicyTally:
    """The counts of one policy."""

    runs: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)
    published: Counter[str] = field(default_factory=Counter)

    @property
    def matches(self) -> int:
        """Runs and refusals together."""
        return self.runs.total() + self.refused.total()


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the time line; ``what`` is ``run``, ``refused``, ``command`` or ``publish``."""

    at: float
    what: str
    policy: str
    guest: str
    run: str = ""
    text: str = ""
    reason: str = ""


class Tally:
    """Counts effects as they come.

    Args:
        policy: count this one only.
        tell: gets the time line.
    """

    def __init__(self, policy: str | None, tell: Callable[[Told], None] | None) -> None:
        self.policies: dict[str, PolicyTally] = {}
        self.ran: list[Ran] = []
        self._policy = policy
        self._tell = tell or (lambda _told: None)
        self._commands: dict[str, list[str]] = {}
        self._owners: dict[str, str] = {}

    def watch(self, at: float, effect: Effect) -> None:
        """Count one effect."""
        match effect:
            case Trace() if not effect.run:
                self._refused(effect)
            case Trace() if not effect.path.startswith("arm"):
                self._owners[effect.run] = effect.policy
            case Execute() if effect.changes and effect.run:
                self._command(at, effect)
            case CallAgent() | CallHttp() | StartProgram():
                self._command(at, effect)
            case Publish():
                self._published(at, effect)
            case RunChanged() if effect.ended is not None and effect.role == "run":
                self._ended(effect)
            case _:
                return

    def _of(self, policy: str) -> PolicyTally:
        return self.policies.setdefault(policy, PolicyTally())

    def _wanted(self, policy: str) -> bool:
        return self._policy in {None, policy}

    def _refused(self, trace: Trace) -> None:
        if trace.verdict in _GO_ON or not self._wanted(trace.policy):
            return
        self._of(trace.policy).refused[trace.verdict] += 1
        told = Told(trace.at, "refused", trace.policy, trace.guest, "", trace.verdict, trace.reason)
        self._tell(told)

    def _command(self, at: float, effect: Execute | CallAgent | CallHttp | StartProgram) -> None:
        policy = self._owners.get(effect.run, "")
        command = intent_row(at, effect).command
        self._commands.setdefault(effect.run, []).append(command)
        if policy and self._wanted(policy):
            self._of(policy).commands[command] += 1
            self._tell(Told(at, "command", policy, effect.guest, effect.run, command))

    def _published(self, at: float, effect: Publish) -> None:
        policy = self._owners.get(effect.run, "")
        if policy and self._wanted(policy):
            self._of(policy).published[effect.topic] += 1
            self._tell(Told(at, "publish", policy, "", effect.run, effect.topic))

    def _ended(self, run: RunChanged) -> None:
        commands = tuple(self._commands.pop(run.run, ()))
        self._owners.pop(run.run, None)
        if not self._wanted(run.policy):
            return
        self._of(run.policy).runs[run.outcome] += 1
        at = run.admitted or run.started or run.ended or 0.0
        ran = Ran(at, run.policy, run.guest, run.run, run.outcome, run.error, commands)
        self.ran.append(ran)
        ended = run.ended or at
        self._tell(Told(ended, "run", run.policy, run.guest, run.run, run.outcome, run.error))
