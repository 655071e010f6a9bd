"""Which policies an event could start: an index, so that cost follows candidates.

Guests that the same policies select share one selection, and what is the same in
different selections is there once: the policies that name a guest stand apart from
those that select by a pattern. An event name leads to a plan.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Generic, TypeVar

from reactor.core.catalog import RENAMED
from reactor.core.event import Event
from reactor.core.expr import Expression
from reactor.core.identity import policy_in, trigger_names
from reactor.core.plans import Candidate, Check, Part, Plan, joined, make_plan
from reactor.core.policy import (
    EventMatch,
    EventTrigger,
    MessageTrigger,
    Policy,
    Selector,
    StateTrigger,
    Trigger,
)

PLANS_KEPT = 1024
"""Event names remembered per selection: a hostile monitor must not fill memory."""

EVERY_GUEST = Selector()

_GLOB = frozenset("*?[")
T_co = TypeVar("T_co", bound=Trigger, covariant=True)


@dataclass(frozen=True, slots=True, eq=False)
class Placed(Generic[T_co]):
    """A trigger of a policy; ``index`` is its place, ``name`` that of what is kept about it."""

    policy: Policy
    index: int
    trigger: T_co
    name: str


NamesOf = Callable[[Policy], tuple[str, ...]]
"""Gives the names of a policy's triggers."""


class Group:
    """Policies that stand together in selections; ``plans`` are those made so far, by name."""

    __slots__ = ("_globs", "_names", "arming", "plans", "policies", "states")

    def __init__(self, policies: Sequence[Policy], names_of: NamesOf) -> None:
        self.policies = tuple(policies)
        self.arming = tuple(policy for policy in policies if policy.arm)
        self._names: dict[str, list[Candidate]] = {}
        self._globs: list[tuple[str, Candidate]] = []
        self.plans: dict[str, Plan | None] = {}
        self.states: list[Placed[StateTrigger]] = []
        for policy in policies:
            named = zip(policy.triggers, names_of(policy), strict=True)
            for index, (trigger, name) in enumerate(named):
                if isinstance(trigger, EventTrigger):
                    self._add(policy, index, trigger, name)
                elif isinstance(trigger, StateTrigger):
                    self.states.append(Placed(policy, index, trigger, name))

    def _add(self, policy: Policy, index: int, trigger: EventTrigger, name: str) -> None:
        for candidate in _candidates(policy, index, trigger, name):
            for pattern in candidate.events:
                if _GLOB.isdisjoint(pattern):
                    self._names.setdefault(pattern, []).append(candidate)
                else:
                    self._globs.append((pattern, candidate))

    def plan(self, name: str) -> Plan | None:
        """What to do with an event of this name; None when no trigger names it."""
        if name in self.plans:
            return self.plans[name]
        plan = self._make(name)
        if len(self.plans) < PLANS_KEPT:
            self.plans[name] = plan
        return plan

    def _make(self, name: str) -> Plan | None:
        meant = list(self._meaning(name))
        other = RENAMED.get(name)
        if other is None:
            return make_plan(meant)
        known = set(meant)
        aliased = [c for c in self._meaning(other.name) if c not in known]
        return joined([make_plan(meant), make_plan(aliased, other.member)])

    def _meaning(self, name: str) -> Iterator[Candidate]:
        yield from self._names.get(name, ())
        for pattern, candidate in self._globs:
            if fnmatchcase(name, pattern):
                yield candidate


class Selection:
    """The policies that select the same guests; ``plans`` are those made so far, by name.

    ``compared`` is what these policies need to have compared, once somebody has asked.
    """

    __slots__ = ("_groups", "compared", "plans", "states")

    def __init__(self, *groups: Group) -> None:
        self._groups = groups
        self.compared: tuple[str, ...] | None = None
        self.plans: dict[str, Plan | None] = {}
        self.states = [state for group in groups for state in group.states]

    @property
    def policies(self) -> tuple[Policy, ...]:
        """Those that name the guest first, then the others, in the order loaded."""
        # Made anew each time: kept, it would cost guests times policies in memory.
        return tuple(policy for group in self._groups for policy in group.policies)

    @property
    def arming(self) -> tuple[Policy, ...]:
        """Those of them that have an ``arm``."""
        return tuple(policy for group in self._groups for policy in group.arming)

    def plan(self, name: str) -> Plan | None:
        """What to do with an event of this name; None when no trigger names it."""
        if name in self.plans:
            return self.plans[name]
        plan = joined([group.plan(name) for group in self._groups])
        if len(self.plans) < PLANS_KEPT:
            self.plans[name] = plan
        return plan


class Index:
    """All loaded policies; ``selection`` answers which of them select a guest."""

    def __init__(self, policies: Iterable[Policy] = ()) -> None:
        self.policies = {policy.name: policy for policy in policies}
        self._exact: dict[str, list[Policy]] = {}
        self._others: list[Policy] = []
        self._choosy: list[Policy] = []
        self._groups: dict[tuple[str, ...], Group] = {}
        self._selections: dict[tuple[tuple[str, ...], tuple[str, ...]], Selection] = {}
        self._trigger_names: dict[str, tuple[str, ...]] = {}
        for policy in self.policies.values():
            names = policy.guests.names
            if names and all(_GLOB.isdisjoint(name) for name in names):
                for name in dict.fromkeys(names):
                    self._exact.setdefault(name, []).append(policy)
            else:
                self._others.append(policy)
                if policy.guests != EVERY_GUEST:
                    self._choosy.append(policy)

    def selection(self, name: str, labels: Mapping[str, str]) -> Selection:
        """The policies that select this guest, shared among guests with the same ones."""
        named = [p for p in self._exact.get(name, ()) if p.guests.selects(name, labels)]
        # Those without a selector are the same for every guest: of them nothing is asked.
        chosen = [p for p in self._choosy if p.guests.selects(name, labels)]
        key = tuple(p.name for p in named), tuple(p.name for p in chosen)
        selection = self._selections.get(key)
        if selection is None:
            left_out = {p.name for p in self._choosy}.difference(key[1])
            others = [p for p in self._others if p.name not in left_out]
            parts = [self._group(group) for group in (named, others) if group]
            selection = self._selections[key] = Selection(*parts)
        return selection

    def _group(self, policies: Sequence[Policy]) -> Group:
        names = tuple(policy.name for policy in policies)
        group = self._groups.get(names)
        if group is None:
            group = self._groups[names] = Group(policies, self.names_of)
        return group

    def names_of(self, policy: Policy) -> tuple[str, ...]:
        """The names of the triggers of a loaded policy."""
        names = self._trigger_names.get(policy.name)
        if names is None:
            names = self._trigger_names[policy.name] = trigger_names(policy)
        return names

    def trigger(self, name: str) -> Placed[Trigger] | None:
        """The loaded trigger of this name, or None: it is gone, or was changed."""
        policy = self.policies.get(policy_in(name))
        if policy is None:
            return None
        rows = enumerate(zip(policy.triggers, self.names_of(policy), strict=True))
        return next((Placed(policy, i, t, name) for i, (t, n) in rows if n == name), None)

    @cached_property
    def messages(self) -> tuple[Placed[MessageTrigger], ...]:
        """All triggers for MQTT messages, in the order loaded."""
        return tuple(
            Placed(policy, index, trigger, "")
            for policy in self.policies.values()
            for index, trigger in enumerate(policy.triggers)
            if isinstance(trigger, MessageTrigger)
        )


def meant(event: Event, patterns: Iterable[str]) -> bool:
    """Whether any of these names or globs means this event, by its name or by its other one."""
    if named(event.name, patterns):
        return True
    other = RENAMED.get(event.name)
    return other is not None and other.member in event.data and named(other.name, patterns)


def named(name: str, patterns: Iterable[str]) -> bool:
    """Whether an event of this name is meant by any of these names or globs."""
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)


def _candidates(
    policy: Policy, index: int, trigger: EventTrigger, name: str
) -> Iterator[Candidate]:
    """The trigger in each part that an event can have in it."""
    parts = [(Part.OPENS, EventMatch(trigger.events, trigger.where, trigger.by))]
    if trigger.sequel is not None:
        second = trigger.sequel.match
        by = trigger.by if second.by is None else second.by
        parts.append((Part.FOLLOWS, EventMatch(second.events, second.where, by)))
        parts += [(Part.CANCELS, match) for match in trigger.cancel_on]
    for part, match in parts:
        checks, residue = _taken_apart(match.where)
        roots = _roots(residue) | _roots(match.by)
        yield Candidate(
            policy, index, trigger, name, match.events, checks, residue, match.by, part, roots
        )


def _taken_apart(where: Expression | None) -> tuple[tuple[Check, ...], Expression | None]:
    if where is None:
        return (), None
    checks = tuple((tuple(path.split(".")[1:]), value) for path, value in where.equalities)
    return checks, where.residue


def _roots(expression: Expression | None) -> frozenset[str]:
    """The variables that an expression reads."""
    reads = () if expression is None else expression.reads
    return frozenset(_ROOT.split(path, maxsplit=1)[0] for path in reads)


_ROOT = re.compile(r"[.\[]")
