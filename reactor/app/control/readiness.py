"""Which policies may not act, cannot fire or would fail, and on which guests."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from fnmatch import fnmatchcase
from heapq import nsmallest
from itertools import islice

from reactor.app.control.answers import LackLine, Matrix, NotReady, ReadyLine
from reactor.app.known import Unknown, unmatched
from reactor.app.lacks.judge import Judge, Lackings
from reactor.core.guest import Guest, Readiness
from reactor.core.policy import Enforcement
from reactor.core.readiness import NOT_SENT
from reactor.core.runs import enforcement_of
from reactor.core.world import World
from reactor.policyfile.lacks import Lack

ROWS_MAX = 10_000
"""Rows of one matrix."""

SOME = 5
"""Guests that are named beside their number."""


def waiting_lines(world: World, known: Iterable[Guest]) -> list[NotReady]:
    """Policies that may not act somewhere, those that failed before those under way."""
    rows = [row for guest in known for row in not_ready(world, guest)]
    arming = Readiness.ARMING.value
    return sorted(rows, key=lambda row: (row.state == arming, row.policy, row.guest))


def not_ready(world: World, guest: Guest) -> list[NotReady]:
    """The policies that may not act on this guest, as their arm has not succeeded."""
    rows = [
        NotReady(policy, guest.name, arming.state.value, arming.reason)
        for policy, arming in guest.arming.items()
        if arming.state is not Readiness.READY
    ]
    if guest.connected:
        return rows
    # Of a guest that never was connected nothing was armed.
    return rows + [
        NotReady(policy.name, guest.name, Readiness.NOT_READY.value, NOT_SENT)
        for policy in world.selections[guest.name].policies
        if policy.arm
        and policy.name not in guest.arming
        and enforcement_of(world, policy) is not Enforcement.AUDIT
    ]


def lack_lines(world: World, known: Iterable[Guest], judge: Judge) -> list[LackLine]:
    """What policies lack, each with its guests; what concerns most guests in front."""
    groups: dict[int, tuple[Lackings, list[str]]] = {}
    for guest in known:
        found = judge.of_guest(world, guest)
        groups.setdefault(id(found), (found, []))[1].append(guest.name)
    # Never guests times policies: of 5,000 guests most are of a few kinds.
    numbers: Counter[tuple[str, Lack]] = Counter()
    some: dict[tuple[str, Lack], list[str]] = {}
    for found, names in groups.values():
        first = nsmallest(SOME, names)
        for one in found.all:
            if not one.lack.is_harmless:
                numbers[one] += len(names)
                some[one] = nsmallest(SOME, [*some.get(one, ()), *first])
    lines = [
        LackLine(policy, lack.kind.value, lack.reason, number, some[policy, lack])
        for (policy, lack), number in numbers.items()
    ]
    return sorted(lines, key=lambda line: (-line.guests, line.policy, line.reason))


def unanswerable(world: World, policy: str, guest: str) -> Unknown | None:
    """Why these globs ask about nothing at all; None where a policy selects a guest of them."""
    known = [one.name for one in world.guests.values() if not one.forgotten]
    wrong = unmatched("policy", policy, world.index.policies) or unmatched("guest", guest, known)
    if wrong is not None or policy == guest == "*":
        return wrong
    meant = (name for name in known if fnmatchcase(name, guest))
    selections = {id(one): one for one in (world.selections[name] for name in meant)}
    names = {one.name for selection in selections.values() for one in selection.policies}
    if any(fnmatchcase(name, policy) for name in names):
        return None
    problem = f"no policy that matches {policy!r} is for a guest that matches {guest!r}"
    return Unknown(problem, "look at the `guests` of the policy; `reactor guests` lists the guests")


def matrix(world: World, judge: Judge, policy: str, guest: str, *, whole: bool) -> Matrix:
    """How these policies are on the guests that they select; ``policy``, ``guest``: globs.

    Args:
        whole: with those that lack nothing, and those that have nothing to watch.
    """
    wanted = frozenset(name for name in world.index.policies if fnmatchcase(name, policy))
    shown = sorted(
        (one for one in world.guests.values() if not one.forgotten), key=lambda one: one.name
    )
    look = _all_of if whole else _unwell
    rows = (
        row
        for one in shown
        if fnmatchcase(one.name, guest)
        for row in look(world, one, judge, wanted)
    )
    found = list(islice(rows, ROWS_MAX + 1))
    return Matrix(found[:ROWS_MAX], len(found) > ROWS_MAX)


def _unwell(
    world: World, guest: Guest, judge: Judge, wanted: Container[str]
) -> Iterator[ReadyLine]:
    for row in not_ready(world, guest):
        if row.policy in wanted:
            yield ReadyLine(row.policy, guest.name, row.state, row.reason)
    for policy, lack in judge.of_guest(world, guest).all:
        if policy in wanted and not lack.is_harmless:
            yield _row(policy, guest, lack)


def _all_of(
    world: World, guest: Guest, judge: Judge, wanted: Container[str]
) -> Iterator[ReadyLine]:
    unarmed = {row.policy: row for row in not_ready(world, guest)}
    looked_at = judge.standing(guest) is not None
    for policy in world.selections[guest.name].policies:
        if policy.name not in wanted:
            continue
        arm = unarmed.get(policy.name)
        found = judge.of(policy, guest)
        if arm is not None:
            yield ReadyLine(policy.name, guest.name, arm.state, arm.reason)
        elif not guest.connected:
            yield ReadyLine(policy.name, guest.name, "away", guest.lost_reason)
        elif not looked_at:
            yield ReadyLine(policy.name, guest.name, "not looked at yet")
        elif not found:
            yield ReadyLine(policy.name, guest.name, Readiness.READY.value)
        for lack in found:
            yield _row(policy.name, guest, lack)


def _row(policy: str, guest: Guest, lack: Lack) -> ReadyLine:
    return ReadyLine(policy, guest.name, lack.kind.value, lack.reason)
