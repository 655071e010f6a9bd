"""What a policy certainly brings about, and which policies that starts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from reactor.core.matching import named
from reactor.core.policy import EventTrigger, MessageTrigger, Policy, StateTrigger, Trigger
from reactor.core.steps import (
    AgentStep,
    CheckStep,
    ClearStep,
    DelayStep,
    ExecStep,
    FailStep,
    GuestAction,
    GuestDump,
    GuestStep,
    HttpStep,
    MarkStep,
    OnError,
    PublishStep,
    QmpStep,
    Step,
    WaitEventStep,
    WaitStaysStep,
    WaitUntilStep,
)
from reactor.core.template import Template, Tree
from reactor.core.topic_filters import fits
from reactor.policyfile.expressions import filled
from reactor.policyfile.lints.reach import certain
from reactor.policyfile.lints.terms import ANY, Said, Value, literal, said_by
from reactor.policyfile.walking import Located, Steps

_WAITS = (CheckStep, DelayStep, WaitEventStep, WaitStaysStep, WaitUntilStep)
"""What stands behind these is late, or not certain."""

_QUICK = (PublishStep, MarkStep, ClearStep)


Deed = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that a step brings about, as triggers see it.

    ``event`` with what is known of its ``data``, or a ``status``, or a ``message``. ``done``
    and ``undone`` name it and what must be done in between for it to happen again, None
    in them stands for anything; both are empty where it happens each time.
    """

    located: Located
    event: str = ""
    data: Mapping[str, Value] = field(default_factory=dict)
    is_own: bool = False
    status: str = ""
    message: PublishStep | None = None
    done: Deed = ()
    undone: Deed = ()


def effects_of(policy: Policy) -> Iterator[Effect]:
    """What the policy brings about each time that it runs and all goes well, or fails."""
    for located in certain(policy.steps):
        if isinstance(located.step, _WAITS):
            break
        yield from _effects(located)
    for located in certain(policy.steps):
        if _may_fail(located.step):
            data = {"data.policy": literal(policy.name)}
            yield Effect(located, "REACTOR_RUN_FAILED", data)
            return


def _effects(located: Located) -> Iterator[Effect]:
    match located.step:
        case MarkStep(_, kind, _, word):
            yield _marked(located, "REACTOR_MARK_SET", kind, word, ("set", "clear"))
        case ClearStep(_, kind, _, word):
            yield _marked(located, "REACTOR_MARK_CLEARED", kind, word, ("clear", "set"))
        case PublishStep(retain=False) as step:
            yield Effect(located, message=step)
        case GuestStep(_, GuestAction.RESET) | QmpStep(_, "system_reset"):
            data = {"data.guest": literal(value=False)}
            data["data.reason"] = literal("host-qmp-system-reset")
            yield Effect(located, "RESET", data, is_own=True)
        case GuestStep(_, GuestAction.PAUSE) | QmpStep(_, "stop"):
            yield Effect(located, "STOP", is_own=True, done=("stop",), undone=("run",))
            yield Effect(located, status="paused", done=("stop",), undone=("run",))
        case GuestStep(_, GuestAction.RESUME) | QmpStep(_, "cont"):
            yield Effect(located, "RESUME", is_own=True, done=("run",), undone=("stop",))
            yield Effect(located, status="running", done=("run",), undone=("stop",))
        case _:
            pass


def _marked(located: Located, event: str, kind: str, word: Tree, names: tuple[str, str]) -> Effect:
    data = {"data.kind": literal(str(kind))}
    if isinstance(word, str):
        data["data.as"] = literal(word)
    shown = None if word is None else str(word.source if isinstance(word, Template) else word)
    done, undone = ((name, str(kind), shown) for name in names)
    return Effect(located, event, data, done=done, undone=undone)


_FALLIBLE = (AgentStep, ExecStep, FailStep, GuestDump, GuestStep, HttpStep, QmpStep)


def _may_fail(step: Step) -> bool:
    return isinstance(step, _FALLIBLE) and step.options.on_error is not OnError.CONTINUE


def starts(effect: Effect, trigger: Trigger) -> bool:
    """Whether the effect certainly fires this trigger, each time."""
    match trigger:
        case EventTrigger(count=1, sequel=None):
            is_heard = bool(effect.event) and named(effect.event, trigger.events)
            may_open = trigger.own or not effect.is_own
            return is_heard and may_open and _holds(said_by([trigger.where]), effect.data)
        case StateTrigger():
            return bool(effect.status) and _turns(said_by([trigger.holds]), effect.status)
        case MessageTrigger():
            return effect.message is not None and _comes(effect.message, trigger)
        case _:
            return False


def _holds(said: Said, data: Mapping[str, Value]) -> bool:
    return not (said.rest or said.is_false) and all(
        path in data and allowed.takes(data[path]) for path, allowed in said.values.items()
    )


def _turns(said: Said, status: str) -> bool:
    """Whether the state begins when the guest's status becomes this one."""
    other = "running" if status == "paused" else "paused"
    allowed = said.values.get("guest.status", ANY)
    is_alone = not (said.rest or said.is_false) and said.values.keys() == {"guest.status"}
    return is_alone and allowed.takes(literal(status)) and not allowed.takes(literal(other))


def _comes(message: PublishStep, trigger: MessageTrigger) -> bool:
    """Whether the message comes to the trigger, is about a guest, and passes its `where`."""
    topic = filled(message.topic, "x")
    payload = message.payload if isinstance(message.payload, Mapping) else {}
    if message.absolute is not trigger.absolute or not fits(trigger.topic, str(topic)):
        return False
    if trigger.max_age is not None and "sent_at" not in payload:
        return False
    known = {
        f"message.json.{key}": literal(value)
        for key, value in payload.items()
        if value is None or isinstance(value, str | int | float)
    }
    reads = trigger.guest.reads if isinstance(trigger.guest, Template) else frozenset()
    names = {f"message.json.{key}" for key in payload}
    is_about_a_guest = all(read in names or read.startswith("topic[") for read in reads)
    return is_about_a_guest and _holds(said_by([trigger.where]), known)


def is_over(policy: Policy, effect: Effect) -> bool:
    """Whether the run that has this effect ends with it: the next one is not refused as busy."""
    if effect.event == "REACTOR_RUN_FAILED":
        return True
    later = _behind(policy.steps, effect.located.step)
    return all(isinstance(step, _QUICK) for step in (*later, *policy.finally_))


def _behind(steps: Steps, step: Step) -> Steps:
    """The steps of the list behind the one that is, or holds, this one."""
    path = f"{step.options.path}/"
    paths = [path.startswith(f"{one.options.path}/") for one in steps]
    return steps[paths.index(True) + 1 :]
