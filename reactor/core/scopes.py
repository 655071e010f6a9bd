"""What expressions see: the variables of an event and of a run, built when they are needed."""

from collections.abc import Callable, Iterable
from dataclasses import fields

from reactor.core import template
from reactor.core.event import Event
from reactor.core.expr import Answer, EvaluationFailed, Expression, Scope
from reactor.core.guest import Guest
from reactor.core.hidden import request_shown, without_secrets
from reactor.core.inputs import Message
from reactor.core.marks import SELF, MarkKind
from reactor.core.ops import Section
from reactor.core.plans import Candidate
from reactor.core.run import Origin, Role, Run
from reactor.core.steps import EventWait, HttpStep, Step, StepOptions
from reactor.core.template import Tree, render_tree, templates
from reactor.core.world import World


class RenderFailed(Exception):  # noqa: N818 - the reason why a step fails, not an error of ours
    """A template has no value here; the text is the reason."""


def facts_of(expression: Expression) -> frozenset[str]:
    """What must be asked afresh before this condition is looked at."""
    facts = {fact for path, fact in _FACTS.items() if expression.needs(path)}
    return frozenset(facts).union(f"free {path}" for path in expression.frees)


_FACTS = {"guest.status": "status", "guest.migrating": "migrating"}


def holds(world: World, run: Run, expression: Expression, event: Event | None = None) -> Answer:
    """Whether a condition of a run holds now; ``event`` is a wait's candidate."""
    return expression.holds(run_scope(world, run, event))


def render(world: World, run: Run, tree: Tree) -> object:
    """The value of a template, or of a whole tree of them.

    Raises:
        RenderFailed: one of them has no value here. In handlers they never
            fail: people must be told even when a detail is missing.
    """
    if run.section is not Section.STEPS and run.role is not Role.ARM:
        return render_leniently(world, run, tree)
    try:
        return render_tree(tree, _scope_for(world, run, tree))
    except EvaluationFailed as failure:
        raise RenderFailed(failure.reason) from None


def render_leniently(world: World, run: Run, tree: Tree) -> object:
    """The value, with ``<error: REASON>`` where a template has none."""
    return render_tree(tree, _scope_for(world, run, tree), lenient=True)


def _scope_for(world: World, run: Run, tree: Tree) -> Scope:
    """What the templates of a tree may name; most trees have none, and need nothing made."""
    return _NOTHING if next(templates(tree), None) is None else run_scope(world, run)


_NOTHING = Scope({})


def render_slugged(world: World, run: Run, tree: Tree) -> str:
    """The text, with everything that came from an expression made safe for a file name.

    Raises:
        RenderFailed: a template in it has no value here.
    """
    try:
        return template.render_slugged(tree, run_scope(world, run))
    except EvaluationFailed as failure:
        raise RenderFailed(failure.reason) from None


class LazyEventScope:
    """The scope of a trigger's ``where`` and ``by``: made of what they read, when they do."""

    __slots__ = ("_event", "_scope", "_world")

    def __init__(self, world: World, event: Event) -> None:
        self._world = world
        self._event = event
        self._scope: Scope | None = None

    def get(self, roots: Iterable[str]) -> Scope:
        """The scope with at least these variables; every candidate of the event shares it."""
        world, event, scope = self._world, self._event, self._scope
        if scope is None:
            marked = _marked(world, event.guest)
            scope = self._scope = Scope({"data": event.data}, now=world.now, marked=marked)
        for root in roots:
            if root not in scope.env and root in _VIEWS:
                scope.env[root] = _VIEWS[root](world, event)
        return scope

    def key(self, candidate: Candidate) -> tuple[str, str]:
        """The key of the event for a trigger, or the reason why there is none."""
        guest, by = self._event.guest, candidate.by
        return (guest, "") if by is None else key_of(guest, by, self.get(candidate.roots))


_VIEWS: dict[str, Callable[[World, Event], object]] = {
    "event": lambda _, event: event_view(event),
    "guest": lambda world, event: guest_view(world, world.guests[event.guest]),
    "host": lambda world, _: host_view(world),
}


def key_of(guest: str, by: Expression, scope: Scope) -> tuple[str, str]:
    """The key with the value of ``by`` in this scope, or the reason why there is none."""
    try:
        value = by.value(scope)
    except EvaluationFailed as failure:
        return "", failure.reason
    if isinstance(value, bool):
        return f"{guest}/{str(value).lower()}", ""
    if isinstance(value, str | int | float):
        return f"{guest}/{value}", ""
    return "", f"`{by.source}` is not a text, a number or a boolean"


def sequel_scope(world: World, event: Event, first: Origin) -> Scope:
    """What ``where`` and ``by`` of a second event may name: ``event`` is the candidate."""
    return Scope(
        _origin_views(world, first, event), now=world.now, marked=_marked(world, event.guest)
    )


def state_scope(world: World, guest: Guest) -> Scope:
    """What the condition of a ``state`` trigger may name."""
    values = {"guest": guest_view(world, guest), "host": host_view(world)}
    return Scope(values, now=world.now, marked=_marked(world, guest.name), free=world.free)


def message_scope(world: World, message: Message, guest: Guest | None) -> Scope:
    """What an MQTT trigger may name; its ``guest`` does not know the guest yet."""
    values = message_views(message) | {"host": host_view(world)}
    if guest is None:
        return Scope(values, now=world.now)
    values["guest"] = guest_view(world, guest)
    return Scope(values, now=world.now, marked=_marked(world, guest.name))


def run_scope(world: World, run: Run, event: Event | None = None) -> Scope:
    """Everything that the expressions of a run's steps may name."""
    values: dict[str, object] = {
        **_origin_views(world, run.origin, event or run.origin.event),
        "run": _run_view(run),
        "vars": run.vars,
        "params": _params(run),
        "steps": {
            name: {"ok": saved.ok, "result": saved.result, "error": saved.error}
            for name, saved in run.results().items()
        },
    }
    return Scope(values, now=world.now, marked=_marked(world, run.guest), free=world.free)


def match_scope(world: World, origin: Origin) -> Scope:
    """What the conditions of a match that is no run yet may name: no run, vars or steps."""
    values = _origin_views(world, origin, origin.event)
    return Scope(values, now=world.now, marked=_marked(world, origin.event.guest))


def _origin_views(world: World, origin: Origin, at_hand: Event) -> dict[str, object]:
    views: dict[str, object] = {
        "event": event_view(at_hand),
        "data": at_hand.data,
        "trigger": trigger_view(origin),
        "guest": guest_view(world, world.guests[origin.event.guest]),
        "host": host_view(world),
    }
    return views if origin.message is None else views | message_views(origin.message)


def trigger_view(origin: Origin) -> dict[str, object]:
    """``trigger`` in expressions; ``next`` is absent where no second event completed it."""
    view: dict[str, object] = {
        "event": event_view(origin.event),
        "data": origin.event.data,
        "count": origin.count,
        "index": origin.index,
    }
    if origin.next is not None:
        view["next"] = {"event": event_view(origin.next), "data": origin.next.data}
    return view


def message_views(message: Message) -> dict[str, object]:
    """``message`` and ``topic`` in expressions; ``json`` is absent where it is none."""
    view: dict[str, object] = {
        "topic": message.topic,
        "payload": message.payload,
        "retain": message.retain,
        "qos": message.qos,
        "properties": message.properties,
    }
    if message.is_json:
        view["json"] = message.json
    return {"message": view, "topic": message.topic.split("/")}


def _params(run: Run) -> dict[str, object]:
    """The params of the runbook at which the run is; none outside of runbooks."""
    inside = (frame.params for frame in reversed(run.frames) if frame.params is not None)
    return next(inside, {})


def event_view(event: Event) -> dict[str, object]:
    """``event`` in expressions."""
    return {
        "name": event.name,
        "time": event.time,
        "received": event.received,
        "guest": event.guest,
        "synthetic": event.synthetic,
        "own": event.own,
    }


def guest_view(world: World, guest: Guest) -> dict[str, object]:
    """``guest`` in expressions."""
    return {
        "name": guest.name,
        "uuid": guest.facts.uuid,
        "host": world.config.host,
        "kind": guest.facts.kind,
        "labels": guest.labels,
        "status": guest.status,
        "qemu_version": guest.facts.qemu_version,
        "memory": guest.facts.memory_bytes,
        "migrating": guest.facts.migrating,
        "marks": [
            {"kind": mark.kind.value, "id": mark.id, "as": mark.word, "reason": mark.reason}
            for mark in world.marks.of(guest.name)
        ],
    }


def host_view(world: World) -> dict[str, object]:
    """``host`` in expressions."""
    return {"name": world.config.host, "labels": world.config.host_labels}


def _run_view(run: Run) -> dict[str, object]:
    view: dict[str, object] = {
        "id": run.story,
        "policy": run.policy,
        "started": run.started,
        "attempt": run.cursor.attempt,
        "nth": run.nth,
    }
    if run.section is not Section.STEPS:
        view["failed_step"] = run.failed_step
        view["error"] = run.error
        view["outcome"] = run.outcome.value if run.outcome else ""
    return view


def _marked(world: World, guest: str) -> Callable[[str, str, str | None], bool]:
    def marked(kind: str, mark_id: str, word: str | None = None) -> bool:
        own = SELF if kind in {MarkKind.GUEST, MarkKind.HOST} else mark_id
        return bool(world.marks.find(guest, kind, own, word))

    return marked


def describe(world: World, run: Run, step: Step) -> dict[str, object]:
    """A step's rendered members, for an audit's ``would run``; secrets stay out of it."""
    members: dict[str, object] = {}
    for field in fields(step):
        value = getattr(step, field.name)
        match value:
            case StepOptions() | None:
                continue
            case Expression():
                members[field.name] = value.source
            case EventWait():
                members[field.name] = list(value.events)
            case _:
                members[field.name] = render_leniently(world, run, value)
    if isinstance(step, HttpStep):
        found = (members.get(name) for name in ("url", "headers", "json"))
        members |= request_shown(*found)
    return dict(without_secrets(members))
