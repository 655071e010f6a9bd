"""Models of steps become the steps that the engine takes."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from reactor.core import steps
from reactor.core.expr import STEPS, Expression
from reactor.core.marks import MarkKind
from reactor.core.steps import ParamKind
from reactor.core.template import Tree, compile_template
from reactor.policyfile.expressions import Compiler
from reactor.policyfile.nodes import Dictionary, Node, items_of, mappings_of
from reactor.policyfile.runbooks import Book, Library
from reactor.policyfile.schema_marks import ClearStep, MarkStep, MarkTarget
from reactor.policyfile.schema_runbook import Param, kind_of
from reactor.policyfile.schema_step import Step
from reactor.policyfile.schema_steps import (
    AnyArmStep,
    AnyStep,
    ArmGuestStep,
    ChooseStep,
    DefaultBranch,
    ParallelStep,
    RepeatStep,
    WhenBranch,
)
from reactor.policyfile.schema_verbs import (
    DUMP_TARGET,
    AgentStep,
    CheckStep,
    DelayStep,
    DumpStep,
    ExecStep,
    FailStep,
    GuestStep,
    HttpStep,
    InhibitStep,
    LogStep,
    PublishStep,
    QmpStep,
    Request,
    RunStep,
    StopStep,
)
from reactor.policyfile.schema_waits import EventWait, StaysWait, UntilWait, WaitStep

_AnyStep = AnyStep | AnyArmStep
_Nested = ChooseStep | RepeatStep | ParallelStep
_Command = DumpStep | GuestStep | ArmGuestStep | QmpStep | AgentStep
_Outward = HttpStep | ExecStep | InhibitStep | RunStep
_Instant = CheckStep | PublishStep | MarkStep | ClearStep | LogStep | FailStep | StopStep


@functools.cache
def _default(text: str) -> Tree:
    """A template that the language has where the author wrote none."""
    return compile_template(text, STEPS)


@dataclass(frozen=True, slots=True)
class Made:
    """What was compiled from a document, by the place where it was written."""

    compiler: Compiler

    def of(self, node: Node) -> Expression:
        """The expression that was written at this node."""
        return self.compiler.expressions[id(node)]

    def expression(self, node: Dictionary, key: str) -> Expression | None:
        """The expression below this key, or None."""
        entry = node.entries.get(key)
        return None if entry is None else self.of(entry.value)

    def needed(self, node: Dictionary, key: str) -> Expression:
        """The expression below a key that must be there."""
        return self.of(node.entries[key].value)

    def text(self, node: Node) -> Tree:
        """The templates that were written at this node."""
        return self.compiler.trees[id(node)]

    def tree(self, node: Dictionary, key: str, default: Tree = None) -> Tree:
        """The templates below this key, or the default."""
        entry = node.entries.get(key)
        return default if entry is None else self.text(entry.value)


@dataclass(frozen=True, slots=True)
class StepBuilder:
    """Builds the steps of one document, with those of the runbooks that it runs."""

    made: Made
    library: Library

    def section(
        self, root: Dictionary, key: str, models: Sequence[_AnyStep], above: str = ""
    ) -> tuple[steps.Step, ...]:
        """The steps below a key of this mapping, in the order written."""
        return self._steps(models, root.get(key), f"{above}{key}")

    def _steps(
        self, models: Sequence[_AnyStep], node: Node | None, path: str
    ) -> tuple[steps.Step, ...]:
        written = mappings_of(node, path)
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
            condition=self.made.expression(node, "if"),
            timeout=model.timeout,
            retry=None if retry is None else steps.Retry(retry.times, retry.backoff),
            on_error=None if model.on_error is None else steps.OnError(model.on_error),
            save=model.save,
        )

    def _step(self, model: _AnyStep, node: Dictionary, path: str) -> steps.Step:
        options = self._options(model, node, path)
        match model:
            case ChooseStep() | RepeatStep() | ParallelStep():
                return self._nested(options, model, node)
            case WaitStep() | DelayStep():
                return self._pause(options, model, node)
            case HttpStep() | ExecStep() | InhibitStep() | RunStep():
                return self._outward(options, model, node)
            case DumpStep() | GuestStep() | ArmGuestStep() | QmpStep() | AgentStep():
                return self._command(options, model, node)
            case _:
                return self._instant(options, model, node)

    def _nested(self, options: steps.StepOptions, model: _Nested, node: Dictionary) -> steps.Step:
        path = options.path
        match model:
            case ChooseStep():
                ways = mappings_of(node.get("choose"), f"{path}/choose")
                branches = (
                    self._branch(way, below, at)
                    for way, (below, at) in zip(model.choose, ways, strict=True)
                )
                return steps.ChooseStep(options, tuple(branches))
            case RepeatStep(repeat=rounds):
                return steps.RepeatStep(
                    options,
                    times=rounds.times,
                    steps=self.section(node, "steps", model.steps, f"{path}/"),
                    backoff=rounds.backoff,
                    until=self.made.expression(node.inner("repeat"), "until"),
                )
            case ParallelStep():
                lists = items_of(node.get("parallel"), f"{path}/parallel")
                return steps.ParallelStep(
                    options,
                    tuple(
                        self._steps(branch, below, at)
                        for branch, (below, at) in zip(model.parallel, lists, strict=True)
                    ),
                )

    def _branch(self, way: WhenBranch | DefaultBranch, node: Dictionary, path: str) -> steps.Branch:
        when, above = self.made.expression(node, "when"), f"{path}/"
        match way:
            case WhenBranch():
                return steps.Branch(when, self.section(node, "steps", way.steps, above), path)
            case DefaultBranch():
                return steps.Branch(None, self.section(node, "default", way.default, above), path)

    def _pause(
        self, options: steps.StepOptions, model: WaitStep | DelayStep, node: Dictionary
    ) -> steps.Step:
        if isinstance(model, DelayStep):
            return steps.DelayStep(options, model.delay)
        inner = node.inner("wait")
        match model.wait:
            case EventWait() as wait:
                return steps.WaitEventStep(options, self._event(wait, node))
            case UntilWait() as wait:
                until = self.made.needed(inner, "until")
                return steps.WaitUntilStep(options, until, wait.timeout)
            case StaysWait() as wait:
                stays = self.made.needed(inner, "stays")
                return steps.WaitStaysStep(options, stays, wait.for_, wait.timeout)

    def _event(self, wait: EventWait, step: Dictionary) -> steps.EventWait:
        node = step.inner("wait")
        where = self.made.expression(node, "where")
        fail_when = self.made.expression(node, "fail_when")
        return steps.EventWait(wait.event, where, fail_when, wait.timeout)

    def _command(self, options: steps.StepOptions, model: _Command, node: Dictionary) -> steps.Step:
        tree = self.made.tree
        match model:
            case DumpStep():
                to = tree(node, "to", _default(DUMP_TARGET))
                return steps.GuestDump(options, to, tree(node, "format", model.format))
            case GuestStep(guest=action) | ArmGuestStep(guest=action):
                return steps.GuestStep(options, steps.GuestAction(action))
            case QmpStep(qmp=command):
                wait = None if model.wait is None else self._event(model.wait, node)
                return steps.QmpStep(options, command, tree(node, "args", {}), wait)
            case AgentStep(agent=command):
                return steps.AgentStep(options, command, tree(node, "args", {}))

    def _outward(self, options: steps.StepOptions, model: _Outward, node: Dictionary) -> steps.Step:
        match model:
            case HttpStep(http=request):
                return self._http(options, request, node.inner("http"))
            case ExecStep():
                _, *words = items_of(node.get("exec"), "")
                arguments = tuple(self.made.text(word) for word, _ in words)
                return steps.ExecStep(options, model.exec[0], arguments)
            case InhibitStep(inhibit=inhibition):
                return steps.InhibitStep(options, inhibition.policies, inhibition.for_)
            case RunStep():
                return self._runbook(options, model, node.inner("with"))

    def _runbook(
        self, options: steps.StepOptions, model: RunStep, given: Dictionary
    ) -> steps.RunbookStep:
        book = self.library.books[model.run]
        params, written = book.model.params.items(), book.paper.root.inner("params")
        defaults = Made(book.made)
        arguments = {
            name: self.made.tree(given, name)
            if name in given.entries
            else defaults.tree(written.inner(name), "default")
            for name, _ in params
        }
        return steps.RunbookStep(
            options,
            runbook=model.run,
            steps=steps_of(book, self.library, f"{options.path}/run/"),
            arguments=arguments,
            kinds=tuple((name, ParamKind(kind_of(param))) for name, param in params),
            choices=tuple(
                (name, param.enum)
                for name, param in params
                if isinstance(param, Param) and param.enum is not None
            ),
        )

    def _http(
        self, options: steps.StepOptions, request: Request, node: Dictionary
    ) -> steps.HttpStep:
        return steps.HttpStep(
            options,
            method=request.method or ("POST" if "json" in node.entries else "GET"),
            url=self.made.tree(node, "url"),
            json=self.made.tree(node, "json"),
            headers=self.made.tree(node, "headers"),
            expect=request.expect,
        )

    def _instant(self, options: steps.StepOptions, model: _Instant, node: Dictionary) -> steps.Step:
        tree = self.made.tree
        match model:
            case CheckStep():
                return steps.CheckStep(options, self.made.needed(node, "check"))
            case PublishStep():
                return steps.PublishStep(
                    options,
                    topic=tree(node, "publish"),
                    payload=tree(node, "payload"),
                    qos=model.qos,
                    retain=model.retain,
                    absolute=model.topic is not None,
                    properties=tree(node, "properties"),
                )
            case MarkStep():
                return self._mark(options, model.mark, node.inner("mark"))
            case ClearStep():
                kind, target = self._target(node.inner("clear"))
                return steps.ClearStep(options, kind, target, tree(node.inner("clear"), "as"))
            case LogStep():
                return steps.LogStep(options, tree(node, "log"))
            case FailStep():
                return steps.FailStep(options, tree(node, "fail"))
            case StopStep():
                return steps.StopStep(options, tree(node, "stop"))

    def _mark(
        self, options: steps.StepOptions, mark: MarkTarget, node: Dictionary
    ) -> steps.MarkStep:
        kind, target = self._target(node)
        word, reason = self.made.tree(node, "as"), self.made.tree(node, "reason")
        return steps.MarkStep(options, kind, target, word, reason, mark.expires)

    def _target(self, node: Dictionary) -> tuple[MarkKind, Tree]:
        kind = next(kind for kind in MarkKind if kind.value in node.entries)
        return kind, self.made.tree(node, kind.value)


def steps_of(book: Book, library: Library, above: str = "") -> tuple[steps.Step, ...]:
    """The steps of a runbook of this library; ``above`` begins their paths."""
    inside = StepBuilder(Made(book.made), library)
    return inside.section(book.paper.root, "steps", book.model.steps, above)
