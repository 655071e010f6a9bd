"""What the engine asks for, carried out in a virtual host: commands, calls, questions."""

from collections.abc import Callable, Mapping

from reactor.app.scenario import agent, commands, outside
from reactor.app.scenario.agenda import Agenda
from reactor.app.scenario.answers import Answerer
from reactor.app.scenario.guest import SimulatedGuest
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
from reactor.core.inputs import Answered, Input, Refusal
from reactor.core.timers import Timers

LATENCY = 0.001
"""Seconds on the way between a guest and the engine."""

AGENT_TAKES = 0.02
AGENT_SYNC = 5.0
"""Seconds after which an agent that does not answer counts as silent: the adapter's limit."""


class Errands:
    """Carries out what is answered; everything else is for those who watch.

    Args:
        give: takes the answers.
    """

    def __init__(
        self,
        agenda: Agenda,
        guests: Mapping[str, SimulatedGuest],
        answerer: Answerer,
        give: Callable[[Input], None],
    ) -> None:
        self.free: dict[str, int] = {}
        self.deadlines = Timers()
        self._agenda = agenda
        self._guests = guests
        self.answerer = answerer
        self._give = give
        self._pending: dict[str, str] = {}
        self._dumps: set[str] = set()

    def run(self, effect: Effect) -> None:
        """Carry an effect out; its answer comes as an input."""
        match effect:
            case Execute():
                self._execute(effect)
            case CallAgent():
                self._call_agent(effect)
            case CallHttp():
                names = (f"{effect.method} {effect.url}", effect.url, "http")
                answering = self.answerer.take(*names)
                takes = outside.HTTP_TAKES if answering.takes is None else answering.takes
                answer = None if answering.silent else outside.http_answer(effect, answering)
                self._answer_by(effect.deadline, effect.id, takes, answer)
            case StartProgram():
                answering = self.answerer.take(effect.program, "exec")
                takes = outside.PROGRAM_TAKES if answering.takes is None else answering.takes
                answer = None if answering.silent else outside.program_answer(effect, answering)
                self._answer_by(effect.deadline, effect.id, takes, answer)
            case AskPath(path=path, size=size):
                dumped = 1 if size and path in self._dumps else None
                self._answer_after(LATENCY, Answered(effect.id, result=dumped))
            case AskFree():
                free = outside.free_bytes(self.free, effect.path)
                self._answer_after(LATENCY, Answered(effect.id, result=free))
            case (
                Reply()
                | Discard()
                | Dumped()
                | Publish()
                | MarkSet()
                | MarkCleared()
                | EventSeen()
                | RunChanged()
                | GuestChanged()
                | Trace()
                | Log()
                | Keep()
            ):
                pass

    def lose(self, guest: str, reason: str) -> None:
        """The guest's monitor is gone: nobody knows what became of its commands in flight."""
        for command in [name for name, owner in self._pending.items() if owner == guest]:
            self._arrive(Answered(command, lost=reason))

    def forget(self) -> None:
        """Nobody is there any more to hear the answers."""
        self._pending.clear()
        self.deadlines = Timers()

    def give_up(self) -> bool:
        """Count what should be answered by now as lost; whether there was any."""
        late = self.deadlines.due(self._agenda.now)
        for command in late:
            self._arrive(Answered(command, lost="no reply came in time"))
        return bool(late)

    def _execute(self, effect: Execute) -> None:
        guest = self._guests[effect.guest]
        if guest.qemu is None or not guest.connected:
            self._answer_after(LATENCY, Answered(effect.id, unsent="the monitor is away"))
            return
        self._expect(effect.id, effect.deadline, guest.name)
        if effect.command == "dump-guest-memory" and guest.qemu.dump != "active":
            self._dumps.add(str(effect.arguments.get("protocol")).removeprefix("file:"))

        def reply(result: object) -> None:
            error = result if isinstance(result, Refusal) else None
            answer = Answered(effect.id, None if error else result, error)
            self._agenda.after(LATENCY, lambda: self._arrive(answer))

        commands.execute(guest.qemu, effect.command, effect.arguments, reply)

    def _call_agent(self, effect: CallAgent) -> None:
        guest = self._guests[effect.guest]
        qemu, answering = guest.qemu, guest.answerer.take(effect.command)
        if qemu is None or not qemu.is_running:
            # The sync before the command finds nobody.
            reason = f"not sent: the guest agent did not answer within {AGENT_SYNC:g} s"
            self._answer_after(AGENT_SYNC, Answered(effect.id, unsent=reason))
            return
        answer = None
        if answering.fails is not None:
            answer = Answered(effect.id, error=Refusal("GenericError", answering.fails))
        elif not answering.silent:
            result = agent.answer(qemu, effect.command, effect.arguments, answering)
            commands.follow(qemu, answering)
            answer = Answered(effect.id, result=result)
        # Without a reply, `takes` is about what the guest does then.
        own = answering.takes if effect.replies else None
        takes = AGENT_TAKES if own is None else own
        self._answer_by(effect.deadline, effect.id, takes, answer)

    def _answer_by(self, deadline: float, name: str, takes: float, answer: Answered | None) -> None:
        """Let the answer arrive after so long, if there is one and it comes in time."""
        self._expect(name, deadline, "")
        if answer is not None:
            self._agenda.after(takes, lambda: self._arrive(answer))

    def _answer_after(self, seconds: float, answer: Answered) -> None:
        self._pending[answer.id] = ""
        self._agenda.after(seconds, lambda: self._arrive(answer))

    def _expect(self, name: str, deadline: float, guest: str) -> None:
        self._pending[name] = guest
        self.deadlines.set(name, deadline)

    def _arrive(self, answer: Answered) -> None:
        """Let an answer arrive, unless it was lost or nobody waits for it any more."""
        if self._pending.pop(answer.id, None) is not None:
            self.deadlines.set(answer.id, None)
            self._give(answer)
