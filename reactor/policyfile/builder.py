"""Models and compiled expressions become the values that the engine takes."""

import functools
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reactor.core import policy as core
from reactor.core import steps
from reactor.core.expr import STEPS, Expression
from reactor.core.marks import MarkKind
from reactor.core.template import Tree, compile_template
from reactor.policyfile import schema
from reactor.policyfile.expressions import Compiler
from reactor.policyfile.nodes import Dictionary, items_of, mappings_of
from reactor.policyfile.reader import Document
from reactor.policyfile.schema_steps import (
    AnyArmStep,
    AnyStep,
    ArmGuestStep,
    CheckStep,
    ClearStep,
    DelayStep,
    DumpStep,
    EventWait,
    FailStep,
    GuestStep,
    LogStep,
    MarkStep,
    MarkTarget,
    PublishStep,
    QmpStep,
    Step,
    StopStep,
    UntilWait,
    WaitStep,
)

_AnyStep = AnyStep | AnyArmStep
_Instant = CheckStep | PublishStep | MarkStep | ClearStep | LogStep | FailStep | StopStep


def revision_of(source: str) -> str:
    """The name of exactly this text: 12 hex digits, the same on every machine."""
    return hashlib.sha256(source.encode()).hexdigest()[:12]


def build(
    document: Document, root: Dictionary, model: schema.Policy, made: Compiler
) -> core.Policy:
    """The policy of a document in which nothing was found wrong."""
    builder = _Builder(root, made)
    return core.Policy(
        name=model.policy,
        description=model.description,
        triggers=tuple(builder.triggers(model)),
        steps=builder.section("steps", model.steps),
        revision=revision_of(document.source),
        source=document.source,
        place=document.place,
        enforcement=core.Enforcement(model.enforcement),
        guests=_selector(model.guests),
        arm=builder.section("arm", model.arm),
        conditions=tuple(builder.conditions()),
        mode=core.Mode(model.mode),
        max=model.max,
        cooldown=model.cooldown,
        limits=model.limits,
        timeout=model.timeout,
        vars=tuple(builder.variables()),
        on_failure=builder.section("on_failure", model.on_failure),
        on_limit=builder.section("on_limit", model.on_limit),
        finally_=builder.section("finally", model.finally_),
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


@functools.cache
def _default(text: str) -> Tree:
    """A template that the language has where the author wrote none."""
    return compile_template(text, STEPS)


@dataclass(frozen=True, slots=True)
class _Builder:
    root: Dictionary
    made: Compiler

    def _expression(self, node: Dictionary, key: str) -> Expression | None:
        entry = node.entries.get(key)
        return None if entry is None else self.made.expressions[id(entry.value)]

    def _needed(self, node: Dictionary, key: str) -> Expression:
        return self.made.expressions[id(node.entries[key].value)]

    def _tree(self, node: Dictionary, key: str, default: Tree = None) -> Tree:
        entry = node.entries.get(key)
        return default if entry is None else self.made.trees[id(entry.value)]

    def triggers(self, model: schema.Policy) -> Iterator[core.Trigger]:
        """The triggers in the order written."""
        written = mappings_of(self.root.get("trigger"), "trigger")
        for trigger, (node, path) in zip(model.trigger, written, strict=True):
            where, by = self._expression(node, "where"), self._expression(node, "by")
            yield core.EventTrigger(trigger.event, where, by, path)

    def conditions(self) -> Iterator[Expression]:
        """The conditions of ``if``."""
        for node, _ in items_of(self.root.get("if"), "if"):
            yield self.made.expressions[id(node)]

    def variables(self) -> Iterator[tuple[str, Tree]]:
        """The ``vars`` in the order written."""
        node = self.root.inner("vars")
        for name in node.entries:
            yield name, self._tree(node, name)

    def section(self, section: str, models: Sequence[_AnyStep]) -> tuple[steps.Step, ...]:
        """The steps of a section in the order written."""
        written = mappings_of(self.root.get(section), section)
        return tuple(
            self._step(model, node, path)
            for model, (node, path) in zip(models, written, strict=True)
        )

    def _options(self, model: Step, node: Dictionary, path: str) -> steps.StepOptions:
        retry = model.retry
        return steps.StepOptions(
            path=path,
            place=node.place,
            name=model.name,
            condition=self._expression(node, "if"),
            timeout=model.timeout,
            retry=None if retry is None else steps.Retry(retry.times, retry.backoff),
            on_error=None if model.on_error is None else steps.OnError(model.on_error),
            save=model.save,
        )

    def _step(self, model: _AnyStep, node: Dictionary, path: str) -> steps.Step:
        options = self._options(model, node, path)
        match model:
            case DumpStep():
                to = self._tree(node, "to", _default(model.to))
                return steps.GuestDump(options, to, self._tree(node, "format", model.format))
            case GuestStep(guest=action) | ArmGuestStep(guest=action):
                return steps.GuestStep(options, steps.GuestAction(action))
            case QmpStep(qmp=command):
                arguments = self._tree(node, "args", {})
                wait = None if model.wait is None else self._event(model.wait, node)
                return steps.QmpStep(options, command, arguments, wait)
            case WaitStep(wait=wait):
                return self._wait(options, wait, node)
            case DelayStep(delay=seconds):
                return steps.DelayStep(options, seconds)
            case _:
                return self._instant(options, model, node)

    def _instant(self, options: steps.StepOptions, model: _Instant, node: Dictionary) -> steps.Step:
        match model:
            case CheckStep():
                return steps.CheckStep(options, self._needed(node, "check"))
            case PublishStep():
                return steps.PublishStep(
                    options,
                    topic=self._tree(node, "publish"),
                    payload=self._tree(node, "payload"),
                    qos=model.qos,
                    retain=model.retain,
                    absolute=model.topic is not None,
                    properties=self._tree(node, "properties"),
                )
            case MarkStep():
                return self._mark(options, model.mark, node.inner("mark"))
            case ClearStep():
                kind, target = self._target(node.inner("clear"))
                word = self._tree(node.inner("clear"), "as")
                return steps.ClearStep(options, kind, target, word)
            case LogStep():
                return steps.LogStep(options, self._tree(node, "log"))
            case FailStep():
                return steps.FailStep(options, self._tree(node, "fail"))
            case StopStep():
                return steps.StopStep(options, self._tree(node, "stop"))

    def _wait(
        self, options: steps.StepOptions, wait: EventWait | UntilWait, node: Dictionary
    ) -> steps.Step:
        if isinstance(wait, EventWait):
            return steps.WaitEventStep(options, self._event(wait, node))
        until = self._needed(node.inner("wait"), "until")
        return steps.WaitUntilStep(options, until, wait.timeout)

    def _mark(
        self, options: steps.StepOptions, mark: MarkTarget, node: Dictionary
    ) -> steps.MarkStep:
        kind, target = self._target(node)
        word, reason = self._tree(node, "as"), self._tree(node, "reason")
        return steps.MarkStep(options, kind, target, word, reason, mark.expires)

    def _target(self, node: Dictionary) -> tuple[MarkKind, Tree]:
        kind = next(kind for kind in MarkKind if kind.value in node.entries)
        return kind, self._tree(node, kind.value)

    def _event(self, wait: EventWait, step: Dictionary) -> steps.EventWait:
        node = step.inner("wait")
        where, fail_when = self._expression(node, "where"), self._expression(node, "fail_when")
        return steps.EventWait(wait.event, where, fail_when, wait.timeout)
