"""Commands by hand: one QMP command for one guest, as a run of a policy that nobody wrote.

So it goes the way of every other command: guard, hand, limits, intent, probe. Its policy is
made of the command and its arguments alone, so that a restart can make it again.
"""

import hashlib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from reactor.core import catalog
from reactor.core.event import Event
from reactor.core.policy import Mode, Policy
from reactor.core.steps import QmpStep, StepOptions
from reactor.errors import Place

OPERATOR_EVENT = "REACTOR_OPERATOR"
"""The name of the event at hand in a run that an operator started."""

PREFIX = "cmd/"
"""Begins the names of these policies; no policy of a file has a slash in its name."""

AT_ONCE = 4
"""Runs of one such command that may be open on one guest."""

RETURNED = "returned"
"""Under which name the step saves what QEMU answered."""

_GLOB = frozenset("*?[")


def policy_name(command: str) -> str:
    """What the policy of a command by hand is called, in lists, traces and silences."""
    return f"{PREFIX}{command}"


def command_of(policy: str) -> str:
    """The command that the policy of this name sends by hand; empty of every other policy."""
    return policy.removeprefix(PREFIX) if policy.startswith(PREFIX) else ""


def only_reads(policy: str) -> bool:
    """Whether it is a command by hand that changes nothing: no hold or silence is against it."""
    command = command_of(policy)
    return bool(command) and not catalog.changes(command)


def named(policy: str) -> Policy | None:
    """The policy of this name, sent without arguments; None where it is no command by hand."""
    command = command_of(policy)
    return policy_of(event_of(command, {}, 30.0, "", 0.0)) if command else None


def is_glob(name: str) -> bool:
    """Whether an entry of an allow list stands for several commands."""
    return not _GLOB.isdisjoint(name)


def allowed(names: Iterable[str], command: str) -> bool:
    """Whether an allow list names the command; a glob stands for those that only read."""
    reads = not catalog.changes(command)
    return any(name == command or (reads and fnmatchcase(command, name)) for name in names)


def event_of(
    command: str, arguments: Mapping[str, object], timeout: float, guest: str, now: float
) -> Event:
    """What stands for the trigger of such a run; it says all that ``policy_of`` needs."""
    data = {"command": command, "arguments": arguments, "timeout": timeout}
    return Event(OPERATOR_EVENT, guest, data, now, now)


def policy_of(event: Event) -> Policy:
    """The policy of one step, as ``event_of`` tells it; the same event gives the same one.

    What stands in the arguments is data: no text in it is taken for a template.
    """
    told = msgspec.convert(event.data, _Told)
    digest = hashlib.sha256(msgspec.json.encode(event.data, order="deterministic")).hexdigest()
    place = Place("by hand")
    step = QmpStep(StepOptions("steps/0", place, save=RETURNED), told.command, told.arguments)
    return Policy(
        name=policy_name(told.command),
        description=f"{told.command}, sent by hand",
        triggers=(),
        steps=(step,),
        revision=f"by-hand:{digest[:24]}",
        source="",
        place=place,
        mode=Mode.PARALLEL,
        max=AT_ONCE,
        timeout=told.timeout,
    )


class _Told(msgspec.Struct, frozen=True):
    command: str
    arguments: dict[str, Any]
    timeout: float
