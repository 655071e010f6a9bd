"""Policies that act on a guest as often as something goes wrong in it."""

from collections.abc import Iterator

from reactor.core.expr import Expression
from reactor.core.matching import named
from reactor.core.policy import EventTrigger, Mode, Policy, StateTrigger, Trigger
from reactor.core.steps import (
    CheckStep,
    ChooseStep,
    DelayStep,
    GuestAction,
    GuestDump,
    GuestStep,
    QmpStep,
    Step,
)
from reactor.errors import Code, Problem
from reactor.policyfile.lints.finding import at_step
from reactor.policyfile.lints.reach import certain
from reactor.policyfile.walking import every

_FAULTS = (
    "BLOCK_IO_ERROR GUEST_CRASHLOADED GUEST_PANICKED MEMORY_FAILURE QUORUM_FAILURE WATCHDOG"
).split()
"""Events that come again by themselves when the guest has started anew with the same fault."""

_SLOW = 60.0
"""Seconds: what takes longer from one run to the next is no storm."""


def unlimited(policy: Policy) -> Iterator[Problem]:
    """A reset for each fault, or a dump that each fault begins anew, without an end."""
    if not any(map(_recurs, policy.triggers)) or _is_bounded(policy):
        return
    for located in every(policy.steps):
        if _starts_anew(located.step):
            problem = "nothing bounds how often the guest is started anew, and the fault may come"
            problem += " again each time"
            fix = "add limits, such as `limits: [3 per 1h per guest]`, or a `cooldown`"
            yield at_step(located, Code.UNLIMITED, problem, fix)
            return
    for located in certain(policy.steps) if policy.mode is Mode.RESTART else ():
        if _is_dump(located.step):
            problem = "each match ends the dump and begins it anew: it may never be whole"
            fix = "take `mode: queued`, or add `limits` or a `cooldown`"
            yield at_step(located, Code.UNLIMITED, problem, fix)
            return


def _recurs(trigger: Trigger) -> bool:
    match trigger:
        case EventTrigger(events=events, count=count, sequel=sequel):
            is_absence = sequel is not None and sequel.absent and sequel.within >= _SLOW
            return count == 1 and not is_absence and any(named(one, events) for one in _FAULTS)
        case StateTrigger(seconds=seconds):
            return seconds < _SLOW
        case _:
            return False


def _starts_anew(step: Step) -> bool:
    match step:
        case GuestStep(_, action):
            return action in {GuestAction.RESET, GuestAction.REBOOT}
        case QmpStep(_, command):
            return command == "system_reset"
        case _:
            return False


def _is_dump(step: Step) -> bool:
    return isinstance(step, GuestDump) or (
        isinstance(step, QmpStep) and step.command == "dump-guest-memory"
    )


def _is_bounded(policy: Policy) -> bool:
    """Whether something bounds how often it acts, or may do so."""
    return bool(
        policy.approval
        or (policy.cooldown and policy.cooldown > 0)
        or policy.debounce
        or any(limit.window for limit in policy.limits)
        or any(map(_may_bound, _conditions(policy)))
        or any(
            isinstance(one.step, DelayStep) and one.step.seconds >= _SLOW
            for one in every(policy.steps)
        )
    )


def _conditions(policy: Policy) -> Iterator[Expression]:
    yield from (*policy.conditions, *policy.inhibit_if)
    for trigger in policy.triggers:
        if isinstance(trigger, EventTrigger) and trigger.where is not None:
            yield trigger.where
    for located in every(policy.steps):
        if located.step.options.condition is not None:
            yield located.step.options.condition
        match located.step:
            case CheckStep(_, holds):
                yield holds
            case ChooseStep(_, branches):
                yield from (branch.when for branch in branches if branch.when is not None)
            case _:
                pass


_COUNTS = ("run", "guest.marks", "vars", "steps", "params")


def _may_bound(condition: Expression) -> bool:
    """Whether it may have to do with what was done before."""
    return "marked(" in condition.source or any(map(condition.needs, _COUNTS))
