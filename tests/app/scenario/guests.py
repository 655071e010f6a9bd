"""A simulated QEMU by itself: commands go in, events and replies come out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from reactor.app.scenario.agenda import Agenda
from reactor.app.scenario.answers import Answerer
from reactor.app.scenario.commands import execute
from reactor.app.scenario.happenings import happen
from reactor.app.scenario.qemu import Qemu, Traits
from reactor.core.inputs import Refusal
from reactor.policyfile.policy_tests import Answering, Answerings

if TYPE_CHECKING:
    from reactor.app.scenario.limiter import Occurrence

START = 1_800_000_000.0


class Bench:
    """One QEMU; ``told`` are the events in order, ``ended`` is why the process is gone."""

    def __init__(
        self,
        status: str = "running",
        traits: Traits | None = None,
        answers: Mapping[str, Answering] | None = None,
    ) -> None:
        self.agenda = Agenda(START)
        self.told: list[Occurrence] = []
        self.ended = ""
        self.replies: list[object] = []
        answerings: Answerings = {name: (answer,) for name, answer in (answers or {}).items()}
        self.qemu = Qemu(
            self.agenda, traits or Traits(), Answerer(answerings), self.told.append, self._gone
        )
        if self.qemu.traits.kind == "vm":
            self.qemu.status = status

    def _gone(self, reason: str) -> None:
        self.ended = reason

    def command(self, name: str, arguments: Mapping[str, object] | None = None) -> str:
        """``ok``, the description of the error, or nothing where there is no reply yet."""
        self.replies.clear()
        execute(self.qemu, name, arguments or {}, self.replies.append)
        if not self.replies:
            return ""
        reply = self.replies[0]
        return reply.description if isinstance(reply, Refusal) else "ok"

    def result(self, name: str, arguments: Mapping[str, object] | None = None) -> object:
        """What a command answers."""
        self.command(name, arguments)
        return self.replies[0]

    def happen(self, name: str, data: Mapping[str, object] | None = None) -> None:
        """Let an event of a test happen."""
        happen(self.qemu, name, data or {})

    def run(self, seconds: float) -> "Bench":
        """Let time pass."""
        end = self.agenda.now + seconds
        while (due := self.agenda.next()) is not None and due <= end:
            self.agenda.take()()
        self.agenda.jump(end)
        return self

    def names(self) -> list[str]:
        """The names of the events so far; they are forgotten then."""
        names = [event.name for event in self.told]
        self.told.clear()
        return names
