"""Policies that want opposite things of one guest at one event."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import combinations, permutations

from reactor.core.policy import Enforcement, EventTrigger, Policy
from reactor.core.steps import (
    CheckStep,
    GuestAction,
    GuestDump,
    GuestStep,
    InhibitStep,
    MarkStep,
    QmpStep,
    Step,
)
from reactor.errors import Code, Problem
from reactor.policyfile.lints.finding import at_step
from reactor.policyfile.lints.reach import certain
from reactor.policyfile.lints.selectors import covers
from reactor.policyfile.lints.terms import Said, said_by
from reactor.policyfile.walking import Located, every, sections

_MOVES = {
    GuestAction.RESET: "resets the guest",
    GuestAction.REBOOT: "reboots the guest",
    GuestAction.RESUME: "lets the guest go on",
    GuestAction.START: "starts the guest",
    GuestAction.SHUTDOWN: "shuts the guest down",
    GuestAction.DESTROY: "ends the guest's QEMU",
}
_RAW_MOVES = {
    "system_reset": "resets the guest",
    "cont": "lets the guest go on",
    "system_powerdown": "shuts the guest down",
    "quit": "ends the guest's QEMU",
}


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a policy certainly does to a guest at an event, and when.

    It does away with the guest's state (``moves``), or keeps it as it is, or first the one
    and then the other. ``at`` is the step for which the policy is there, ``what`` that does
    in words. ``said`` are all its conditions.
    """

    policy: Policy
    events: frozenset[str]
    said: Said
    at: Located
    what: str
    moves: bool
    keeps: bool
    dumps: bool


def opposed(policies: Sequence[Policy]) -> Iterator[tuple[Policy, Problem]]:
    """Pairs of which one keeps the guest as it is and the other does not, in the later one."""
    wishes = [wish for policy in policies for wish in _wishes(policy)]
    by_event: dict[str, list[_Wish]] = {}
    for wish in wishes:
        for event in wish.events:
            by_event.setdefault(event, []).append(wish)
    told: set[tuple[str, str]] = set()
    for event in sorted(by_event):
        if not _may_clash(by_event[event]):
            continue
        for one, other in combinations(by_event[event], 2):
            pair = (one.policy.name, other.policy.name)
            if pair[0] != pair[1] and pair not in told and _opposed(one, other):
                told.add(pair)
                yield other.policy, _problem(event, one, other)


def _may_clash(wishes: Sequence[_Wish]) -> bool:
    """Whether any two of them want opposite things; a thousand alike are a million pairs."""
    kinds = {(one.moves, one.keeps, one.dumps): one for one in wishes}.values()
    return any(_harms(one, other) for one, other in permutations(kinds, 2))


def _problem(event: str, one: _Wish, other: _Wish) -> Problem:
    problem = f"at the same {event} this {other.what}, and the policy `{one.policy.name}`"
    problem += f" {one.what}: which comes first is open"
    fix = "make them one policy, or select other guests, by a label for example"
    return at_step(other.at, Code.OPPOSED, problem, fix)


def _wishes(policy: Policy) -> Iterator[_Wish]:
    """What the policy does at the events of each trigger; nothing where people decide."""
    if policy.enforcement is not Enforcement.ENFORCE or policy.approval or policy.inhibit_if:
        return
    steps = list(certain(policy.steps))
    moves = [(one, what) for one in steps if (what := _moves(one.step))]
    keeps = [(one, what) for one in steps if (what := _keeps(one.step))]
    if not moves and not keeps:
        return
    at, what = moves[-1] if moves else keeps[0]
    dumps = any(kept == _DUMPS for _, kept in keeps)
    checks = [one.step.holds for one in steps if isinstance(one.step, CheckStep)]
    for trigger in policy.triggers:
        if isinstance(trigger, EventTrigger) and trigger.sequel is None and trigger.count == 1:
            said = said_by([trigger.where, *policy.conditions, *checks])
            events = frozenset(trigger.events)
            yield _Wish(policy, events, said, at, what, bool(moves), bool(keeps), dumps)


def _moves(step: Step) -> str:
    match step:
        case GuestStep(_, action):
            return _MOVES.get(action, "")
        case QmpStep(_, command):
            return _RAW_MOVES.get(command, "")
        case _:
            return ""


_DUMPS = "dumps the guest's memory"


def _keeps(step: Step) -> str:
    match step:
        case GuestDump() | QmpStep(_, "dump-guest-memory"):
            return _DUMPS
        case GuestStep(_, GuestAction.PAUSE) | QmpStep(_, "stop"):
            return "pauses the guest"
        case MarkStep(word="preserved"):
            return "preserves the guest"
        case _:
            return ""


def _opposed(one: _Wish, other: _Wish) -> bool:
    return (
        (_harms(one, other) or _harms(other, one))
        and (covers(one.policy.guests, other.policy.guests) or _covered(one, other))
        and (one.said.implies(other.said) or other.said.implies(one.said))
        and one.said.impossible is None
        and other.said.impossible is None
        and not _yields(one.policy, other.policy)
        and not _yields(other.policy, one.policy)
    )


def _covered(one: _Wish, other: _Wish) -> bool:
    return covers(other.policy.guests, one.policy.guests)


def _harms(one: _Wish, other: _Wish) -> bool:
    """Whether the first does away with what the second is there to keep."""
    return one.moves and other.keeps and (not other.moves or (other.dumps and not one.dumps))


def _yields(one: Policy, other: Policy) -> bool:
    """Whether the first keeps the other from running."""
    return any(
        isinstance(located.step, InhibitStep)
        and any(fnmatchcase(other.name, glob) for glob in located.step.policies)
        for section in sections(one)
        for located in every(section)
    )
