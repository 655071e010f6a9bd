"""Expressions of a policy that read members of QEMU's values, and what an absent one does to them.

What a member is read for decides: a text that names it says so and goes on, a condition of the
trigger never holds, and an argument fails its step. Source: the reference of policies,
policies.md.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from reactor.core.cel_access import show
from reactor.core.cel_tree import Call, Fold, Node, children, static_path
from reactor.core.expr import Expression
from reactor.core.policy import EventMatch, EventTrigger, Policy
from reactor.core.steps import (
    AgentStep,
    CheckStep,
    ChooseStep,
    EventWait,
    ExecStep,
    GuestDump,
    OnError,
    QmpStep,
    RepeatStep,
    RunbookStep,
    Step,
    WaitEventStep,
    WaitStaysStep,
    WaitUntilStep,
)
from reactor.core.template import Tree, templates
from reactor.policyfile.walking import every


class Without(Enum):
    """What becomes of a policy where an expression has no answer."""

    NEVER_RUNS = auto()
    FAILS = auto()
    GOES_ON = auto()


@dataclass(frozen=True, slots=True)
class Look:
    """An expression, the way to it, and what becomes of the policy where it has no answer.

    ``wanted`` is the answer with which the policy goes on; None: any value.
    """

    path: str
    expression: Expression
    without: Without
    wanted: bool | None = True

    def is_lost(self, lacking: Collection[str]) -> bool:
        """Whether it cannot have the wanted answer where these paths are absent."""
        found = answers(self.expression.tree, lacking)
        if self.wanted is None:
            return not any(found)
        return not (found.true if self.wanted else found.false)


class Answers(NamedTuple):
    """Which answers an expression may have; what is neither true nor false counts as both."""

    true: bool
    false: bool


def answers(node: Node, lacking: Collection[str]) -> Answers:
    """Which answers it may have where these paths cannot be read.

    As CEL has it, one side of `&&` or `||` may decide where the other cannot be read.
    """
    match node:
        case Call(_, "_&&_", None, sides):
            one, other = (answers(side, lacking) for side in sides)
            return Answers(one.true and other.true, one.false or other.false)
        case Call(_, "_||_", None, sides):
            one, other = (answers(side, lacking) for side in sides)
            return Answers(one.true or other.true, one.false and other.false)
        case Call(_, "!_", None, (inner,)):
            found = answers(inner, lacking)
            return Answers(found.false, found.true)
        case Call(_, "_?_:_", None, (asked, *sides)):
            which = answers(asked, lacking)
            one, other = (answers(side, lacking) for side in sides)
            return Answers(
                (which.true and one.true) or (which.false and other.true),
                (which.true and one.false) or (which.false and other.false),
            )
        case _:
            has_value = _has_value(node, lacking)
            return Answers(has_value, has_value)


def _has_value(node: Node, lacking: Collection[str]) -> bool:
    path = static_path(node, frozenset())
    if path is not None:
        return show(path) not in lacking
    # What is asked of the items of a list is not asked where it has none.
    below = (node.source,) if isinstance(node, Fold) else children(node)
    return all(any(answers(child, lacking)) for child in below)


def looks_of_trigger(trigger: EventTrigger) -> Iterator[Look]:
    """Those of a trigger and of the events that end or complete it."""
    yield from _matching(trigger.path, trigger, Without.NEVER_RUNS)
    if trigger.sequel is not None:
        absent = trigger.sequel.absent
        path = f"{trigger.path}/{'not_followed_by' if absent else 'followed_by'}"
        without = Without.GOES_ON if absent else Without.NEVER_RUNS
        yield from _matching(path, trigger.sequel.match, without)
    for index, one in enumerate(trigger.cancel_on):
        yield from _matching(f"{trigger.path}/cancel_on/{index}", one, Without.GOES_ON)


def _matching(path: str, match: EventTrigger | EventMatch, without: Without) -> Iterator[Look]:
    yield from _look(f"{path}/where", match.where, without)
    yield from _look(f"{path}/by", match.by, without, wanted=None)


def _look(
    path: str, expression: Expression | None, without: Without, *, wanted: bool | None = True
) -> Iterator[Look]:
    if expression is not None and expression.seen:
        yield Look(path, expression, without, wanted)


def looks_of_run(policy: Policy) -> Iterator[Look]:
    """Those behind the triggers; not texts, in which a value may be missing."""
    for one in policy.conditions:
        yield from _look("if", one, Without.NEVER_RUNS)
    for one in policy.inhibit_if:
        yield from _look("inhibit_if", one, Without.NEVER_RUNS, wanted=False)
    for name, tree in policy.vars:
        yield from _in_tree(f"vars/{name}", tree)
    for located in every(policy.steps):
        yield from _in_step(located.step, Without.FAILS)
    for section in (policy.on_failure, policy.on_limit, policy.finally_):
        for located in every(section):
            yield from _in_step(located.step, Without.GOES_ON)


def _in_tree(path: str, tree: Tree) -> Iterator[Look]:
    for template in templates(tree):
        for part in template.parts:
            if isinstance(part, Expression):
                yield from _look(path, part, Without.FAILS, wanted=None)


def _in_step(step: Step, without: Without) -> Iterator[Look]:
    """Those of one step; ``without`` is what becomes of the policy where the step fails."""
    path = step.options.path
    if step.options.on_error is OnError.CONTINUE:
        without = Without.GOES_ON
    yield from _look(f"{path}/if", step.options.condition, Without.GOES_ON)
    yield from _in_conditions(step, path, without)
    if without is Without.FAILS:
        for key, tree in _trees(step):
            yield from _in_tree(f"{path}/{key}", tree)


def _in_conditions(step: Step, path: str, without: Without) -> Iterator[Look]:
    match step:
        case CheckStep(_, holds):
            yield from _look(f"{path}/check", holds, without)
        case WaitUntilStep(_, holds):
            yield from _look(f"{path}/wait/until", holds, without)
        case WaitStaysStep(_, holds):
            yield from _look(f"{path}/wait/stays", holds, without)
        case WaitEventStep(_, wait) | QmpStep(_, _, _, EventWait() as wait):
            yield from _look(f"{path}/wait/where", wait.where, without)
            yield from _look(f"{path}/wait/fail_when", wait.fail_when, Without.GOES_ON)
        case RepeatStep(_, until=until):
            yield from _look(f"{path}/repeat/until", until, without)
        case ChooseStep(_, branches):
            for index, branch in enumerate(branches):
                yield from _look(f"{path}/choose/{index}/when", branch.when, Without.GOES_ON)
        case _:
            pass


def _trees(step: Step) -> Iterator[tuple[str, Tree]]:
    """The values that must be whole before the step does anything, and their keys."""
    match step:
        case QmpStep(_, _, arguments) | AgentStep(_, _, arguments):
            yield "args", arguments
        case GuestDump(_, to, fmt):
            yield "to", to
            yield "format", fmt
        case ExecStep(_, _, arguments):
            yield "exec", arguments
        case RunbookStep(_, _, _, arguments):
            yield "with", arguments
        case _:
            pass
