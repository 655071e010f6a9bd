"""What is allowed and yet most likely not meant: few findings, each worth acting on."""

from collections.abc import Iterator
from itertools import pairwise

from reactor.core.matching import named
from reactor.core.policy import EventTrigger, Policy
from reactor.core.steps import (
    EventWait,
    GuestAction,
    GuestDump,
    GuestStep,
    QmpStep,
    Step,
    WaitEventStep,
)
from reactor.core.text import closest
from reactor.errors import Code, Problem, Severity
from reactor.policyfile.event_names import KNOWN_EVENTS

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


def lint(policy: Policy) -> Iterator[Problem]:
    """The warnings about a sound policy."""
    yield from _unknown_events(policy)
    yield from _unarmed(policy)
    for steps in (policy.steps, policy.on_failure, policy.on_limit, policy.finally_):
        yield from _left_stopped(steps)
        yield from _late_waits(steps)


def _warning(step: Step, problem: str, fix: str) -> Problem:
    options = step.options
    return Problem(options.place, Code.RUN_STATE, problem, fix, Severity.WARNING, path=options.path)


def _unknown_events(policy: Policy) -> Iterator[Problem]:
    """Names that no QEMU sends; vendors' own begin with two underscores."""
    waited = [
        (trigger.events, policy.place, trigger.path)
        for trigger in policy.triggers
        if isinstance(trigger, EventTrigger)
    ]
    for step in (*policy.steps, *policy.on_failure, *policy.on_limit, *policy.finally_):
        match step:
            case WaitEventStep(options, wait) | QmpStep(options, _, _, EventWait() as wait):
                waited.append((wait.events, options.place, f"{options.path}/wait"))
            case _:
                pass
    for events, place, path in waited:
        for event in events:
            if not _is_known(event):
                problem = f"no QEMU from 5.2 to 11.1 sends `{event}`"
                guess = closest(event, KNOWN_EVENTS)
                fix = f"did you mean `{guess}`?" if guess else "look it up in QEMU's QMP reference"
                yield Problem(place, Code.WRONG_VALUE, problem, fix, Severity.WARNING, path=path)


def _is_known(event: str) -> bool:
    if event in KNOWN_EVENTS or event.startswith("__"):
        return True
    return any(named(known, (event,)) for known in KNOWN_EVENTS)


def _unarmed(policy: Policy) -> Iterator[Problem]:
    """A dump or reset for a panic of which nothing is left."""
    if not any(
        isinstance(trigger, EventTrigger) and named("GUEST_PANICKED", trigger.events)
        for trigger in policy.triggers
    ):
        return
    if any(_preserves(step) for step in policy.arm):
        return
    for step in policy.steps:
        if _needs_panicked(step):
            yield _warning(
                step,
                "QEMU ends at a panic unless it was told to pause: nothing would be left here",
                "add `arm: [{guest: preserve-on-panic}]` to the policy",
            )
            return


def _preserves(step: Step) -> bool:
    return (isinstance(step, GuestStep) and step.action is GuestAction.PRESERVE_ON_PANIC) or (
        isinstance(step, QmpStep) and step.command == "set-action"
    )


def _needs_panicked(step: Step) -> bool:
    match step:
        case GuestDump() | GuestStep(_, GuestAction.RESET):
            return True
        case QmpStep(_, command):
            return command in {"dump-guest-memory", "system_reset"}
        case _:
            return False


def _left_stopped(steps: tuple[Step, ...]) -> Iterator[Problem]:
    """A raw reset with nothing behind it that lets the guest run."""
    for index, step in enumerate(steps):
        if not isinstance(step, QmpStep) or step.command != "system_reset":
            continue
        if not any(_lets_run(later) for later in steps[index + 1 :]):
            yield _warning(
                step,
                "a guest that stood still does not run again after `system_reset` alone",
                "use `guest: reset`, or add `- qmp: cont` behind it",
            )


def _lets_run(step: Step) -> bool:
    match step:
        case QmpStep(_, command):
            return command in {"cont", "quit"}
        case GuestStep(_, action):
            return action in {GuestAction.RESUME, GuestAction.RESET}
        case _:
            return False


def _late_waits(steps: tuple[Step, ...]) -> Iterator[Problem]:
    """A wait that begins when its event may have come already."""
    for step, after in pairwise(steps):
        if not isinstance(step, QmpStep) or not isinstance(after, WaitEventStep):
            continue
        for event in sorted(_ANSWERS.get(step.command, ())):
            if step.wait is None and named(event, after.wait.events):
                yield _warning(
                    after,
                    f"{event} may come before this wait begins",
                    f"put the `wait` on the `qmp: {step.command}` step",
                )
                break
