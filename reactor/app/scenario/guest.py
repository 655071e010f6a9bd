"""A simulated guest as a host sees it: its QEMU lives and ends, its monitor comes and goes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from reactor.app.scenario.agenda import Agenda
from reactor.app.scenario.answers import Answerer
from reactor.app.scenario.commands import knows
from reactor.app.scenario.limiter import Occurrence
from reactor.app.scenario.qemu import Qemu, Traits
from reactor.app.scenario.queries import answer
from reactor.core.inputs import Facts
from reactor.core.subject import Compared, Query
from reactor.core.subjects import first_queries, more_queries, read
from reactor.policyfile.policy_tests import EventHappens, GuestSetup


@dataclass
class SimulatedGuest:
    """A guest; ``life`` counts its QEMU processes, ``qemu`` is None between two of them.

    Args:
        tell: gets what the guest's monitor is sent while it is connected.
        lost: is told the monitor's last words.
    """

    name: str
    agenda: Agenda
    traits: Traits
    answerer: Answerer
    tell: Callable[[str, Occurrence], None]
    lost: Callable[[str, str], None]
    labels: Mapping[str, str] = field(default_factory=dict)
    has_agent: bool = True
    foreseen: Iterable[EventHappens] = ()
    connected: bool = False
    life: int = 0
    qemu: Qemu | None = None

    @property
    def epoch(self) -> str:
        """The name of the present life."""
        return f"{self.name}-{self.life}"

    def start(self, status: str | None = None) -> Qemu:
        """Start its QEMU, in this run state."""
        self.life += 1
        self.qemu = Qemu(self.agenda, self.traits, self.answerer, self._told, self._gone)
        for event in self.foreseen:
            self.qemu.belongings.foresee(event.event, event.data)
        if status is not None:
            self.qemu.status = status
        return self.qemu

    def facts(self, compared: tuple[str, ...] = ()) -> Facts:
        """What its monitor says at the connect; there is a QEMU then.

        Args:
            compared: the subjects that are asked for.
        """
        qemu = self.qemu or self.start()
        found = _asked(qemu, compared)
        if self.traits.kind == "storage-daemon":
            return Facts(kind=self.traits.kind, qemu_version=self.traits.version, compared=found)
        return Facts(
            kind=self.traits.kind,
            status=qemu.status,
            uuid=self.traits.uuid,
            qemu_version=self.traits.version,
            memory_bytes=self.traits.memory,
            migrating=qemu.migration.is_running,
            dump=qemu.dump,
            migration=qemu.migration.status,
            compared=found,
        )

    def _told(self, event: Occurrence) -> None:
        # Events that nobody listens to are gone: QEMU keeps none.
        if self.connected:
            self.tell(self.name, event)

    def _gone(self, last_words: str) -> None:
        self.qemu = None
        if self.connected:
            self.connected = False
            self.lost(self.name, last_words)


def _asked(qemu: Qemu, names: tuple[str, ...]) -> Compared:
    """What its QEMU answers about these subjects, as a connect asks."""
    answers = _answers(qemu, first_queries(names))
    answers |= _answers(qemu, more_queries(names, answers))
    return read(names, answers)


def _answers(qemu: Qemu, queries: Iterable[Query]) -> dict[str, object]:
    return {
        query.name: answer(qemu, query.command, query.arguments)
        for query in queries
        if knows(qemu, query.command)
    }


def traits_of(setup: GuestSetup) -> Traits:
    """What a test says that a guest is made of."""
    actions = {
        "panic": "shutdown",
        "shutdown": "pause" if setup.stays else "poweroff",
        "reboot": "reset" if setup.reboots else "shutdown",
    }
    return Traits(setup.kind, setup.version, setup.uuid, setup.memory, actions)
