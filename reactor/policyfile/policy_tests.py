"""A `test:` document as values: what happens, how the world answers, what is expected."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Follow:
    """An event that the simulated guest sends so many seconds after a command."""

    after: float
    event: str
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answering:
    """How the simulated world answers a command, a call or a program.

    Args:
        takes: seconds until the work is done, or, where only the answer counts, until it.
        fails: the answer is an error with this text, and nothing is done.
        breaks: it is accepted, and its work fails later with this text.
        returns: the answer; None for what QEMU answers.
        silent: nothing is ever answered, and nothing is done.
        obeys: whether the guest does what it is asked to (power button, unplug).
        refuses: the guest says that it will not (unplug).
        times: how many commands are answered so; None for all.
        then: events that follow.
    """

    takes: float | None = None
    fails: str | None = None
    breaks: str | None = None
    returns: object = None
    silent: bool = False
    obeys: bool = True
    refuses: bool = False
    times: int | None = None
    then: tuple[Follow, ...] = ()


Answerings = Mapping[str, tuple[Answering, ...]]
"""By command, agent command, program, URL glob or `http`: what is tried in order."""
