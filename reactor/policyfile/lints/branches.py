"""Steps, ways and handlers that are never reached, and conditions that never hold."""

from collections.abc import Iterator

from reactor.core.catalog import RENAMED
from reactor.core.expr import Expression
from reactor.core.policy import EventTrigger, Policy, StateTrigger
from reactor.core.steps import (
    CheckStep,
    ChooseStep,
    EventWait,
    FailStep,
    OnError,
    QmpStep,
    RunbookStep,
    Step,
    StopStep,
    WaitEventStep,
    WaitStaysStep,
    WaitUntilStep,
)
from reactor.errors import Code, Problem
from reactor.policyfile.lints.finding import at_key, at_step
from reactor.policyfile.lints.terms import ANY, Said, literal, said_by
from reactor.policyfile.walking import Located, Steps


def unreachable(steps: Steps) -> Iterator[Problem]:
    """What stands behind the end of a run, in this list of steps."""
    for index, step in enumerate(steps[:-1]):
        if _ends(step):
            after = steps[index + 1]
            problem = "this is never reached: the step before it always ends the run"
            if isinstance(step, CheckStep):
                problem = "this is never reached: the `check` before it never holds"
            fix = "take it out, or give the step before it an `if`"
            located = Located(after, after.options.place)
            yield at_step(located, Code.UNREACHABLE, problem, fix)
            return


def _ends(step: Step) -> bool:
    """Whether nothing behind this step is done, whatever happens."""
    if step.options.condition is not None or step.options.on_error is OnError.CONTINUE:
        return False
    match step:
        case StopStep() | FailStep():
            return True
        case CheckStep(_, holds):
            return said_by([holds]).impossible is not None
        case ChooseStep(_, branches):
            has_default = any(branch.when is None for branch in branches)
            return has_default and all(any(map(_ends, branch.steps)) for branch in branches)
        case RunbookStep():
            return any(map(_ends, step.steps))
        case _:
            return False


def shadowed(step: Step) -> Iterator[Problem]:
    """Ways of a `choose` of which an earlier one is always taken instead."""
    if not isinstance(step, ChooseStep):
        return
    before: list[tuple[Said, str]] = []
    for index, branch in enumerate(step.branches):
        said = said_by([branch.when])
        if (why := said.impossible) is not None:
            located, key = Located(step, step.options.place), f"choose/{index}/when"
            yield at_step(located, Code.NEVER_HOLDS, _never(why), _NEVER_FIX, key=key)
            continue
        for earlier, shown in before:
            if said.implies(earlier):
                problem = f"this way is never taken: `{shown}` before it holds whenever it would"
                fix = "put the more special one first, or take it out"
                located, key = Located(step, step.options.place), f"choose/{index}"
                yield at_step(located, Code.UNREACHABLE, problem, fix, key=key)
                break
        if branch.when is not None:
            before.append((said, branch.when.source.strip()))


def never_in_step(step: Step) -> Iterator[Problem]:
    """Conditions of a step that cannot hold, whatever comes."""
    for key, condition in _conditions_of(step):
        if (why := said_by([condition]).impossible) is not None:
            located = Located(step, step.options.place)
            yield at_step(located, Code.NEVER_HOLDS, _never(why), _NEVER_FIX, key=key)


_NEVER_FIX = "mend the condition, or take out what depends on it"


def _never(path: str) -> str:
    if not path:
        return "this condition never holds"
    return f"this condition never holds: {_short(path)} would have to be two things at once"


def _short(path: str) -> str:
    return path if "(" not in path else "one value"


def _conditions_of(step: Step) -> Iterator[tuple[str, Expression]]:
    if step.options.condition is not None:
        yield "if", step.options.condition
    match step:
        case CheckStep(_, holds):
            yield "check", holds
        case WaitUntilStep(_, holds):
            yield "wait/until", holds
        case WaitStaysStep(_, holds):
            yield "wait/stays", holds
        case WaitEventStep(_, EventWait(where=Expression() as holds)) | QmpStep(
            _, _, _, EventWait(where=Expression() as holds)
        ):
            yield "wait/where", holds
        case _:
            pass


def never_in_policy(policy: Policy) -> Iterator[Problem]:
    """Triggers that never fire, an `if` that never holds."""
    for trigger in policy.triggers:
        if isinstance(trigger, EventTrigger):
            yield from _never_in_trigger(policy, trigger)
        elif isinstance(trigger, StateTrigger):
            why = said_by([trigger.holds]).impossible
            if why is not None:
                path = f"{trigger.path}/state"
                yield at_key(policy, path, Code.NEVER_HOLDS, _never(why), _NEVER_FIX)
    why = said_by(policy.conditions).impossible
    if why is not None:
        yield at_key(policy, "if", Code.NEVER_HOLDS, _never(why), _NEVER_FIX)
    elif _clashes(policy):
        problem = "this never holds behind the trigger's `where`: they want two things at once"
        yield at_key(policy, "if", Code.NEVER_HOLDS, problem, _NEVER_FIX)


def needless_handler(policy: Policy) -> Iterator[Problem]:
    """A handler for what never happens."""
    if policy.on_limit and not policy.limits:
        problem = "`on_limit` is never reached: the policy has no `limits`"
        fix = "add `limits`, or take it out"
        yield at_key(policy, "on_limit", Code.UNREACHABLE, problem, fix)


_GLOB = frozenset("*?[")


def _never_in_trigger(policy: Policy, trigger: EventTrigger) -> Iterator[Problem]:
    said = said_by([trigger.where])
    path = f"{trigger.path}/where"
    matches = [("", trigger.where)]
    if trigger.sequel is not None:
        key = "not_followed_by" if trigger.sequel.absent else "followed_by"
        matches.append((f"{key}/", trigger.sequel.match.where))
    matches += [(f"cancel_on/{index}/", one.where) for index, one in enumerate(trigger.cancel_on)]
    for key, where in matches:
        if (why := said_by([where]).impossible) is not None:
            at = f"{trigger.path}/{key}where"
            yield at_key(policy, at, Code.NEVER_HOLDS, _never(why), _NEVER_FIX)
    if said.only("event.own", value=True) and not trigger.own:
        problem = "effects of our own commands do not open a trigger that lacks `own: true`"
        yield at_key(policy, path, Code.NEVER_HOLDS, problem, "add `own: true` to the trigger")
    if said.only("event.synthetic", value=True) and not trigger.synthetic:
        problem = "`synthetic: false` leaves out what this asks for"
        yield at_key(policy, path, Code.NEVER_HOLDS, problem, "take `synthetic: false` out")
    named = said.values.get("event.name", ANY)
    for index, event in enumerate(trigger.events):
        names = [event, RENAMED[event].name] if event in RENAMED else [event]
        if _GLOB.isdisjoint(event) and not any(named.takes(literal(name)) for name in names):
            problem = f"the `where` of this trigger leaves {event} out"
            at = f"{trigger.path}/event/{index}"
            fix = "take the event out, or mend the `where`"
            yield at_key(policy, at, Code.NEVER_HOLDS, problem, fix)


def _clashes(policy: Policy) -> bool:
    """Whether no event that a trigger takes can pass the `if`."""
    wheres = [one.where if isinstance(one, EventTrigger) else None for one in policy.triggers]
    found = [said_by([where, *policy.conditions]).impossible or "" for where in wheres]
    is_new = all(said_by([where]).impossible is None for where in wheres)
    return is_new and all(path.startswith(("data.", "event.")) for path in found)
