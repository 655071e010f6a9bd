"""Policies that start each other, or themselves, without an end."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reactor.core.policy import Enforcement, EventTrigger, Mode, Policy, ScheduleTrigger
from reactor.errors import Code, Problem
from reactor.policyfile.lints.chains import Deed, Effect, effects_of, is_over, starts
from reactor.policyfile.lints.finding import at_step
from reactor.policyfile.lints.selectors import covers

_LONGEST = 5
"""Policies of the longest loop that is looked for."""


@dataclass(frozen=True, slots=True)
class _Link:
    """The effect of one policy that starts another, or itself."""

    effect: Effect
    policy: Policy


def loops(policies: Sequence[Policy]) -> Iterator[tuple[Policy, Problem]]:
    """Each loop that nothing ends, in the first of its policies."""
    free = [policy for policy in policies if not _is_bounded(policy)]
    ears = _Ears(free)
    links = {policy.name: list(_links(policy, ears)) for policy in free}
    told: set[frozenset[str]] = set()
    for policy in free:
        way = _way_back(policy, links)
        names = frozenset(link.policy.name for link in way)
        if way and names not in told:
            told.add(names)
            yield policy, _problem(policy, way)


def _is_bounded(policy: Policy) -> bool:
    """Whether something ends a loop that goes through the policy, or may do so."""
    return bool(
        policy.enforcement is not Enforcement.ENFORCE
        or policy.approval
        or policy.cooldown
        or policy.debounce
        or policy.conditions
        or policy.inhibit_if
        or any(limit.window is not None for limit in policy.limits)
    )


_GLOB = frozenset("*?[")


class _Ears:
    """The policies by what can start them, so that nobody asks all of them."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        self._named: dict[str, list[Policy]] = {}
        self._others: list[Policy] = []
        for policy in policies:
            for trigger in policy.triggers:
                if isinstance(trigger, EventTrigger) and _GLOB.isdisjoint("".join(trigger.events)):
                    for event in trigger.events:
                        self._named.setdefault(event, []).append(policy)
                elif not isinstance(trigger, ScheduleTrigger):
                    self._others.append(policy)

    def started_by(self, effect: Effect) -> Iterator[Policy]:
        """Those that the effect certainly starts."""
        seen: set[str] = set()
        for policy in (*self._named.get(effect.event, ()), *self._others):
            if policy.name not in seen and any(starts(effect, one) for one in policy.triggers):
                seen.add(policy.name)
                yield policy


def _links(policy: Policy, ears: _Ears) -> Iterator[_Link]:
    for effect in effects_of(policy):
        if policy.mode is Mode.SINGLE and not is_over(policy, effect):
            continue
        for other in ears.started_by(effect):
            # A policy never sees the failures of its own runs, and is busy while a
            # command of its own has its effect.
            is_failure = effect.event == "REACTOR_RUN_FAILED"
            is_busy = effect.is_own and policy.mode is Mode.SINGLE
            is_deaf = other is policy and (is_failure or is_busy)
            if not is_deaf and covers(other.guests, policy.guests):
                yield _Link(effect, other)


def _way_back(policy: Policy, links: Mapping[str, Sequence[_Link]]) -> tuple[_Link, ...]:
    """The shortest way from a policy back to itself on which each effect happens each time."""
    left: deque[tuple[_Link, ...]] = deque((link,) for link in links[policy.name])
    seen = {policy.name}
    while left:
        way = left.popleft()
        at = way[-1].policy
        if at is policy:
            if _repeats(way):
                return way
        elif at.name not in seen and len(way) < _LONGEST:
            seen.add(at.name)
            left += ((*way, link) for link in links[at.name])
    return ()


def _repeats(way: Sequence[_Link]) -> bool:
    """Whether what is done once on the way is undone on it as well."""
    done = [effect.done for link in way for effect in effects_of(link.policy)]
    return all(
        not link.effect.undone or any(_is_same(link.effect.undone, deed) for deed in done)
        for link in way
    )


def _is_same(one: Deed, other: Deed) -> bool:
    return len(one) == len(other) and all(
        a == b or None in {a, b} for a, b in zip(one, other, strict=True)
    )


def _problem(policy: Policy, way: Sequence[_Link]) -> Problem:
    names = [f"`{link.policy.name}`" for link in way[:-1]]
    if names:
        others = ", which starts ".join(names)
        problem = f"this starts {others}, which starts `{policy.name}` again: nothing ends that"
        fix = "add a `cooldown` or `limits` to one of them, or a `where` that leaves this out"
    else:
        problem = "this starts the policy again: nothing ends that"
        fix = "add a `cooldown` or `limits` to it, or a `where` that leaves this out"
    if way[0].effect.event == "REACTOR_RUN_FAILED":
        problem = problem.replace("this starts", "when this fails it starts", 1)
    return at_step(way[0].effect.located, Code.LOOP, problem, fix)
