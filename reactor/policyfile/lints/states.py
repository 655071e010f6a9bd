"""Commands that do something else in the run state that the guest is in."""

from collections.abc import Iterator

from reactor.core.matching import named
from reactor.core.policy import EventTrigger, Policy, StateTrigger
from reactor.core.steps import (
    CheckStep,
    ChooseStep,
    ClearStep,
    DelayStep,
    GuestAction,
    GuestDump,
    GuestStep,
    InhibitStep,
    LogStep,
    MarkStep,
    ParallelStep,
    PublishStep,
    QmpStep,
    RepeatStep,
    RunbookStep,
    Step,
)
from reactor.errors import Code, Problem, Severity
from reactor.policyfile.lints.finding import at_key, at_step
from reactor.policyfile.lints.others import Others, preserves
from reactor.policyfile.lints.reach import certain
from reactor.policyfile.lints.terms import ANY, literal, said_by
from reactor.policyfile.walking import Steps, every, sections


def old_status(policy: Policy) -> Iterator[Problem]:
    """A status that is looked at before it is asked."""
    for trigger in policy.triggers:
        where = trigger.where if isinstance(trigger, EventTrigger) else None
        if where is not None and where.needs("guest.status"):
            problem = "`where` sees the last known `guest.status`, which may be old"
            fix = "put this condition into `if`: there it is asked afresh"
            path = f"{trigger.path}/where"
            yield at_key(policy, path, Code.OLD_STATUS, problem, fix, Severity.NOTE)


def unarmed(policy: Policy, others: Others) -> Iterator[Problem]:
    """A dump or reset for a panic of which nothing is left."""
    panics = [trigger for trigger in policy.triggers if _is_panic(trigger)]
    if not panics or any(map(preserves, policy.arm)) or others.pause(policy.guests):
        return
    is_mixed = len(panics) < len(policy.triggers)
    for located in certain(policy.steps) if is_mixed else every(policy.steps):
        if _needs_panicked(located.step):
            problem = "QEMU ends at a panic unless it was told to pause: nothing would be left here"
            fix = "add `arm: [{guest: preserve-on-panic}]` to the policy"
            yield at_step(located, Code.UNARMED, problem, fix)
            return


def _is_panic(trigger: object) -> bool:
    """Whether it may be fired by a panic at which QEMU does not let the guest run on."""
    if not isinstance(trigger, EventTrigger) or not named("GUEST_PANICKED", trigger.events):
        return False
    return not said_by([trigger.where]).only("data.action", "run")


def _needs_panicked(step: Step) -> bool:
    match step:
        case GuestDump() | GuestStep(_, GuestAction.RESET):
            return True
        case QmpStep(_, command):
            return command in {"dump-guest-memory", "system_reset"}
        case _:
            return False


def left_stopped(policy: Policy) -> Iterator[Problem]:
    """A raw reset with nothing behind it that lets the guest run."""
    runs = _runs_before(policy)
    for section in filter(None, sections(policy)):
        last = policy.finally_ if section is policy.steps else ()
        yield from _left_stopped(section, last, runs=runs)


def _left_stopped(steps: Steps, last: Steps, *, runs: bool) -> Iterator[Problem]:
    located = [*every(steps), *every(last)]
    for index, one in enumerate(every(steps)):
        if isinstance(one.step, CheckStep) and said_by([one.step.holds]).only(*_RUNNING):
            runs = True
        if runs or not isinstance(one.step, QmpStep) or one.step.command != "system_reset":
            continue
        if not any(_lets_run(later.step) for later in located[index + 1 :]):
            problem = "a guest that stood still does not run again after `system_reset` alone"
            fix = "use `guest: reset`, or add `- qmp: cont` behind it"
            yield at_step(one, Code.LEFT_STOPPED, problem, fix)


_LETS_RUN = {
    GuestAction.RESUME,
    GuestAction.RESET,
    GuestAction.START,
    GuestAction.DESTROY,
    GuestAction.REBOOT,
}


def _lets_run(step: Step) -> bool:
    match step:
        case QmpStep(_, command):
            return command in {"cont", "quit"}
        case GuestStep(_, action):
            return action in _LETS_RUN
        case _:
            return False


_RUNNING = ("guest.status", "running")


def _runs_before(policy: Policy) -> bool:
    """Whether the guest certainly runs when a run starts."""
    states = [one.holds if isinstance(one, StateTrigger) else None for one in policy.triggers]
    return said_by(policy.conditions).only(*_RUNNING) or all(
        said_by([one]).only(*_RUNNING) for one in states
    )


def stands_still(policy: Policy) -> Iterator[Problem]:
    """A dump of a guest that certainly runs: it will not, meanwhile."""
    runs = _runs_before(policy)
    for located in every(policy.steps):
        match located.step:
            case CheckStep(_, holds) if said_by([holds]).only(*_RUNNING):
                runs = True
            case GuestDump() if runs:
                problem = "a running guest stands still while its memory is written"
                fix = "dump at a time when that does no harm, or leave it as it is"
                yield at_step(located, Code.STANDS_STILL, problem, fix, severity=Severity.NOTE)
                return
            case GuestStep() | QmpStep() | ChooseStep() | ParallelStep() | RepeatStep():
                return
            case _:
                pass


_PANICKED = "guest-panicked"
_TELLS = (LogStep, PublishStep, MarkStep, ClearStep, InhibitStep, RunbookStep)
"""Steps that leave the guest as it is, and take no time."""


def resumed_panics(policy: Policy) -> Iterator[Problem]:
    """A guest that is to go on after its kernel has died."""
    if not all(map(_is_only_panic, policy.triggers)):
        return
    status = said_by(policy.conditions).values.get("guest.status", ANY)
    is_stopped = any(map(preserves, policy.arm)) or status.values is not None
    if not status.takes(literal(_PANICKED)) or not is_stopped:
        return
    for located in certain(policy.steps):
        match located.step:
            case QmpStep(_, "cont") | GuestStep(_, GuestAction.RESUME):
                problem = "a guest that has panicked is not let go on: its kernel is dead"
                yield at_step(located, Code.RESUMED_PANIC, problem, "use `guest: reset`")
                return
            case GuestDump() | DelayStep():
                pass
            case step:
                if not isinstance(step, _TELLS):
                    return


def _is_only_panic(trigger: object) -> bool:
    return (
        isinstance(trigger, EventTrigger)
        and trigger.events == ("GUEST_PANICKED",)
        and trigger.sequel is None
        and said_by([trigger.where]).values.get("data.action", ANY).takes(literal("pause"))
    )


def hasty_resumes(policy: Policy) -> Iterator[Problem]:
    """A guest that goes on at once after an error of a disk, which it meets again at once."""
    if not any(map(_is_disk_error, policy.triggers)) or _is_slowed(policy):
        return
    for located in certain(policy.steps):
        match located.step:
            case QmpStep(_, "cont") | GuestStep(_, GuestAction.RESUME):
                problem = "the guest meets the same error at once, and this runs again: many times"
                problem += " a second"
                fix = "put a `delay` before it, and `limits` into the policy"
                yield at_step(located, Code.HASTY_RESUME, problem, fix)
                return
            case step:
                if not isinstance(step, _TELLS):
                    return


def _is_disk_error(trigger: object) -> bool:
    return (
        isinstance(trigger, EventTrigger)
        and "BLOCK_IO_ERROR" in trigger.events
        and trigger.sequel is None
        and trigger.count == 1
        and said_by([trigger.where]).values.get("data.action", ANY).takes(literal("stop"))
    )


def _is_slowed(policy: Policy) -> bool:
    """Whether something bounds how often it runs, or may do so."""
    return bool(
        policy.cooldown
        or policy.debounce
        or policy.approval
        or policy.inhibit_if
        or said_by(policy.conditions).rest
        or any(limit.window for limit in policy.limits)
        or not {path for one in policy.conditions for path in one.reads} <= {"guest.status"}
    )
