"""What one round of the kill loop is made of: its faults, its sizes, its policy and settings."""

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

HOST: Final = "kill"
"""The daemon's name of this machine, a level of its topics."""

ENDED: Final = "ended"
"""The topic on which each run says once, with its own id, how it ended."""


class Fault(StrEnum):
    """What fails beside the daemon, which is killed in every round."""

    DAEMON = "daemon"
    BROKER = "broker"
    QEMU = "qemu"
    DISK = "disk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One round.

    Args:
        seed: of the chances; the processes have a rhythm of their own, so that the same seed
            gives the same kills only as far as they do.
        faults: what is killed or filled in turns, beside the daemon.
        guests: how many.
        panics: how often each of them panics before it works; 1 to 254.
        ticks: how long a guest lives between a boot and its panic, in ticks of 55 ms.
        within: seconds after which the kills end, however far the guests have come.
        preloaded: whether the daemon's lives begin with everything imported; see `nursery`.
        calm: seconds that the daemon then has, undisturbed, to bring everything in order.
    """

    seed: int
    faults: frozenset[Fault] = frozenset()
    guests: int = 4
    panics: int = 6
    ticks: int = 6
    within: float = 120.0
    preloaded: bool = False
    calm: float = 60.0

    @property
    def name(self) -> str:
        """The faults, for people."""
        return "+".join(sorted({Fault.DAEMON, *self.faults}))


POLICY: Final = f"""
policy: kill-loop
description: A guest panicked. It is dumped and reset, and the run says once how it ended.
arm: [{{guest: preserve-on-panic}}]
trigger: {{event: GUEST_PANICKED}}
if: guest.status == "guest-panicked"
mode: queued
steps:
  - guest: dump
    to: "${{guest.name}}-${{run.id}}.kdump"
    format: kdump-zlib
  - guest: reset
finally:
  - publish: {ENDED}
    payload: {{guest: "${{guest.name}}", run: "${{run.id}}", outcome: "${{run.outcome}}"}}
"""
"""Without limits: whatever it does twice or not at all is seen."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the files of a round lie; ``journal`` is a folder, and may be a file system."""

    folder: Path

    @property
    def settings(self) -> Path:
        """The daemon's settings file."""
        return self.folder / "reactor.yaml"

    @property
    def journal_folder(self) -> Path:
        """The folder that holds the journal and nothing else."""
        return self.folder / "journal"

    @property
    def journal(self) -> Path:
        """The journal."""
        return self.journal_folder / "journal.db"

    @property
    def dumps(self) -> Path:
        """The folder of the dumps."""
        return self.folder / "dumps"

    @property
    def log(self) -> Path:
        """What the daemon said, all of its lives in one file."""
        return self.folder / "daemon.log"

    def write(self, *, monitors: str, broker: str, control: Path) -> None:
        """Make the folders, the policy and the settings file."""
        rules = self.folder / "rules"
        for folder in (rules, self.journal_folder):
            folder.mkdir(mode=0o700)
        (rules / "kill-loop.yaml").write_text(POLICY, encoding="utf-8")
        settings = {
            "host": {"name": HOST},
            "guests": [{"discover": monitors}],
            "rules": [str(rules)],
            "mqtt": {"url": broker},
            "journal": {"path": str(self.journal)},
            "dumps": {"folder": str(self.dumps)},
            "control": {"socket": str(control)},
        }
        # JSON is YAML: nothing needs quoting by hand.
        self.settings.write_text(json.dumps(settings, indent=1), encoding="utf-8")
