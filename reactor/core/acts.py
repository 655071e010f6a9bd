"""Steps that are done at once: publish, mark, clear, log, check, fail, stop."""

from collections.abc import Mapping

from reactor.core import scopes
from reactor.core.effect import Log, Publish
from reactor.core.facts import decided_blind, known_facts
from reactor.core.flow import BLOCK, NEXT, Ended, Failed, Flow
from reactor.core.holds import inhibit
from reactor.core.marks import SELF, Mark, MarkKind
from reactor.core.ops import Instant
from reactor.core.run import Outcome, Run
from reactor.core.scopes import RenderFailed
from reactor.core.steps import (
    CheckStep,
    ClearStep,
    FailStep,
    InhibitStep,
    LogStep,
    MarkStep,
    PublishStep,
    StopStep,
)
from reactor.core.template import Tree
from reactor.core.text import render_text
from reactor.core.topics import topic_problem
from reactor.core.world import World


def act(world: World, run: Run, step: Instant) -> Flow:
    """Do the step; a template that fails fails it before anything is done."""
    try:
        return _act(world, run, step)
    except RenderFailed as failure:
        return Failed(str(failure))


def _act(  # noqa: C901 - one case for each kind
    world: World, run: Run, step: Instant
) -> Flow:
    match step:
        case PublishStep():
            return _publish(world, run, step)
        case MarkStep():
            return _mark(world, run, step)
        case ClearStep():
            return _clear(world, run, step)
        case LogStep(options, tree):
            text = _text(world, run, tree)
            world.emit(Log("info", text, run.policy, run.guest, run.story, options.path))
            return NEXT
        case InhibitStep(_, policies, seconds):
            problem = inhibit(world, run, policies, seconds)
            return Failed(f"inhibit: {problem}") if problem else NEXT
        case CheckStep(_, condition):
            if not known_facts(world, run, scopes.facts_of(condition)):
                return BLOCK
            answer = scopes.holds(world, run, condition)
            if answer.failed:
                return Ended(Outcome.FAILED, f"check failed: {answer.reason}")
            if not answer.truth:
                decided_blind(world, run, scopes.facts_of(condition))
                return Ended(Outcome.SKIPPED, f"check is false: {answer.reason}")
            return NEXT
        case FailStep(_, text):
            return Ended(Outcome.FAILED, _text(world, run, text))
        case StopStep(_, text):
            return Ended(Outcome.STOPPED, _text(world, run, text))


def _text(world: World, run: Run, tree: Tree) -> str:
    return render_text(scopes.render_leniently(world, run, tree))


def _publish(world: World, run: Run, step: PublishStep) -> Flow:
    topic = _text(world, run, step.topic)
    problem = topic_problem(topic)
    if problem:
        return Failed(f"publish: {problem}")
    if not world.config.has_broker:
        world.trace(run, step.options.path, "no broker configured", topic)
        return NEXT
    properties = scopes.render_leniently(world, run, step.properties)
    pairs = properties if isinstance(properties, Mapping) else {}
    world.emit(
        Publish(
            topic=topic,
            payload=scopes.render_leniently(world, run, step.payload),
            qos=step.qos,
            retain=step.retain,
            absolute=step.absolute,
            properties={str(name): str(value) for name, value in pairs.items()},
            run=run.story,
            step=step.options.path,
        )
    )
    return NEXT


def _mark_id(world: World, run: Run, step: MarkStep | ClearStep) -> str:
    if step.kind in {MarkKind.GUEST, MarkKind.HOST}:
        return SELF
    return str(scopes.render(world, run, step.id))


def _mark(world: World, run: Run, step: MarkStep) -> Flow:
    mark_id = _mark_id(world, run, step)
    word = str(scopes.render(world, run, step.word))
    reason = scopes.render(world, run, step.reason)
    if not mark_id or not word:
        return Failed(f"mark: the id is {mark_id!r} and `as` is {word!r}; neither may be empty")
    world.set_mark(
        Mark(
            guest=run.guest,
            kind=step.kind,
            id=mark_id,
            word=word,
            reason="" if reason is None else str(reason),
            since=world.now,
            policy=run.policy,
            run=run.story,
            expires=None if step.expires is None else world.now + step.expires,
        )
    )
    return NEXT


def _clear(world: World, run: Run, step: ClearStep) -> Flow:
    word = None if step.word is None else str(scopes.render(world, run, step.word))
    found = world.marks.find(run.guest, step.kind, _mark_id(world, run, step), word)
    for mark in found:
        world.clear_mark(mark, f"cleared by {run.policy}")
    if not found:
        world.trace(run, step.options.path, "nothing to do", "no such mark is set")
    return NEXT
