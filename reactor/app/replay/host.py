"""The virtual host of a replay: its guests do as those of then did where they were asked the same.

Everything else is answered by the simulated QEMU of the policy tests.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from reactor.adapters.schedule import Schedules
from reactor.app.records import asked_as
from reactor.app.replay.following import Follower
from reactor.app.replay.past import DUMP, Command, Past
from reactor.app.scenario.answers import BY_DEFAULT, Answerer
from reactor.app.scenario.errands import LATENCY, Errands
from reactor.app.scenario.host import VirtualHost
from reactor.core.config import EngineConfig
from reactor.core.effect import CallAgent, CallHttp, Effect, Execute, StartProgram
from reactor.core.inputs import Fired
from reactor.core.policy import Policy
from reactor.policyfile.policy_tests import Answering, GuestSetup

THEN_TOO = "as then"
SIMULATED = "simulated"
"""How commands were answered; what the counts of ``answered`` are of."""


class Firings:
    """Schedules in the time of the record, with the draws of then where they fired then too."""

    def __init__(self, past: Past) -> None:
        # A replay gives the same each time: the jitter of schedules too.
        self.schedules = Schedules(random.Random(0))  # noqa: S311 - no secret
        self._past = past

    def next(self, now: float) -> float | None:
        """When something is due at the earliest."""
        return self.schedules.next(now)

    def due(self, now: float) -> Sequence[Fired]:
        """The firings that are due."""
        return [self._as_then(fired) for fired in self.schedules.due(now)]

    def _as_then(self, fired: Fired) -> Fired:
        seed = self._past.seeds.get((fired.policy, fired.index, fired.at))
        return fired if seed is None else msgspec.structs.replace(fired, seed=seed)


class RecordHost(VirtualHost):
    """A virtual host whose daemon ends and starts when that of the record did.

    Args:
        past: what was done then.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        config: EngineConfig,
        start: float,
        past: Past,
        watch: Callable[[float, Effect], None],
    ) -> None:
        self.followers: dict[str, Follower] = {}
        self.answered: Counter[str] = Counter()
        self._past = past
        self._schedules = Firings(past)
        self._schedules.schedules.adopt(policies, start)
        self._ever = {policy.revision: policy for policy in policies}
        super().__init__(policies, config, start, Answerer({}), watch)
        self.firings = self._schedules
        self.errands = _Errands(self)

    def add_guest(self, setup: GuestSetup) -> Follower:
        """A guest that the record speaks of; the engine does not know it yet."""
        guest = self.add(setup, _AsThen(self, setup.name))
        follower = self.followers[setup.name] = Follower(guest, self._past)
        return follower

    def begin_line(self) -> None:
        """A line of the record is next: what follows from it is bounded anew."""
        self._inputs = 0

    def adopt(self, policies: Sequence[Policy]) -> None:
        """Load other policies, as the daemon of then did."""
        self._use(policies)
        self._take(self.engine.load(policies, self.now))

    def go_down(self) -> None:
        """The daemon ends; guests and time go on."""
        self.is_up = False
        self.errands.forget()

    def come_up(self, policies: Sequence[Policy] | None = None) -> None:
        """The daemon starts with what it had kept; the record says when monitors are there."""
        for guest in self.guests.values():
            guest.connected = False
        if policies is not None:
            self._use(policies)
        self.begin_again()

    def _use(self, policies: Sequence[Policy]) -> None:
        self._policies = policies
        self._ever.update((policy.revision, policy) for policy in policies)
        self._schedules.schedules.adopt(policies, self.now)

    def _revisions(self) -> dict[str, Policy]:
        return self._ever

    def recall(self, effect: Execute | CallAgent | CallHttp | StartProgram) -> Command | None:
        """The command of then that this one is taken for, noted for its guest."""
        guest, name, _ = asked_as(effect)
        command = self._past.recall(guest, name, self.now)
        self.answered[SIMULATED if command is None else THEN_TOO] += 1
        if isinstance(effect, Execute) and effect.guest in self.followers:
            follower = self.followers[effect.guest]
            follower.commanded(name, self.now, then_too=command is not None)
        return command


class _Errands(Errands):
    """Errands that end as they did then, where they did not end well."""

    def __init__(self, host: RecordHost) -> None:
        super().__init__(host.agenda, host.guests, Answerer({}), host.give)
        self._host = host
        self.recalled: dict[str, Command] = {}

    def run(self, effect: Effect) -> None:
        """Carry an effect out, or let what became of it then become of it now."""
        if not isinstance(effect, Execute | CallAgent | CallHttp | StartProgram) or (
            isinstance(effect, Execute) and not effect.changes
        ):
            super().run(effect)
            return
        command = self._host.recall(effect)
        answer = None if command is None else command.answer
        if command is None or answer is None:
            super().run(effect)
            return
        takes = max(LATENCY, (command.sent.ended or command.at) - command.at)
        if isinstance(effect, Execute) and not (answer.error or answer.lost or answer.unsent):
            self.recalled[effect.guest] = command
            super().run(effect)
            self.recalled.pop(effect.guest, None)
        else:
            told = msgspec.structs.replace(answer, id=effect.id)
            monitor = effect.guest if isinstance(effect, Execute) else ""
            self._expect(effect.id, effect.deadline, monitor)
            self._agenda.after(takes, lambda: self._arrive(told))


class _AsThen(Answerer):
    """Answers of one guest: a command that went well then ends when, and as, it did."""

    def __init__(self, host: RecordHost, guest: str) -> None:
        super().__init__({})
        self._host, self._guest = host, guest

    def take(self, *names: str) -> Answering:
        """The answer to this command."""
        errands = self._host.errands
        command = errands.recalled.get(self._guest) if isinstance(errands, _Errands) else None
        if command is None or command.sent.command not in names:
            return BY_DEFAULT
        if command.sent.command == DUMP:
            return _dump(command)
        result = command.answer.result if command.answer is not None else None
        return Answering(returns=result or None)


def _dump(command: Command) -> Answering:
    event = command.dumped
    if event is None:
        return BY_DEFAULT
    result = event.data.get("result")
    is_bad = not isinstance(result, dict) or result.get("status") != "completed"
    problem = str(event.data.get("error", "the dump failed")) if is_bad else None
    return Answering(takes=max(0.0, event.received - command.at), breaks=problem)
