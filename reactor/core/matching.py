"""Which policies an event could start: an index, so that cost follows candidates.

Guests that the same policies select share one selection. Inside it an event
name leads to a plan: triggers whose ``where`` holds an equality of event data
are found by a hash look-up, the others are tried one by one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from reactor.core.event import Event
from reactor.core.expr import Expression
from reactor.core.policy import EventTrigger, Policy

Literal = str | int | float | bool
PLANS_KEPT = 1024
"""Event names remembered per selection: a hostile monitor must not fill memory."""

_GLOB = frozenset("*?[")
_ABSENT = object()
_NOBODY: list["Candidate"] = []


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A trigger with its equalities taken out of its condition.

    ``checks`` must all hold, then ``residue``, which is left for CEL.
    """

    policy: Policy
    index: int
    trigger: EventTrigger
    checks: tuple[tuple[tuple[str, ...], Literal], ...]
    residue: Expression | None


@dataclass(frozen=True, slots=True)
class Table:
    """The triggers of one event name that ask for one member first, by its value.

    ``first`` is that member as QEMU most likely spells it; where it is not
    there, lies deeper, or ``rival`` is there too, the whole ``path`` is looked up.
    """

    path: tuple[str, ...]
    first: str
    rival: str
    rows: dict[object, list[Candidate]]

    def find(self, data: Mapping[str, object]) -> list[Candidate]:
        """Those whose value the event has, as far as Python's own equality tells."""
        value = data.get(self.first, _ABSENT)
        if value is _ABSENT or self.rival in data:
            value = look_up(data, self.path)
        try:
            return self.rows.get(value, _NOBODY)
        except TypeError:  # a list or a map equals no literal, and has no hash
            return _NOBODY


@dataclass(slots=True)
class Plan:
    """What to do with one event name for one selection of policies.

    ``rest`` are the triggers without an equality: they are always candidates.
    """

    tables: list[Table] = field(default_factory=list)
    rest: list[Candidate] = field(default_factory=list)

    def candidates(self, event: Event) -> list[Candidate]:
        """The triggers whose equalities hold for this event, in no special order."""
        found, data = self.rest, event.data
        for table in self.tables:
            if rows := table.find(data):
                found = found + [row for row in rows if _all_hold(row, data)]
        return found


class Selection:
    """The policies that select the same guests; ``plans`` are those made so far, by name."""

    __slots__ = ("_candidates", "_globs", "_names", "plans", "policies")

    def __init__(self, policies: Sequence[Policy]) -> None:
        self.policies = tuple(policies)
        self._names: dict[str, list[Candidate]] = {}
        self._globs: list[tuple[str, Candidate]] = []
        self.plans: dict[str, Plan | None] = {}
        for policy in policies:
            for index, trigger in enumerate(policy.triggers):
                if isinstance(trigger, EventTrigger):
                    self._add(_candidate(policy, index, trigger))

    def _add(self, candidate: Candidate) -> None:
        for pattern in candidate.trigger.events:
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
        named = list(self._names.get(name, ()))
        named += [c for pattern, c in self._globs if fnmatchcase(name, pattern)]
        if not named:
            return None
        plan = Plan()
        tables: dict[tuple[str, ...], dict[object, list[Candidate]]] = {}
        # A trigger may name the event twice ("RESET" and "RES*"): it matches once.
        for candidate in dict.fromkeys(named):
            if candidate.checks:
                path, literal = candidate.checks[0]
                tables.setdefault(path, {}).setdefault(literal, []).append(candidate)
            else:
                plan.rest.append(candidate)
        plan.tables = [Table(path, *_spelling(path), rows) for path, rows in tables.items()]
        return plan


class Index:
    """All loaded policies; ``selection`` answers which of them select a guest."""

    def __init__(self, policies: Iterable[Policy] = ()) -> None:
        self.policies = {policy.name: policy for policy in policies}
        self._exact: dict[str, list[Policy]] = {}
        self._others: list[Policy] = []
        self._selections: dict[tuple[str, ...], Selection] = {}
        for policy in self.policies.values():
            names = policy.guests.names
            if names and all(_GLOB.isdisjoint(name) for name in names):
                for name in dict.fromkeys(names):
                    self._exact.setdefault(name, []).append(policy)
            else:
                self._others.append(policy)

    def selection(self, name: str, labels: Mapping[str, str]) -> Selection:
        """The policies that select this guest, shared among guests with the same ones."""
        near = self._exact.get(name, []) + self._others
        chosen = [policy for policy in near if policy.guests.selects(name, labels)]
        signature = tuple(policy.name for policy in chosen)
        selection = self._selections.get(signature)
        if selection is None:
            selection = self._selections[signature] = Selection(chosen)
        return selection


def named(name: str, patterns: Iterable[str]) -> bool:
    """Whether an event of this name is meant by any of these names or globs."""
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)


_NO_NAME = "\0"
"""A name that no QMP member has."""


def _spelling(path: tuple[str, ...]) -> tuple[str, str]:
    """How QEMU most likely writes a member, and the spelling that would win over it.

    QMP's own names have hyphens; what lies deeper has no name of its own.
    """
    if len(path) > 1:
        return _NO_NAME, _NO_NAME
    hyphens = path[0].replace("_", "-")
    return hyphens, path[0] if path[0] != hyphens else _NO_NAME


def look_up(data: Mapping[str, object], path: tuple[str, ...]) -> object:
    """The member at a path of underscored names, or an object that equals nothing."""
    value: object = data
    for name in path:
        # Of QEMU's data every map is a dict, and that is known at once.
        if value.__class__ is not dict and not isinstance(value, Mapping):
            return _ABSENT
        value = value[name] if name in value else _member(value, name)
    return value


def _member(data: Mapping[str, object], name: str) -> object:
    if "_" not in name:
        return _ABSENT
    hyphens = name.replace("_", "-")
    if hyphens in data:
        return data[hyphens]
    return next((v for key, v in data.items() if key.replace("-", "_") == name), _ABSENT)


def _all_hold(candidate: Candidate, data: Mapping[str, object]) -> bool:
    return all(_same(look_up(data, path), literal) for path, literal in candidate.checks)


def _same(value: object, literal: Literal) -> bool:
    # In Python True equals 1; in CEL it does not.
    return value == literal and isinstance(value, bool) == isinstance(literal, bool)


def _candidate(policy: Policy, index: int, trigger: EventTrigger) -> Candidate:
    where = trigger.where
    if where is None:
        return Candidate(policy, index, trigger, (), None)
    checks = tuple((tuple(path.split(".")[1:]), value) for path, value in where.equalities)
    return Candidate(policy, index, trigger, checks, where.residue)
