"""A host in virtual time: the real engine, guests that keep QEMU's rules, a clock that jumps.

Nothing sleeps and nothing is mocked: effects go to simulated guests, whose
answers and events come back as inputs a moment later.
"""

import heapq
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from reactor.core.config import EngineConfig
from reactor.core.effect import (
    AskFree,
    AskPath,
    CallAgent,
    CallHttp,
    Effect,
    EventSeen,
    Execute,
    Keep,
    MarkSet,
    Publish,
    Reply,
    RunChanged,
    StartProgram,
    Trace,
)
from reactor.core.engine import Engine
from reactor.core.event import Event
from reactor.core.inputs import (
    Answered,
    Connected,
    Disconnected,
    Facts,
    GuestKnown,
    Happened,
    Input,
    Operated,
    Refusal,
    Ticked,
)
from reactor.core.orders import Order
from reactor.core.policy import Policy
from reactor.core.subject import Compared
from reactor.errors import Place
from reactor.policyfile.check import build_policy
from tests.core.holdings import Holdings

START = 1_800_000_000.0
LATENCY = 0.001


def policy(text: str) -> Policy:
    """The policy of one YAML document."""
    return build_policy(text, Place("test.yaml", 1, 1))


def document(name: str, steps: str, trigger: str = "{event: GO}", more: str = "") -> str:
    """The YAML text of a small policy; ``steps`` as a flow sequence."""
    return f"policy: {name}\ndescription: d\n{more}trigger: {trigger}\nsteps: {steps}\n"


@dataclass
class SimGuest:
    """A guest that answers as QEMU 7.2 does; ``dump_takes`` in seconds.

    ``silent`` commands are never answered. ``failing`` maps a command to the
    description of its error. ``mute`` are events that never arrive.
    ``deaf`` commands get nothing at all, not even a loss. ``holds`` is what else it has.
    """

    name: str
    status: str = "running"
    dump: str = "none"
    dump_takes: float = 1.0
    dump_error: str = ""
    migration: str = ""
    stays_in_save_vm: bool = False
    stays_suspended: bool = False
    kind: str = "vm"
    epoch: str = "1-1"
    uuid: str = ""
    silent: set[str] = field(default_factory=set)
    failing: dict[str, str] = field(default_factory=dict)
    mute: set[str] = field(default_factory=set)
    deaf: set[str] = field(default_factory=set)
    died: bool = False
    has_agent: bool = True
    quits: bool = True
    holds: Holdings | None = None

    def facts(self, compared: Compared | None = None) -> Facts:
        """What the monitor says at the connect; ``compared``: what else it was asked for."""
        if self.kind == "storage-daemon":
            return Facts(kind=self.kind, compared=compared or {})
        return Facts(
            status=self.status,
            dump=self.dump,
            migration=self.migration,
            migrating=self.migration == "active",
            qemu_version="7.2.22",
            uuid=self.uuid,
            compared=compared or {},
        )

    def answer(self, host: "Host", effect: Execute) -> Answered | None:
        """The reply to a command, and what it does to the guest."""
        if effect.command in self.silent:
            return None
        if effect.command in self.failing:
            return Answered(effect.id, error=Refusal("GenericError", self.failing[effect.command]))
        if self.holds is not None:
            returned = self.holds.returns(effect.command, effect.arguments)
            if isinstance(returned, Refusal):
                return Answered(effect.id, error=returned)
            if returned is not None:
                return Answered(effect.id, result=returned)
        method = getattr(self, "_" + effect.command.replace("-", "_"), None)
        if method is None:
            return Answered(effect.id, result={})
        outcome = method(host, effect.arguments)
        if isinstance(outcome, Refusal):
            return Answered(effect.id, error=outcome)
        return Answered(effect.id, result={} if outcome is None else outcome)

    def panic(self, host: "Host", after: float = 0.0) -> None:
        """Let the guest's kernel die, as with ``-action panic=pause``."""
        host.at(after, lambda: self._panic(host))

    def _panic(self, host: "Host") -> None:
        if self.status != "running":
            return
        self.status = "guest-panicked"
        host.event(self.name, "GUEST_PANICKED", {"action": "pause"})
        host.event(self.name, "STOP", {})

    def _query_status(self, _host: "Host", _arguments: Mapping[str, object]) -> object:
        return {"status": self.status, "running": self.status == "running"}

    def _query_dump(self, _host: "Host", _arguments: Mapping[str, object]) -> object:
        return {"status": self.dump, "completed": 0, "total": 0}

    def _query_migrate(self, _host: "Host", _arguments: Mapping[str, object]) -> object:
        return {"status": self.migration} if self.migration else {}

    def _dump_guest_memory(self, host: "Host", arguments: Mapping[str, object]) -> object:
        if self.dump == "active":
            return Refusal("GenericError", "There is a dump in process, please wait.")
        self.dump = "active"
        back = self.status
        if back == "running":
            self.status = "save-vm"
            host.event(self.name, "STOP", {})
        host.at(self.dump_takes, lambda: self._dumped(host, back))
        host.files.append(str(arguments["protocol"]))
        return None

    def _dumped(self, host: "Host", back: str) -> None:
        self.dump = "failed" if self.dump_error else "completed"
        data: dict[str, object] = {"result": {"status": self.dump, "total": 1, "completed": 1}}
        if self.dump_error:
            data["error"] = self.dump_error
        host.event(self.name, "DUMP_COMPLETED", data)
        if self.status == "save-vm" and not self.stays_in_save_vm:
            self.status = back
            host.event(self.name, "RESUME", {})

    def _system_reset(self, host: "Host", _arguments: Mapping[str, object]) -> object:
        if self.status == "save-vm":
            self.died = True
        if self.status != "running":
            self.status = "prelaunch"
        host.event(self.name, "RESET", {"guest": False, "reason": "host-qmp-system-reset"})
        return None

    def _cont(self, host: "Host", _arguments: Mapping[str, object]) -> object:
        if self.dump == "active":
            return Refusal("GenericError", "There is a dump in process, please wait.")
        if self.status != "running":
            self.status = "running"
            host.event(self.name, "RESUME", {})
        return None

    def _system_wakeup(self, host: "Host", _arguments: Mapping[str, object]) -> object:
        if self.status == "suspended" and not self.stays_suspended:
            self.status = "running"
            host.event(self.name, "WAKEUP", {})
        return None

    def _quit(self, host: "Host", _arguments: Mapping[str, object]) -> object:
        if not self.quits:
            return None
        host.event(self.name, "SHUTDOWN", {"guest": False, "reason": "host-qmp-quit"}, after=0.0)
        host.at(0.01, lambda: host.disconnect(self.name))
        return None

    def _system_powerdown(self, host: "Host", _arguments: Mapping[str, object]) -> object:
        host.event(self.name, "POWERDOWN", {})
        if self.status == "running":
            data = {"guest": True, "reason": "guest-shutdown"}
            host.event(self.name, "SHUTDOWN", data, after=3.0)
        return None

    def _stop(self, host: "Host", _arguments: Mapping[str, object]) -> object:
        if self.status == "running":
            self.status = "paused"
            host.event(self.name, "STOP", {})
        return None


class Host:
    """One engine with its guests; ``effects`` pairs every effect with its time."""

    def __init__(
        self,
        policies: Iterable[Policy | str] = (),
        guests: Iterable[str] = ("web-1",),
        config: EngineConfig | None = None,
        labels: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.config = config or EngineConfig(host="h1")
        self.policies = [policy(p) if isinstance(p, str) else p for p in policies]
        self.engine = Engine(self.config, "abc123")
        self.now = START
        self.effects: list[tuple[float, Effect]] = []
        self.kept: dict[tuple[str, str], bytes] = {}
        self.files: list[str] = []
        self.paths: dict[str, str] = {}
        self.deaf_paths = 0
        self.free: dict[str, int] = {}
        self.calls: list[tuple[str, object]] = []
        self.answers: dict[str, object] = {}
        self.after_each: Callable[[], None] = lambda: None
        self.guests = {name: SimGuest(name) for name in guests}
        self._labels = labels or {}
        self._orders = 0
        self._queue: list[tuple[float, int, object]] = []
        self._count = itertools.count()
        self._take(self.engine.load(self.policies, self.now))
        for name in self.guests:
            self._name(name)

    def _name(self, name: str) -> None:
        has_agent = self.guests[name].has_agent
        self.give(GuestKnown(name, self._labels.get(name, {}), has_agent))

    def connect(self, *names: str) -> "Host":
        """Bring monitors up (all of them without names) and let the dust settle."""
        for name in names or self.guests:
            guest = self.guests[name]
            compared = guest.holds.asked(self.engine.compared(name, {})) if guest.holds else {}
            self.give(Connected(name, guest.epoch, guest.facts(compared)))
        return self.run(0.1)

    def load(self, policies: Iterable[Policy | str]) -> None:
        """Replace the loaded policies, as a reload does."""
        self.policies = [policy(p) if isinstance(p, str) else p for p in policies]
        self._take(self.engine.load(self.policies, self.now))

    def disconnect(self, name: str, reason: str = "the connection was closed") -> None:
        """Let a monitor go away."""
        self.give(Disconnected(name, reason))

    def give(self, input_: Input) -> list[Effect]:
        """Hand one input to the engine now."""
        effects = self.engine.handle(input_, self.now)
        self._take(effects)
        self.after_each()
        return effects

    def order(self, order: Order, who: str = "anna") -> Reply:
        """Give an operator's order, and get its one answer."""
        self._orders += 1
        name = f"o-{self._orders}"
        answers = [e for e in self.give(Operated(name, who, order)) if isinstance(e, Reply)]
        (reply,) = answers
        assert reply.id == name
        return reply

    def event(
        self, guest: str, name: str, data: Mapping[str, object], after: float = LATENCY
    ) -> None:
        """Let an event arrive."""
        if guest in self.guests and name in self.guests[guest].mute:
            return
        self.at(
            after,
            lambda: self.give(Happened(Event(name, guest, data, self.now, self.now))),
        )

    def at(self, after: float, what: object) -> None:
        """Do something later."""
        heapq.heappush(self._queue, (self.now + after, next(self._count), what))

    def run(self, seconds: float) -> "Host":
        """Let virtual time pass, with everything that is due in it."""
        end = self.now + seconds
        for _ in range(200_000):
            times = [self._queue[0][0]] if self._queue else []
            deadline = self.engine.next_deadline()
            if deadline is not None:
                times.append(deadline)
            due = min(times, default=end + 1)
            if due > end:
                self.now = end
                return self
            self.now = max(self.now, due)
            if self._queue and self._queue[0][0] <= self.now:
                what = heapq.heappop(self._queue)[2]
                assert callable(what)
                what()
            else:
                self.give(Ticked())
        message = "the simulation does not come to rest"
        raise AssertionError(message)

    def restart(self, *, connect: bool = True) -> "Host":
        """Kill the daemon and start it again from what it kept; guests go on meanwhile."""
        # By key, as SQLite gives them back: "abc-10" comes before "abc-9".
        rows = [Keep(kind, key, value) for (kind, key), value in sorted(self.kept.items())]
        self.forget_replies()
        self.engine = Engine(self.config, "abc123")
        self._take(self.engine.load(self.policies, self.now))
        revisions = {p.revision: p for p in self.policies}
        self._take(self.engine.restore(rows, revisions, self.now))
        for name in self.guests:
            self._name(name)
        return self.connect() if connect else self

    def forget_replies(self) -> None:
        """Let no answer arrive that is on its way."""
        self._queue = [item for item in self._queue if not isinstance(item[2], _Reply)]
        heapq.heapify(self._queue)

    # ------------------------------------------------------------ what was seen

    def seen(self, kind: type[Effect]) -> list[Effect]:
        """All effects of one kind, in order."""
        return [effect for _, effect in self.effects if isinstance(effect, kind)]

    def commands(self, guest: str | None = None, *, queries: bool = False) -> list[str]:
        """The commands that went out, in order; without queries."""
        return [
            effect.command
            for effect in self.seen(Execute)
            if isinstance(effect, Execute)
            and (guest is None or effect.guest == guest)
            and (queries or not effect.command.startswith("query-"))
        ]

    def published(self) -> list[tuple[str, object]]:
        """Topics and payloads of the publish steps, in order."""
        return [(e.topic, e.payload) for e in self.seen(Publish) if isinstance(e, Publish)]

    def outcomes(self) -> list[str]:
        """How the runs ended, in order."""
        return [
            effect.outcome
            for effect in self.seen(RunChanged)
            if isinstance(effect, RunChanged) and effect.ended is not None
        ]

    def verdicts(self, path: str | None = None) -> list[str]:
        """The verdicts of all traces, in order."""
        return [
            effect.verdict
            for effect in self.seen(Trace)
            if isinstance(effect, Trace) and path in (None, effect.path)
        ]

    def reasons(self) -> list[str]:
        """The reasons of all traces that have one."""
        return [e.reason for e in self.seen(Trace) if isinstance(e, Trace) and e.reason]

    def ended(self) -> list[RunChanged]:
        """The last word on every run that ended, in order."""
        return [e for e in self.seen(RunChanged) if isinstance(e, RunChanged) and e.ended]

    def traces(self, verdict: str) -> list[Trace]:
        """The traces with this verdict, in order."""
        return [e for e in self.seen(Trace) if isinstance(e, Trace) and e.verdict == verdict]

    def events(self, name: str) -> list[Event]:
        """The engine's own events of this name, and events found to be its own doing."""
        return [
            e.event
            for e in self.seen(EventSeen)
            if isinstance(e, EventSeen) and e.event.name == name
        ]

    def times(self, command: str) -> list[float]:
        """When this command went out, in seconds since the start."""
        return [
            round(at - START, 3)
            for at, e in self.effects
            if isinstance(e, Execute) and e.command == command
        ]

    def marks(self) -> list[str]:
        """The keys of the marks that were set, in order."""
        return [effect.mark.key for effect in self.seen(MarkSet) if isinstance(effect, MarkSet)]

    def _take(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            self.effects.append((self.now, effect))
            if isinstance(effect, Keep):
                if effect.value is None:
                    self.kept.pop((effect.kind, effect.key), None)
                else:
                    self.kept[effect.kind, effect.key] = effect.value
            elif isinstance(effect, Execute):
                self._execute(effect)
            elif isinstance(effect, CallAgent | CallHttp | StartProgram):
                self._call(effect)
            elif isinstance(effect, AskFree | AskPath):
                self._ask(effect)

    def _ask(self, effect: AskFree | AskPath) -> None:
        if isinstance(effect, AskFree):
            free = self.free.get(effect.path)
            error = None if free is not None else Refusal("Path", "no such folder")
            self.at(LATENCY, _Reply(self, Answered(effect.id, free, error)))
        elif effect.size:
            there = f"file:{effect.path}" in self.files
            self.at(LATENCY, _Reply(self, Answered(effect.id, 1024 if there else None)))
        elif self.deaf_paths:
            self.deaf_paths -= 1
        else:
            problem = self.paths.get(effect.path)
            error = Refusal("Target", problem) if problem else None
            self.at(LATENCY, _Reply(self, Answered(effect.id, error=error)))

    def _call(self, effect: CallAgent | CallHttp | StartProgram) -> None:
        """Answer a call with what ``answers`` holds for it: a refusal, a result, or a loss.

        A text is the reason why its outcome is unknown; an ``Answered`` stands as it is.
        """
        name, what = _called(effect)
        if name == "guest-shutdown":
            self.event(effect.guest, "RESET", {"guest": True, "reason": "guest-reset"}, after=2.0)
        self.calls.append((name, what))
        answer = self.answers.get(name, {})
        self.at(
            LATENCY, _Reply(self, _answered(effect.id, answer() if callable(answer) else answer))
        )

    def _execute(self, effect: Execute) -> None:
        guest = self.guests[effect.guest]
        if effect.command in guest.deaf:
            return
        answer = guest.answer(self, effect)
        if answer is None:
            wait = max(0.0, effect.deadline - self.now)
            lost = Answered(effect.id, lost="no reply came in time")
            self.at(wait, _Reply(self, lost))
        else:
            self.at(LATENCY, _Reply(self, answer))


def _called(effect: CallAgent | CallHttp | StartProgram) -> tuple[str, object]:
    match effect:
        case CallAgent():
            return effect.command, effect.arguments
        case CallHttp():
            return f"{effect.method} {effect.url}", effect.json
        case StartProgram():
            return effect.program, effect.arguments


def _answered(name: str, answer: object) -> Answered:
    match answer:
        case Refusal():
            return Answered(name, error=answer)
        case str():
            return Answered(name, lost=answer)
        case Answered():
            return Answered(name, answer.result, answer.error, answer.lost, answer.unsent)
        case _:
            return Answered(name, result=answer)


@dataclass(frozen=True)
class _Reply:
    """An answer on its way; a daemon that is killed never hears it."""

    host: Host
    answer: Answered

    def __call__(self) -> None:
        """Arrive."""
        self.host.give(self.answer)
