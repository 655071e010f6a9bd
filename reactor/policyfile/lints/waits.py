"""Waits that begin too late, last too long or believe too much."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from reactor.core import catalog
from reactor.core.catalog import EffectClass
from reactor.core.matching import named
from reactor.core.policy import Policy
from reactor.core.steps import (
    AgentStep,
    ClearStep,
    EventWait,
    GuestAction,
    GuestDump,
    GuestStep,
    InhibitStep,
    LogStep,
    MarkStep,
    PublishStep,
    QmpStep,
    RepeatStep,
    RunbookStep,
    Step,
    WaitEventStep,
    WaitStaysStep,
    WaitUntilStep,
)
from reactor.core.text import render_duration
from reactor.errors import Code, Place, Problem, Severity
from reactor.policyfile.lints.finding import at_step
from reactor.policyfile.lints.others import Others
from reactor.policyfile.walking import Located, Steps, every, is_of_runbook, lists_of

# The events with which QEMU answers a command. Only those are here that it sends for
# nothing else a policy does, so that the finding is right whenever it is made.
_ANSWERS = {
    "balloon": {"BALLOON_CHANGE"},
    "block-commit": {"BLOCK_JOB_READY", "BLOCK_JOB_COMPLETED"},
    "block-stream": {"BLOCK_JOB_COMPLETED"},
    "blockdev-backup": {"BLOCK_JOB_COMPLETED"},
    "blockdev-mirror": {"BLOCK_JOB_READY", "BLOCK_JOB_COMPLETED"},
    "cont": {"RESUME"},
    "device_del": {"DEVICE_DELETED", "DEVICE_UNPLUG_GUEST_ERROR", "MEM_UNPLUG_ERROR"},
    "drive-mirror": {"BLOCK_JOB_READY", "BLOCK_JOB_COMPLETED"},
    "dump-guest-memory": {"DUMP_COMPLETED"},
    "migrate": {"MIGRATION"},
    "quit": {"SHUTDOWN"},
    "stop": {"STOP"},
    "system_powerdown": {"POWERDOWN", "SHUTDOWN"},
    "system_reset": {"RESET"},
    "system_wakeup": {"WAKEUP"},
}

# What these verbs wait for themselves: when they have succeeded it is over.
_AWAITED = {
    GuestAction.PAUSE: frozenset({"STOP"}),
    GuestAction.RESUME: frozenset({"RESUME"}),
    GuestAction.SHUTDOWN: frozenset({"POWERDOWN", "SHUTDOWN"}),
}

_QUICK = (LogStep, PublishStep, MarkStep, ClearStep, InhibitStep)
"""Steps behind which an answer may have come already, although they take no time."""


def late_waits(steps: Steps) -> Iterator[Problem]:
    """A wait that begins when its event may have come already."""
    for step, after in pairwise(one for one in steps if not isinstance(one, _QUICK)):
        if not isinstance(after, WaitEventStep):
            continue
        located, events = Located(after, after.options.place), after.wait.events
        match step:
            case QmpStep(_, command, _, None):
                for event in sorted(_ANSWERS.get(command, ())):
                    if named(event, events):
                        problem = f"{event} may come before this wait begins"
                        fix = f"put the `wait` on the `qmp: {command}` step"
                        yield at_step(located, Code.LATE_WAIT, problem, fix)
                        break
            case GuestDump():
                yield from _awaited(located, events, "dump", {"DUMP_COMPLETED"})
            case GuestStep(_, action):
                yield from _awaited(located, events, action, _AWAITED.get(action, frozenset()))
            case _:
                pass


def _awaited(
    located: Located, events: Sequence[str], verb: str, answers: set[str] | frozenset[str]
) -> Iterator[Problem]:
    """A wait for nothing but what the step before has waited for."""
    if answers.issuperset(events):
        problem = f"`guest: {verb}` ends after {events[0]}: this wait begins too late for it"
        yield at_step(located, Code.LATE_WAIT, problem, "take the wait out")


def endless_waits(policy: Policy) -> Iterator[Problem]:
    """Waits that end only with the run, where nobody said when that is."""
    last = render_duration(policy.timeout)
    for located in _unbounded(policy.steps):
        problem = f"nothing ends this wait before the run's own end, after {last}"
        fix = "add a `timeout` to the wait, or to the policy"
        yield at_step(located, Code.ENDLESS_WAIT, problem, fix, key="wait", severity=Severity.NOTE)


def _unbounded(steps: Steps, place: Place | None = None) -> Iterator[Located]:
    """The waits that have no deadline of their own, and none around them."""
    for step in steps:
        if step.options.timeout is not None:
            continue
        here = place or step.options.place
        match step:
            case (
                WaitEventStep(_, EventWait(timeout=None))
                | QmpStep(_, _, _, EventWait(timeout=None))
                | WaitUntilStep(_, _, None)
                | WaitStaysStep(_, _, _, None)
            ):
                yield Located(step, here)
            case _:
                pass
        below = here if isinstance(step, RunbookStep) else place
        for inside in lists_of(step):
            yield from _unbounded(inside, below)


_PROOFS = {
    "DUMP_COMPLETED": ("data.result", "data.error"),
    "BLOCK_JOB_COMPLETED": ("data.error", "data.offset", "data.len"),
}
"""Events that are sent for failures too, and the members of which one says so."""

_FAILED = {"DUMP_COMPLETED": "data.result.status", "BLOCK_JOB_COMPLETED": "data.error"}
_FAIL_WHEN = {
    "DUMP_COMPLETED": 'data.result.status == "failed"',
    "BLOCK_JOB_COMPLETED": "has(data.error)",
}
_ASKED_LATER = {
    "DUMP_COMPLETED": frozenset({"query-dump"}),
    "BLOCK_JOB_COMPLETED": frozenset({"query-jobs", "query-block-jobs"}),
}
"""Commands that tell how it ended, for who has not looked at the event."""


def unchecked_success(steps: Steps) -> Iterator[Problem]:
    """Waits that take a failure for a success."""
    located = list(every(steps))
    for index, one in enumerate(located):
        match one.step:
            case step if is_of_runbook(step):
                continue
            case WaitEventStep(options, wait) | QmpStep(options, _, _, EventWait() as wait):
                pass
            case _:
                continue
        sent = {later.step.command for later in located[index:] if isinstance(later.step, QmpStep)}
        for event, proofs in _PROOFS.items():
            is_asked = options.save is not None or not sent.isdisjoint(_ASKED_LATER[event])
            if event in wait.events and not is_asked and not _looks_at(wait, proofs):
                problem = f"QEMU sends {event} for a failure as well, and {_FAILED[event]} is"
                problem += " not looked at"
                fix = f"add `fail_when: {_FAIL_WHEN[event]}` to the wait"
                yield at_step(one, Code.UNCHECKED_SUCCESS, problem, fix, key="wait")


def _looks_at(wait: EventWait, paths: Sequence[str]) -> bool:
    conditions = [one for one in (wait.where, wait.fail_when) if one is not None]
    return any(one.needs(path) for one in conditions for path in paths)


def unawaited_unplugs(policy: Policy, others: Others) -> Iterator[Problem]:
    """A `device_del` of which nobody hears whether the guest obeyed."""
    if others.hear_unplugs:
        return
    located = list(every(policy.steps))
    if any(isinstance(one.step, RepeatStep) for one in located):
        return  # what stands before it may ask in the next round
    for index, one in enumerate(located):
        match one.step:
            case QmpStep(_, "device_del", _, None):
                pass
            case _:
                continue
        if not any(_may_ask(later.step) for later in located[index + 1 :]):
            problem = "`device_del` succeeds whether or not the guest lets the device go"
            fix = "add `wait: {event: DEVICE_DELETED, where: ..., timeout: 30s}` to the step"
            yield at_step(one, Code.UNAWAITED_UNPLUG, problem, fix)


def _may_ask(step: Step) -> bool:
    """Whether the step may find out what became of a device."""
    match step:
        case WaitEventStep() | WaitUntilStep() | WaitStaysStep() | AgentStep():
            return True
        case QmpStep(_, command, _, wait):
            return wait is not None or catalog.effect_of(command) is EffectClass.READ
        case _:
            return False
