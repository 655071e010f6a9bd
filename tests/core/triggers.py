"""Policies with triggers made of values, and a host that is watched for what they fire."""

import dataclasses
import itertools
from collections.abc import Mapping

from reactor.core.effect import Trace
from reactor.core.event import Event
from reactor.core.expr import TRIGGER, Expression, Names, compile_expression
from reactor.core.inputs import Happened
from reactor.core.policy import EventMatch, EventTrigger, Policy, Selector, Sequel, Trigger
from reactor.core.steps import PublishStep, Step
from reactor.core.template import Tree, compile_tree
from tests.core.built import options
from tests.core.simulation import Host, document, policy

ALL = Names("a test", (*TRIGGER.allowed, "trigger", "message", "topic", "run"))
_NUMBERS = itertools.count()


def expression(source: str | None) -> Expression | None:
    """The expression, or None."""
    return None if source is None else compile_expression(source, condition=False, names=ALL)


def condition(source: str) -> Expression:
    """A condition that may use every name."""
    return compile_expression(source, condition=True, names=ALL)


def tree(value: object) -> Tree:
    """A value with templates that may use every name."""

    def report(path: object, error: Exception) -> None:
        raise AssertionError(path, error)

    return compile_tree(value, ALL, report)


def match(*events: str, where: str | None = None, by: str | None = None) -> EventMatch:
    """A second event, or one that cancels."""
    return EventMatch(events, condition(where) if where else None, expression(by))


def on(
    *events: str, where: str | None = None, by: str | None = None, **more: object
) -> EventTrigger:
    """An event trigger."""
    made = EventTrigger(events, condition(where) if where else None, expression(by))
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]


def followed_by(*events: str, within: float = 60.0, **more: str) -> Sequel:
    """A second event that must come."""
    return Sequel(match(*events, **more), within, absent=False)


def absent(*events: str, within: float = 60.0, **more: str) -> Sequel:
    """A second event that must not come."""
    return Sequel(match(*events, **more), within, absent=True)


def tells(payload: object = "${event.name}", topic: str = "fired") -> Step:
    """A step by which a run is seen, with what its expressions know."""
    return PublishStep(options("steps/0"), topic, tree(payload))


def with_triggers(
    *triggers: Trigger,
    name: str = "p",
    payload: object = "${event.name}",
    guests: Selector | None = None,
    **more: object,
) -> Policy:
    """A policy of these triggers, whose runs publish the payload."""
    base = policy(document(name, "[{log: x}]", more="mode: queued\nmax: 1000\n"))
    placed = tuple(
        dataclasses.replace(trigger, path=f"trigger/{index}" if len(triggers) > 1 else "trigger")
        for index, trigger in enumerate(triggers)
    )
    return dataclasses.replace(
        base,
        triggers=placed,
        steps=(tells(payload),),
        guests=guests or Selector(),
        revision=f"triggers-{next(_NUMBERS)}",
        **more,  # type: ignore[arg-type]
    )


def happen(
    host: Host,
    name: str,
    data: Mapping[str, object] | None = None,
    guest: str = "web-1",
    received: float | None = None,
    *,
    own: bool = False,
    synthetic: bool = False,
) -> Host:
    """Let an event arrive now."""
    at = host.now if received is None else received
    host.give(Happened(Event(name, guest, data or {}, host.now, at, synthetic, own)))
    return host


def fired(host: Host) -> list[object]:
    """What the runs published, in order."""
    return [payload for _, payload in host.published()]


def misses(host: Host, name: str = "p") -> list[tuple[str, str]]:
    """The near misses of a policy: verdict and reason, in order."""
    return [(miss.verdict, miss.reason) for miss in host.engine.near_misses(name)]


def last_miss(host: Host, name: str = "p") -> Trace:
    """The latest near miss of a policy."""
    return host.engine.near_misses(name)[-1]
