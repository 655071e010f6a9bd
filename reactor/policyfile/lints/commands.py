"""Raw commands whose answer, or whose arguments, are not what one expects."""

from collections.abc import Iterator, Mapping, Sequence

from reactor.core.policy import EventTrigger, Policy
from reactor.core.steps import EventWait, QmpStep, Step, WaitEventStep
from reactor.core.template import Template, Tree
from reactor.errors import Code, Problem, Severity
from reactor.policyfile.lints.finding import at_key, at_step
from reactor.policyfile.lints.others import Others, tells
from reactor.policyfile.walking import Located, Steps, every, is_of_runbook, sections


def odd_commands(steps: Steps) -> Iterator[Problem]:
    """Commands that report an error as a success, or that end QEMU."""
    for located in every(steps):
        match located.step:
            case step if is_of_runbook(step):
                pass
            case QmpStep(options, "human-monitor-command") if options.save is None:
                problem = (
                    "`human-monitor-command` gives its errors as a success: nobody looks at it"
                )
                fix = "add `save: NAME` and a `check` of `steps.NAME.result`, or use a QMP command"
                severity = Severity.NOTE
                yield at_step(located, Code.ERROR_AS_SUCCESS, problem, fix, severity=severity)
            case QmpStep(_, "blockdev-reopen", arguments) if _argument(arguments, "options") == ():
                problem = "`blockdev-reopen` without options ends QEMU: it is never sent"
                fix = "name each node that is to be opened anew, with all its options"
                yield at_step(located, Code.DEADLY, problem, fix, key="args/options")
            case _:
                pass


def _argument(arguments: Tree, name: str) -> Tree:
    return arguments.get(name) if isinstance(arguments, Mapping) else None


_STARTS_JOB = {
    "block-commit": "device",
    "block-stream": "device",
    "blockdev-backup": "device",
    "blockdev-mirror": "device",
    "drive-backup": "device",
    "drive-mirror": "device",
}
"""Commands that begin a job which goes with its result, and what names it without `job-id`."""

_DISMISSES = {"job-dismiss": "id", "block-job-dismiss": "id"}
_LISTS = frozenset({"query-jobs", "query-block-jobs"})
_ENDS = ("BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED")


def lost_jobs(steps: Steps) -> Iterator[Problem]:
    """Jobs whose result is asked for when they are gone."""
    located = list(every(steps))
    for index, one in enumerate(located):
        match one.step:
            case QmpStep(_, command, arguments) if command in _STARTS_JOB and not is_of_runbook(
                one.step
            ):
                pass
            case _:
                continue
        keeps = _argument(arguments, "auto-dismiss")
        job = _argument(arguments, "job-id") or _argument(arguments, _STARTS_JOB[command])
        if keeps is None or keeps is True:
            asks = _asks(located[index:], _written(job))
            if asks is not None:
                problem = f"the job is gone when it ends, and `{asks}` does not find it"
                fix = "add `auto-dismiss: false` to the `args`"
                yield at_step(one, Code.LOST_JOB, problem, fix)


def _written(tree: Tree) -> Tree:
    return tree.source if isinstance(tree, Template) else tree


def _asks(located: Sequence[Located], job: Tree) -> str | None:
    """The command that asks for the job after its end; None when none does for certain."""
    has_ended = False
    for one in located:
        match one.step:
            case QmpStep(_, command, arguments) if command in _DISMISSES:
                if _written(_argument(arguments, _DISMISSES[command])) == job:
                    return command
            case QmpStep(_, command) if command in _LISTS and has_ended:
                return command
            case _:
                pass
        has_ended = has_ended or _waits_for_end(one.step)
    return None


def _waits_for_end(step: Step) -> bool:
    match step:
        case WaitEventStep(_, wait) | QmpStep(_, _, _, EventWait() as wait):
            return set(wait.events) <= set(_ENDS)
        case _:
            return False


_MIGRATION = ("MIGRATION", "MIGRATION_PASS")


def silent_migrations(policy: Policy, others: Others) -> Iterator[Problem]:
    """Events of migrations that QEMU sends only with a capability."""
    steps = [located for section in sections(policy) for located in every(section)]
    if any(tells(located.step) for located in steps):
        return
    found = list(_of_migrations(policy, steps))
    if found and not others.tell(policy.guests):
        yield from found


def _of_migrations(policy: Policy, steps: Sequence[Located]) -> Iterator[Problem]:
    for trigger in policy.triggers:
        for index, event in _named_migrations(_events_of(trigger)):
            path = f"{trigger.path}/event/{index}"
            yield at_key(policy, path, Code.SILENT_MIGRATION, _ONLY_WITH.format(event), _ARM)
    for located in steps:
        for index, event in _named_migrations(_awaited_by(located.step)):
            problem, key = _ONLY_WITH.format(event), f"wait/event/{index}"
            yield at_step(located, Code.SILENT_MIGRATION, problem, _ARM, key=key)


_ONLY_WITH = "QEMU sends {} only with the migration capability `events`"
_ARM = (
    "add `arm: [{qmp: migrate-set-capabilities, args: {capabilities: [{capability: events,"
    " state: true}]}}]`"
)


def _named_migrations(events: Sequence[str]) -> Iterator[tuple[int, str]]:
    return ((index, event) for index, event in enumerate(events) if event in _MIGRATION)


def _events_of(trigger: object) -> tuple[str, ...]:
    return trigger.events if isinstance(trigger, EventTrigger) else ()


def _awaited_by(step: Step) -> tuple[str, ...]:
    match step:
        case WaitEventStep(_, wait) | QmpStep(_, _, _, EventWait() as wait):
            return wait.events
        case _:
            return ()
