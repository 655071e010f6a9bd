"""What all agents of one pool share: limits, counters, chance."""

from dataclasses import dataclass, field
from random import Random


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one guest's agent; times in seconds.

    ``commands`` may wait for one guest, the one under way included. ``sync_s`` is how long
    the agent may take to show that somebody is there; ``refusal_s`` how long a command
    without a reply may take to be refused; ``idle_s`` how long a connection is kept that
    nobody uses.
    """

    line_bytes: int = 16 * 1024 * 1024
    commands: int = 64
    sync_s: float = 5.0
    refusal_s: float = 1.0
    idle_s: float = 2.0


@dataclass(slots=True)
class Counters:
    """What the agents of a pool have seen since its start.

    ``commands`` were written to a guest, ``lost`` of them got no answer; ``unsent`` were
    not written. ``skipped`` are lines that stood before the answer to a sync: late
    answers to earlier clients, and garbage.
    """

    connects: int = 0
    commands: int = 0
    lost: int = 0
    unsent: int = 0
    skipped: int = 0


@dataclass(slots=True)
class Shared:
    """Handed to every guest's line of a pool."""

    limits: Limits
    rng: Random
    counters: Counters = field(default_factory=Counters)
