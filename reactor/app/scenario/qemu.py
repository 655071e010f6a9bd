"""One life of one simulated QEMU process: its run state, and what moves it.

The rules are QEMU 7.2's, and where they differ 11.1's; the tests hold them equal to the
matrix of run state and command that was measured on both, and to a real QEMU.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reactor.app.scenario.agenda import Agenda
from reactor.app.scenario.answers import Answerer
from reactor.app.scenario.belongings import Belongings
from reactor.app.scenario.limiter import Occurrence, RateLimiter
from reactor.core.inputs import Refusal

HOST_RESET = "host-qmp-system-reset"

FIRMWARE_AFTER = 0.1
"""Seconds after which the firmware of a guest that runs again resets it once more."""

CLEAN_UP = 0.06
"""Seconds between DUMP_COMPLETED and the end of `save-vm`: 61 ms, the median on 7.2."""


def gone_wrong(description: str) -> Refusal:
    """QEMU's error reply of the class that nearly all have."""
    return Refusal("GenericError", description)


@dataclass
class Traits:
    """What a guest is made of, as its command line says.

    Args:
        version: of its QEMU, `7.2.22`.
        actions: what QEMU does at `panic`, `shutdown`, `reboot`, `watchdog`.
    """

    kind: str = "vm"
    version: str = "7.2.22"
    uuid: str = "00000000-0000-0000-0000-000000000000"
    memory: int = 512 << 20
    actions: Mapping[str, str] = field(
        default_factory=lambda: {"panic": "shutdown", "shutdown": "poweroff", "reboot": "reset"}
    )

    @property
    def major(self) -> int:
        """The first number of the version."""
        return int(self.version.partition(".")[0])


@dataclass
class Migration:
    """What `query-migrate` tells of the last migration, and what is set for the next."""

    status: str = ""
    error: str = ""
    passes: int = 0
    tells: bool = False
    parameters: dict[str, object] = field(default_factory=dict)
    count: int = 0

    @property
    def is_running(self) -> bool:
        """Whether one is under way."""
        return self.status in {"setup", "active", "postcopy-active", "device", "cancelling"}


class Qemu:
    """A QEMU process; commands and happenings of the modules beside this one move it.

    Args:
        tell: gets what its monitors would be sent.
        gone: called once, when the process has ended, with the monitor's last words.
    """

    def __init__(
        self,
        agenda: Agenda,
        traits: Traits,
        answerer: Answerer,
        tell: Callable[[Occurrence], None],
        gone: Callable[[str], None],
    ) -> None:
        self.traits = traits
        self.answerer = answerer
        self.agenda = agenda
        self.status = "none" if traits.kind == "storage-daemon" else "running"
        self.dump = "none"
        self.migration = Migration()
        self.actions = dict(traits.actions)
        self.jobs: dict[str, dict[str, object]] = {}
        self.ended_jobs: dict[str, Mapping[str, object]] = {}
        self.belongings = Belongings()
        self.alive = True
        self.deaf_until = 0.0
        self.disks_handed_over = False
        self.dump_number = 0
        self._firmware_resets = 0
        self._limiter = RateLimiter(agenda, lambda event: tell(event) if self.alive else None)
        self._gone = gone

    @property
    def is_running(self) -> bool:
        """Whether the guest's processors run."""
        return self.status == "running"

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Let something happen in this process, if it lives then."""
        self.agenda.after(seconds, lambda: what() if self.alive else None)

    def send(self, name: str, data: Mapping[str, object] | None = None) -> None:
        """Let an event happen; its limiter decides when monitors are told."""
        event = Occurrence(name, data or {}, self.agenda.now)
        self.belongings.note(name, event.data)
        self._limiter.offer(event, io_errors_too=self.traits.major >= 10)

    def stand_still(self, status: str) -> None:
        """Stop the processors, with STOP where they ran."""
        ran, self.status = self.is_running, status
        if ran:
            self.send("STOP")

    def run_on(self) -> None:
        """Let the processors run, with RESUME where they stood."""
        if not self.is_running:
            self.status = "running"
            self.disks_handed_over = False
            self.send("RESUME")
            self._let_firmware_reset()

    def reset(self, reason: str = HOST_RESET, *, by_guest: bool = False) -> None:
        """Reset the machine: what stood still is `prelaunch`; open ports close first.

        The firmware of 7.2 resets it twice more once it runs, that of 11.1 once.
        """
        for port, is_open in self.belongings.ports.items():
            if is_open:
                self.send("VSERPORT_CHANGE", {"id": port, "open": False})
        if self.status not in {"running", "inmigrate"}:
            self.status = "prelaunch"
        self.send("RESET", {"guest": by_guest, "reason": reason})
        self._firmware_resets = 2 if self.traits.major < 8 else 1
        if self.is_running:
            self._let_firmware_reset()

    def spare_firmware(self) -> None:
        """Let no reset of the firmware's follow."""
        self._firmware_resets = 0

    def _let_firmware_reset(self) -> None:
        if self._firmware_resets:
            self.later(FIRMWARE_AFTER, self._firmware_reset)

    def _firmware_reset(self) -> None:
        if self.is_running and self._firmware_resets:
            self._firmware_resets -= 1
            self.send("RESET", {"guest": True, "reason": "guest-reset"})
            self._let_firmware_reset()

    def shut_down(self, reason: str, *, by_guest: bool) -> None:
        """What a shutdown is: the end of the process, or with `-no-shutdown` a stop."""
        self.send("SHUTDOWN", {"guest": by_guest, "reason": reason})
        if self.actions.get("shutdown") == "pause":
            self.stand_still("shutdown")
        else:
            self.later(0.01, lambda: self.end("the connection was closed"))

    def end(self, last_words: str) -> None:
        """End the process; nothing more happens in it."""
        if self.alive:
            self.alive = False
            self._gone(last_words)
