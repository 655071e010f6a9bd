"""The adapter's decode and the engine behind it, fed with lines from memory."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random

from bench.figures import Wrong
from reactor.adapters.qmp.messages import Message
from reactor.adapters.qmp.shared import Limits, Shared
from reactor.adapters.qmp.wire import Wire
from reactor.core.config import EngineConfig
from reactor.core.effect import Effect, Trace
from reactor.core.engine import Engine
from reactor.core.event import Event
from reactor.core.inputs import Connected, Facts, GuestKnown, Happened
from reactor.core.policy import Policy
from reactor.errors import ReactorError
from reactor.policyfile.check import load

NOW = 1_795_417_548.0

TICK_S = 0.001
"""Seconds between two events of the row ``match``."""

GUESTS = 100

A_FILE = 500
"""Policies in one file: a file is not to be larger than 1 MiB."""


def build(documents: Sequence[str]) -> Sequence[Policy]:
    """The policies of these YAML documents, built as the daemon builds them.

    Raises:
        Wrong: one has an error.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for start in range(0, len(documents), A_FILE):
            file = Path(folder) / f"{start}.yaml"
            file.write_text("---\n".join(documents[start : start + A_FILE]))
        loaded = load([Path(folder)])
    if not loaded.is_sound:
        raise Wrong(f"the bench's policies cannot be used: {loaded.problems[0]}")
    return loaded.policies


def guest_name(number: int) -> str:
    """The name of a guest of the bench."""
    return f"guest-{number:04}"


class Fed:
    """An engine with connected guests, and a wire to each that takes bytes.

    What the engine wants done stands in ``effects``, with the number that
    ``at`` had. Questions of the engine are left open, as at a full load: it
    asks no second one before the first is answered.
    """

    def __init__(self, policies: Sequence[Policy], guests: int = GUESTS) -> None:
        self._engine = Engine(EngineConfig(), "bench0")
        self._engine.load(policies, NOW)
        shared = Shared(_Deaf(), Limits(), Random(1))  # noqa: S311 - jitter that nobody asks for
        owner = _Owner()
        self._now = NOW
        self.at = 0
        self.effects: list[tuple[int, list[Effect]]] = []
        self.wires: list[Wire] = []
        for number in range(guests):
            name = guest_name(number)
            self._engine.handle(GuestKnown(name), NOW)
            facts = Facts(status="running", qemu_version="7.2.22")
            self._engine.handle(Connected(name, "1-1", facts), NOW)
            self.wires.append(Wire(name, owner, shared, self._take))

    def _take(self, guest: str, name: str, data: dict[str, object], time: float) -> None:
        # The same steps as in the daemon's listener and loop. Time goes on: the same
        # failure of the same device twice at once would count once.
        now = self._now = self._now + TICK_S
        effects = self._engine.handle(Happened(Event(name, guest, data, time, now)), now)
        if effects:
            self.effects.append((self.at, effects))

    def handle(self, events: Sequence[Happened]) -> None:
        """Let events in that are decoded already."""
        handle = self._engine.handle
        for number, event in enumerate(events):
            effects = handle(event, NOW)
            if effects:
                self.effects.append((number, effects))

    def admitted(self) -> list[tuple[int, str]]:
        """Which event was admitted by which policy; forgotten with this call."""
        effects, self.effects = self.effects, []
        return [
            (number, effect.policy)
            for number, several in effects
            for effect in several
            if isinstance(effect, Trace) and effect.verdict == "admitted"
        ]


class _Deaf:
    """A listener that nobody calls: these wires have no connection."""

    def on_connected(self, guest: str, epoch: str, facts: Facts) -> None:
        """Nothing."""

    def on_disconnected(self, guest: str, reason: str) -> None:
        """Nothing."""

    def on_event(
        self,
        guest: str,
        name: str,
        data: dict[str, object],
        qemu_time: float,
        foretold: bool = False,
    ) -> None:
        """Nothing."""

    def on_trouble(self, guest: str, error: ReactorError) -> None:
        """Nothing."""


class _Owner:
    """Hears what a wire says besides events: here that is a fault."""

    def made(self) -> None:
        """Nothing."""

    def answered(self, message: Message, line: bytes | bytearray) -> None:
        """Refuse: only events are fed."""
        del message
        raise Wrong(f"taken for a reply: {line!r}")

    def unreadable(self, line: bytes | bytearray, why: Exception) -> None:
        """Refuse: every line is QEMU's."""
        raise Wrong(f"not read ({why}): {line!r}")

    def too_long(self, limit: int) -> None:
        """Refuse: no line is long."""
        raise Wrong(f"a line counted as longer than {limit}")

    def lost(self, error: Exception | None) -> None:
        """Nothing."""
