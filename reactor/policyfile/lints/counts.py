"""Counts of events: of which QEMU leaves some out, or that belong to different things."""

import math
from collections.abc import Iterator

from reactor.core.matching import named
from reactor.core.policy import EventTrigger, Policy
from reactor.core.steps import ClearStep, MarkStep, QmpStep
from reactor.core.template import tree_needs
from reactor.core.text import render_duration
from reactor.errors import Code, Problem, Severity
from reactor.policyfile.lints.finding import at_key, at_step
from reactor.policyfile.lints.terms import said_by
from reactor.policyfile.walking import every
from reactor.qapi.facts import RateLimit, facts


def rate_limited(policy: Policy) -> Iterator[Problem]:
    """A count of events of which QEMU leaves some out."""
    for trigger in policy.triggers:
        if isinstance(trigger, EventTrigger) and trigger.count > 1:
            for event, known in sorted(facts().events.items()):
                limit = known.rate_limit
                if limit is not None and named(event, trigger.events):
                    yield from _rate_limited(policy, trigger, event, limit)


def _rate_limited(
    policy: Policy, trigger: EventTrigger, event: str, limit: RateLimit
) -> Iterator[Problem]:
    if limit.exempt and said_by([trigger.where]).only("data.action", "stop"):
        return
    keys = [f"data.{name.replace('-', '_')}" for name in limit.key]
    each = f" for each {' and '.join(keys)}" if keys else ""
    sends = f"QEMU sends at most one {event} in {render_duration(limit.seconds)}{each}"
    path, most = f"{trigger.path}/count", math.floor((trigger.within or 0) / limit.seconds) + 1
    # Of other versions, and where the limit is each device's own, more may come.
    by = None if trigger.by is None else trigger.by.source
    is_certain = set(limit.present) == set(facts().versions) and (not keys or [by] == keys)
    if is_certain and trigger.count > most and trigger.events == (event,):
        within = render_duration(trigger.within or 0)
        problem = f"{sends}: {trigger.count} never come within {within}"
        fix = f"count {most} or fewer, or over a longer `within`"
        yield at_key(policy, path, Code.LOWER_BOUND, problem, fix)
        return
    problem = f"{sends}: `count` is a lower bound"
    fix = "count fewer, or over a longer `within`, if that matters"
    yield at_key(policy, path, Code.LOWER_BOUND, problem, fix, Severity.NOTE)


_THINGS = {
    "BLOCK_IMAGE_CORRUPTED": ("device", "node_name"),
    "BLOCK_IO_ERROR": ("device", "node_name", "qom_path"),
    "BLOCK_JOB_ERROR": ("device",),
    "QUORUM_FAILURE": ("reference",),
    "QUORUM_REPORT_BAD": ("node_name",),
    "VSERPORT_CHANGE": ("id",),
}
"""Which members say whose event it is: a guest has several such things."""


def mixed_counts(policy: Policy) -> Iterator[Problem]:
    """A count over all things of a guest, and then steps that act on the last of them."""
    counting = [
        trigger
        for trigger in policy.triggers
        if isinstance(trigger, EventTrigger) and trigger.count > 1 and trigger.by is None
    ]
    for trigger in counting if len(counting) == len(policy.triggers) else ():
        values = said_by([trigger.where]).values
        for event in sorted(_THINGS.keys() & set(trigger.events)):
            members = [f"data.{name}" for name in _THINGS[event]]
            if not any(member in values for member in members):
                yield from _acts_on_one(policy, members)


def _acts_on_one(policy: Policy, members: list[str]) -> Iterator[Problem]:
    """The first step that changes something about the thing of the last event."""
    for located in every(policy.steps):
        match located.step:
            case MarkStep(_, _, tree) | ClearStep(_, _, tree) | QmpStep(_, _, tree):
                pass
            case _:
                continue
        for member in members:
            if tree_needs(tree, member) or tree_needs(tree, f"trigger.{member}"):
                problem = f"`count` takes the events of any {member} together, and this acts on"
                problem += " that of the last one"
                fix = f"add `by: {member}` to the trigger"
                yield at_step(located, Code.MIXED_COUNT, problem, fix)
                return
