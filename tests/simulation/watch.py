"""Looks on while a history is played: what can only be seen at the moment itself."""

import json
from collections import Counter
from datetime import datetime

from reactor.adapters.journal import Reader
from reactor.adapters.journal.rows import Batch
from tests.simulation.loop import START

ANNOUNCED = frozenset({"dump-guest-memory", "system_reset", "cont", "stop"})


class Watch:
    """``begun`` holds, by run of ``slow``, when it began, ``late`` when its delay was over.

    Both as true seconds since the history began, with the host's boot in which it was
    and how far its clock was ahead of the true one. ``troubles`` are the times, on the
    engine's clock, in which the disk refused something.
    """

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.begun: dict[str, tuple[float, int, float]] = {}
        self.late: dict[str, tuple[float, int, float]] = {}
        self.last_message = 0
        self.troubles: list[tuple[float, float]] = []
        self._trouble: float | None = None
        self._sent: Counter[tuple[str, str, str]] = Counter()

    def disk(self, at: float, *, well: bool) -> None:
        """The disk takes everything from now on, or not."""
        if well and self._trouble is not None:
            self.troubles.append((self._trouble, at))
            self._trouble = None
        elif not well and self._trouble is None:
            self._trouble = at

    def written(self, batch: Batch, at: float, boot: int, shift: float) -> None:
        """A batch is on disk."""
        for message in batch.messages:
            _, _, rest = message.topic.partition("reactor/h/")
            kind, _, run = rest.partition("/")
            if kind == "begun":
                # The engine's own word: a full disk may have held the message up.
                told = datetime.fromisoformat(message.payload.decode()).timestamp()
                self.begun.setdefault(run, (told - START - shift, boot, shift))
            elif kind == "late":
                self.late.setdefault(run, (at, boot, shift))

    def sent(self, guest: str, line: bytes, reader: Reader) -> None:
        """A command leaves for QEMU: its intent must be on disk, one for each time."""
        message = json.loads(line)
        command = message["execute"]
        if command not in ANNOUNCED:
            return
        arguments = json.dumps(message.get("arguments", {}), sort_keys=True)
        self._sent[guest, command, arguments] += 1
        announced = sum(
            intent.guest == guest
            and intent.command == command
            and json.dumps(json.loads(intent.arguments), sort_keys=True) == arguments
            for _, (intent, _) in reader.deeds(0, 1_000_000)
        )
        if self._sent[guest, command, arguments] > announced:
            self.wrong.append(f"{command} went to {guest} without an intent in the journal")
