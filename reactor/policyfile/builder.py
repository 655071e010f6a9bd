"""Models and compiled expressions become the values that the engine takes."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from reactor.core import policy as core
from reactor.core.expr import Expression
from reactor.core.template import Tree
from reactor.policyfile import schema
from reactor.policyfile.builder_steps import Made, StepBuilder
from reactor.policyfile.expressions import Compiler
from reactor.policyfile.nodes import Dictionary, items_of, mappings_of
from reactor.policyfile.reader import Document
from reactor.policyfile.runbooks import Library
from reactor.policyfile.schema_triggers import (
    AnyTrigger,
    Cancel,
    CronTrigger,
    EventTrigger,
    EveryTrigger,
    MessageTrigger,
    StateTrigger,
)


def revision_of(source: str) -> str:
    """The name of exactly this text: 12 hex digits, the same on every machine."""
    return hashlib.sha256(source.encode()).hexdigest()[:12]


BETWEEN = "\n---\n"
"""What stands in a policy's ``source`` between its document and those of its runbooks."""


def build(
    document: Document, root: Dictionary, model: schema.Policy, made: Compiler, library: Library
) -> core.Policy:
    """The policy of a document in which nothing was found wrong.

    The ``source`` holds the runbooks too that it runs, directly or not, in the order
    of their names: it is all that the policy is made of.
    """
    builder = _Builder(root, Made(made))
    section = StepBuilder(builder.made, library).section
    texts = [document.source, *(book.paper.document.source for book in library.used(made).values())]
    source = BETWEEN.join(text.removesuffix("\n") for text in texts) + "\n"
    return core.Policy(
        name=model.policy,
        description=model.description,
        triggers=tuple(builder.triggers(model)),
        steps=section(root, "steps", model.steps),
        revision=revision_of(source),
        source=source,
        place=document.place,
        enforcement=core.Enforcement(model.enforcement),
        guests=_selector(model.guests),
        arm=section(root, "arm", model.arm),
        conditions=tuple(builder.conditions("if")),
        debounce=_debounce(model.debounce),
        inhibit_if=tuple(builder.conditions("inhibit_if")),
        approval=builder.approval(model.approval),
        mode=core.Mode(model.mode),
        max=model.max,
        cooldown=model.cooldown,
        limits=model.limits,
        timeout=model.timeout,
        vars=tuple(builder.variables()),
        on_failure=section(root, "on_failure", model.on_failure),
        on_limit=section(root, "on_limit", model.on_limit),
        finally_=section(root, "finally", model.finally_),
    )


def _selector(guests: schema.Guests | None) -> core.Selector:
    if guests is None:
        return core.Selector()
    left_out = guests.except_
    return core.Selector(
        names=guests.name or (),
        labels=tuple((guests.labels or {}).items()),
        excludes=None
        if left_out is None
        else core.Selector(
            names=left_out.name or (), labels=tuple((left_out.labels or {}).items())
        ),
    )


def _debounce(model: float | schema.Quiet | None) -> core.Debounce | None:
    match model:
        case None:
            return None
        case schema.Quiet():
            return core.Debounce(model.quiet, model.at_most)
        case float():
            return core.Debounce(model)


@dataclass(frozen=True, slots=True)
class _Builder:
    """Builds what is no step."""

    root: Dictionary
    made: Made

    def triggers(self, model: schema.Policy) -> Iterator[core.Trigger]:
        """The triggers in the order written."""
        written = mappings_of(self.root.get("trigger"), "trigger")
        for trigger, (node, path) in zip(model.trigger, written, strict=True):
            yield self._trigger(trigger, node, path)

    def _trigger(self, model: AnyTrigger, node: Dictionary, path: str) -> core.Trigger:
        match model:
            case EventTrigger():
                return self._event(model, node, path)
            case StateTrigger():
                return core.StateTrigger(self.made.needed(node, "state"), model.for_, path)
            case CronTrigger():
                return core.ScheduleTrigger(
                    cron=model.schedule,
                    timezone=model.timezone,
                    jitter=model.jitter or 0.0,
                    catch_up=model.catch_up,
                    path=path,
                )
            case EveryTrigger():
                return core.ScheduleTrigger(
                    every=model.every,
                    jitter=model.jitter or 0.0,
                    catch_up=model.catch_up,
                    path=path,
                )
            case MessageTrigger():
                return core.MessageTrigger(
                    topic=model.mqtt,
                    guest=self.made.tree(node, "guest"),
                    where=self.made.expression(node, "where"),
                    absolute=model.topic is not None,
                    max_age=model.max_age,
                    path=path,
                )

    def _event(self, model: EventTrigger, node: Dictionary, path: str) -> core.EventTrigger:
        cancels = mappings_of(node.get("cancel_on"), "")
        return core.EventTrigger(
            events=model.event,
            where=self.made.expression(node, "where"),
            by=self.made.expression(node, "by"),
            path=path,
            count=model.count or 1,
            within=model.within,
            sequel=self._sequel(model, node),
            cancel_on=tuple(
                core.EventMatch((cancel,))
                if isinstance(cancel, str)
                else self._match(cancel, next(cancels)[0])
                for cancel in model.cancel_on
            ),
            own=model.own,
            synthetic=model.synthetic,
        )

    def _sequel(self, model: EventTrigger, node: Dictionary) -> core.Sequel | None:
        for sequel, key in (
            (model.followed_by, "followed_by"),
            (model.not_followed_by, "not_followed_by"),
        ):
            if sequel is not None:
                match = self._match(sequel, node.inner(key))
                return core.Sequel(match, sequel.within, absent=key == "not_followed_by")
        return None

    def _match(self, model: Cancel, node: Dictionary) -> core.EventMatch:
        where, by = self.made.expression(node, "where"), self.made.expression(node, "by")
        return core.EventMatch(model.event, where, by)

    def conditions(self, key: str) -> Iterator[Expression]:
        """The conditions of ``if`` or ``inhibit_if``."""
        for node, _ in items_of(self.root.get(key), key):
            yield self.made.of(node)

    def approval(self, model: schema.Approval | None) -> core.Approval | None:
        """What an operator is asked."""
        if model is None:
            return None
        ask = self.made.tree(self.root.inner("approval"), "ask", "")
        return core.Approval(ask, model.expires)

    def variables(self) -> Iterator[tuple[str, Tree]]:
        """The ``vars`` in the order written."""
        node = self.root.inner("vars")
        for name in node.entries:
            yield name, self.made.tree(node, name)
