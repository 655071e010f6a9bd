"""What is allowed and yet most likely not meant: few findings, each worth acting on."""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from reactor.core import catalog
from reactor.core.expr import Expression
from reactor.core.matching import named
from reactor.core.policy import EventTrigger, Policy, StateTrigger
from reactor.core.steps import (
    AgentStep,
    CheckStep,
    ChooseStep,
    EventWait,
    GuestAction,
    GuestDump,
    GuestStep,
    ParallelStep,
    QmpStep,
    RepeatStep,
    Step,
    WaitEventStep,
)
from reactor.core.text import closest
from reactor.errors import Code, Place, Problem, Severity
from reactor.policyfile.event_names import no_such_event
from reactor.policyfile.walking import Located, Steps, every, sections, sequences

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


_RATE_LIMITED = frozenset(
    "BALLOON_CHANGE BLOCK_IO_ERROR HV_BALLOON_STATUS_REPORT MEMORY_DEVICE_SIZE_CHANGE"
    " QUORUM_FAILURE QUORUM_REPORT_BAD RTC_CHANGE VSERPORT_CHANGE WATCHDOG".split()
)
"""Sent at most once a second. Source: QEMU, monitor/monitor.c (5.2 to 11.1)."""


def lint(policy: Policy) -> Iterator[Problem]:
    """The warnings and notes about a sound policy; those of its runbooks stand at these."""
    yield from _unknown_triggers(policy)
    yield from _rate_limited(policy)
    yield from _old_status(policy)
    yield from _unarmed(policy)
    for section in sections(policy):
        yield from lint_steps(section)
        yield from _left_stopped(section)
    yield from _stands_still(policy)


def lint_steps(steps: Steps) -> Iterator[Problem]:
    """The warnings about steps of a policy or of a runbook, whatever stands around them."""
    for sequence in sequences(steps):
        for step in sequence:
            match step:
                case WaitEventStep(options, wait) | QmpStep(options, _, _, EventWait() as wait):
                    path = f"{options.path}/wait"
                    yield from _unknown_events(wait.events, options.place, path)
                case AgentStep():
                    yield from _unknown_agent_command(step)
                case _:
                    pass
        yield from _late_waits(sequence)


def _warning(located: Located, problem: str, fix: str) -> Problem:
    path = located.step.options.path
    return Problem(located.place, Code.RUN_STATE, problem, fix, Severity.WARNING, path=path)


def _unknown_triggers(policy: Policy) -> Iterator[Problem]:
    """Events of triggers that no QEMU sends."""
    for trigger in policy.triggers:
        if isinstance(trigger, EventTrigger):
            yield from _unknown_events(trigger.events, policy.place, trigger.path)
            if trigger.sequel is not None:
                key = "not_followed_by" if trigger.sequel.absent else "followed_by"
                path = f"{trigger.path}/{key}"
                yield from _unknown_events(trigger.sequel.match.events, policy.place, path)
            for index, cancel in enumerate(trigger.cancel_on):
                path = f"{trigger.path}/cancel_on/{index}"
                yield from _unknown_events(cancel.events, policy.place, path)


def _unknown_events(events: Iterable[str], place: Place, path: str) -> Iterator[Problem]:
    """Names that no QEMU sends; vendors' own begin with two underscores."""
    for index, event in enumerate(events):
        if wrong := no_such_event(event):
            below = f"{path}/event/{index}"
            yield Problem(place, Code.WRONG_VALUE, *wrong, Severity.WARNING, path=below)


def _unknown_agent_command(step: AgentStep) -> Iterator[Problem]:
    """Commands that no guest agent has up to QEMU 11.1; vendors may have their own."""
    known = catalog.agent_commands()
    if step.command not in known:
        problem = f"no guest agent up to QEMU 11.1 has the command `{step.command}`"
        guess = closest(step.command, known)
        fix = f"did you mean `{guess}`?" if guess else "look it up in the agent's reference"
        options = step.options
        path = f"{options.path}/agent"
        yield Problem(options.place, Code.WRONG_VALUE, problem, fix, Severity.WARNING, path=path)


def _rate_limited(policy: Policy) -> Iterator[Problem]:
    """A count of events of which QEMU leaves some out."""
    for trigger in policy.triggers:
        if isinstance(trigger, EventTrigger) and trigger.count > 1:
            for event in sorted(_RATE_LIMITED):
                if named(event, trigger.events):
                    problem = f"QEMU sends {event} at most once a second: `count` is a lower bound"
                    fix = "count fewer, or over a longer `within`, if that matters"
                    yield Problem(
                        policy.place,
                        Code.RUN_STATE,
                        problem,
                        fix,
                        Severity.NOTE,
                        path=f"{trigger.path}/count",
                    )


def _old_status(policy: Policy) -> Iterator[Problem]:
    """A status that is looked at before it is asked."""
    for trigger in policy.triggers:
        where = trigger.where if isinstance(trigger, EventTrigger) else None
        if where is not None and where.needs("guest.status"):
            problem = "`where` sees the last known `guest.status`, which may be old"
            fix = "put this condition into `if`: there it is asked afresh"
            path = f"{trigger.path}/where"
            yield Problem(policy.place, Code.RUN_STATE, problem, fix, Severity.NOTE, path=path)


def _unarmed(policy: Policy) -> Iterator[Problem]:
    """A dump or reset for a panic of which nothing is left."""
    if not any(
        isinstance(trigger, EventTrigger) and named("GUEST_PANICKED", trigger.events)
        for trigger in policy.triggers
    ):
        return
    if any(_preserves(step) for step in policy.arm):
        return
    for located in every(policy.steps):
        if _needs_panicked(located.step):
            yield _warning(
                located,
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


def _left_stopped(steps: Steps) -> Iterator[Problem]:
    """A raw reset with nothing behind it that lets the guest run."""
    located = list(every(steps))
    for index, one in enumerate(located):
        if not isinstance(one.step, QmpStep) or one.step.command != "system_reset":
            continue
        if not any(_lets_run(later.step) for later in located[index + 1 :]):
            yield _warning(
                one,
                "a guest that stood still does not run again after `system_reset` alone",
                "use `guest: reset`, or add `- qmp: cont` behind it",
            )


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


_RUNNING = re.compile(
    r"""\s*(guest\.status\s*==\s*["']running["']|["']running["']\s*==\s*guest\.status)\s*"""
)
_NOT_CERTAIN = ("||", "?", "!(")


def _stands_still(policy: Policy) -> Iterator[Problem]:
    """A dump of a guest that certainly runs: it will not, meanwhile."""
    asked = [*policy.conditions]
    asked += [trigger.holds for trigger in policy.triggers if isinstance(trigger, StateTrigger)]
    runs = any(_says_running(one) for one in asked)
    for located in every(policy.steps):
        match located.step:
            case CheckStep(_, holds) if _says_running(holds):
                runs = True
            case GuestDump(options) if runs:
                problem = "a running guest stands still while its memory is written"
                fix = "dump at a time when that does no harm, or leave it as it is"
                yield Problem(
                    located.place, Code.RUN_STATE, problem, fix, Severity.NOTE, path=options.path
                )
                return
            case GuestStep() | QmpStep() | ChooseStep() | ParallelStep() | RepeatStep():
                return
            case _:
                pass


def _says_running(condition: Expression) -> bool:
    source = condition.source
    return not any(sign in source for sign in _NOT_CERTAIN) and any(
        _RUNNING.fullmatch(part) for part in source.split("&&")
    )


def _late_waits(steps: Steps) -> Iterator[Problem]:
    """A wait that begins when its event may have come already."""
    for step, after in pairwise(steps):
        if not isinstance(step, QmpStep) or not isinstance(after, WaitEventStep):
            continue
        for event in sorted(_ANSWERS.get(step.command, ())):
            if step.wait is None and named(event, after.wait.events):
                yield _warning(
                    Located(after, after.options.place),
                    f"{event} may come before this wait begins",
                    f"put the `wait` on the `qmp: {step.command}` step",
                )
                break
