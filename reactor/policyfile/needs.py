"""What a policy needs of a guest: events that can come, commands that QEMU knows, an agent."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reactor.core import guest_ops
from reactor.core.equipment import PORT_EVENT, Aspect, aspects_of
from reactor.core.expr import Expression
from reactor.core.ops import Call, Op, Send
from reactor.core.policy import EventMatch, EventTrigger, Policy
from reactor.core.steps import (
    AgentStep,
    EventWait,
    GuestDump,
    GuestStep,
    OnError,
    QmpStep,
    Step,
    StepOptions,
    WaitEventStep,
)
from reactor.policyfile.calls import value_of
from reactor.policyfile.looks import Look, looks_of_run, looks_of_trigger
from reactor.policyfile.walking import every
from reactor.qapi.values import Value

_PORT_ID = "data.id"


@dataclass(frozen=True, slots=True)
class Awaited:
    """Events, names or globs, one of which must come; ``ports`` are the ids that are meant."""

    events: tuple[str, ...]
    ports: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Spark:
    """A trigger: all of ``parts`` must come about; none: it needs no event of QEMU.

    ``looks`` are its expressions that read what QEMU sends.
    """

    path: str
    parts: tuple[Awaited, ...] = ()
    looks: tuple[Look, ...] = ()


@dataclass(frozen=True, slots=True)
class Deed:
    """A step with the commands that it may send, and the events of its wait.

    ``given`` are the arguments of its one command, where they are the author's.
    """

    path: str
    commands: tuple[str, ...] = ()
    agent: bool = False
    wait: tuple[str, ...] = ()
    given: Value = None


@dataclass(frozen=True, slots=True)
class Needs:
    """All that a policy needs; ``aspects`` must be asked of a guest to judge it.

    ``looks`` are the expressions behind the triggers that read what QEMU sends.
    """

    sparks: tuple[Spark, ...]
    deeds: tuple[Deed, ...]
    aspects: frozenset[Aspect]
    looks: tuple[Look, ...] = ()

    @property
    def agent(self) -> bool:
        """Whether a step needs the guest agent."""
        return any(deed.agent for deed in self.deeds)


def needs_of(policy: Policy) -> Needs:
    """What the policy needs.

    Not its `arm`: whether that works is found out at every connect. Nor a step whose author
    reckons with its failure (`on_error: continue`).
    """
    sparks = tuple(
        Spark(trigger.path, tuple(_parts(trigger)), tuple(looks_of_trigger(trigger)))
        if isinstance(trigger, EventTrigger)
        else Spark(trigger.path)
        for trigger in policy.triggers
    )
    sections = (policy.steps, policy.on_failure, policy.on_limit, policy.finally_)
    found = (_deed(located.step) for steps in sections for located in every(steps))
    names = [name for spark in sparks for part in spark.parts for name in part.events]
    deeds = tuple(deed for deed in found if deed is not None)
    return Needs(sparks, deeds, aspects_of(names), tuple(looks_of_run(policy)))


def _parts(trigger: EventTrigger) -> Iterator[Awaited]:
    yield _awaited(trigger.events, trigger.where)
    if trigger.sequel is not None and not trigger.sequel.absent:
        second: EventMatch = trigger.sequel.match
        yield _awaited(second.events, second.where)


def _awaited(events: tuple[str, ...], where: Expression | None) -> Awaited:
    equal = where.equalities if where is not None and PORT_EVENT in events else ()
    return Awaited(events, frozenset(str(value) for path, value in equal if path == _PORT_ID))


def _deed(step: Step) -> Deed | None:
    options: StepOptions = step.options
    if options.on_error is OnError.CONTINUE:
        return None
    match step:
        case QmpStep(_, command, arguments, wait):
            events = wait.events if wait else ()
            return Deed(options.path, (command,), wait=events, given=value_of(arguments))
        case WaitEventStep(_, EventWait(events)):
            return Deed(options.path, wait=events)
        case AgentStep():
            return Deed(options.path, agent=True)
        case GuestDump(_, to, fmt):
            return _verb(options.path, guest_ops.dump(to, fmt, 0))
        case GuestStep():
            return _verb(options.path, guest_ops.guest(step, 0))
        case _:
            return None


def _verb(path: str, ops: Iterable[Op]) -> Deed:
    """What a verb of a guest is made of."""
    ops = tuple(ops)
    commands = tuple(op.command for op in ops if isinstance(op, Send))
    return Deed(path, commands, agent=any(isinstance(op, Call) for op in ops))
