"""``mqtt`` triggers: a message is a match of the guest that it is about."""

from collections.abc import Mapping
from functools import lru_cache

from reactor.core import scopes
from reactor.core.admission import Verdict
from reactor.core.effect import Publish
from reactor.core.event import Event
from reactor.core.expr import Answer, EvaluationFailed
from reactor.core.firing import fire
from reactor.core.guest import Guest
from reactor.core.inputs import Message
from reactor.core.matching import Placed
from reactor.core.message_telling import MESSAGE_EVENT, brief, tell, tell_policy
from reactor.core.misses import Miss
from reactor.core.policy import MessageTrigger
from reactor.core.run import Origin
from reactor.core.template import render_tree
from reactor.core.text import render_duration, render_text, slug
from reactor.core.topic_filters import fits
from reactor.core.topics import CORRELATION, topic_problem
from reactor.core.world import World

RETAINED = "retained messages"
STALE = "old messages"
NO_GUEST = "messages for no guest"
UNKNOWN_POLICY = "messages for no policy"
"""What is counted of the messages that were refused."""

_slug = lru_cache(maxsize=16_384)(slug)
"""Slugs of guests: each message for an unknown guest is compared with all of them."""

BY_NAME = "trigger"
"""First level of ``trigger/<policy>/<guest>``, below ``<prefix>/<host>/``."""

COMMON = "common"
"""Last level of the topic where those are answered who could not name one (MQTT 3.1.1)."""

REPLIES = "reply/"
"""Where replies may go, below ``<prefix>/<host>/``: nowhere else may a sender point to."""


_FIXES: Mapping[Verdict, str] = {
    Verdict.RETAINED: "publish without `retain`",
    Verdict.TOO_OLD: "say `sent_at`, the time now (seconds since 1970, or RFC 3339), or an expiry",
    Verdict.NO_GUEST: "name a guest: `reactor guests` (over MQTT: ask/guests) lists them",
    Verdict.NOT_SELECTED: "name a guest that the policy selects: its `guests` says which",
}
"""What the sender of a refused message can do."""

_NO_POLICY_FIX = "`reactor status` (over MQTT: ask/status) lists the policies"


class _Refused(Exception):  # noqa: N818 - why a message is no match, not an error of ours
    """The message is no match of a trigger; ``counted`` is under what it counts."""

    def __init__(self, verdict: Verdict, reason: str, counted: str, guest: str = "") -> None:
        super().__init__(reason)
        self.verdict, self.reason, self.counted, self.guest = verdict, reason, counted, guest


def received(world: World, message: Message) -> None:
    """Let a message match; its sender hears when it is about no guest that a policy has.

    One on ``trigger/<policy>/<guest>`` starts that policy, if it has an ``mqtt``
    trigger, whatever that trigger's own topic: its first one decides.
    """
    problems: list[tuple[str, str]] = []
    taken = False
    for placed, guest in _meant(world, message):
        try:
            taken |= _match(world, placed, message, guest)
        except _Refused as refused:
            problem = f"{refused.verdict.value}: {refused.reason}"
            problems.append((problem, _FIXES[refused.verdict]))
            world.triggers.dropped[refused.counted] += 1
            about = refused.guest or _about(world, placed, message, guest)
            _miss(world, placed, message, brief(about), refused.verdict, refused.reason)
    policy, guest_named = named(message)
    if policy and not taken and not problems:
        problem = f"no policy with an `mqtt` trigger is called {policy!r}"
        problems.append((problem, _NO_POLICY_FIX))
        world.triggers.dropped[UNKNOWN_POLICY] += 1
        tell_policy(world, message, (policy, guest_named), brief(problem))
    if problems and not taken and not message.retain:
        _reply(world, message, *problems[0])


def _meant(world: World, message: Message) -> list[tuple[Placed[MessageTrigger], str | None]]:
    """The triggers for the message's topic, each with the guest, where the topic names it."""
    found: list[tuple[Placed[MessageTrigger], str | None]] = []
    for placed in world.index.messages:
        topic = message.topic if placed.trigger.absolute else message.below
        if topic and fits(placed.trigger.topic, topic):
            found.append((placed, None))
    policy, guest = named(message)
    if policy and not any(placed.policy.name == policy for placed, _ in found):
        mine = (placed for placed in world.index.messages if placed.policy.name == policy)
        found += [(placed, guest) for placed in [next(mine, None)] if placed is not None]
    return found


def named(message: Message) -> tuple[str, str]:
    """Policy and guest of ``trigger/<policy>/<guest>``; empty for another topic."""
    levels = message.below.split("/")
    return (levels[1], levels[2]) if len(levels) == 3 and levels[0] == BY_NAME else ("", "")


def _match(
    world: World, placed: Placed[MessageTrigger], message: Message, name: str | None
) -> bool:
    """Whether the message is about a guest of the policy; a match of it where `where` holds.

    ``name`` is the guest's, where the topic says it; else the trigger knows.

    Raises:
        _Refused: it is not, or nobody may act on it.
    """
    trigger = placed.trigger
    if message.retain:
        raise _Refused(Verdict.RETAINED, message.topic, RETAINED)
    if trigger.max_age is not None and (old := age_problem(message, trigger.max_age, world.now)):
        raise _Refused(Verdict.TOO_OLD, old, STALE)
    if name is None:
        name = _rendered(world, placed, message)
    guest = _guest(world, placed, name)
    event = _event(world, message, guest.name)
    if trigger.where is not None:
        answer = trigger.where.holds(scopes.message_scope(world, message, guest))
        if not answer.truth:
            _miss(world, placed, message, guest.name, Verdict.WHERE_FALSE, answer)
            return True
    fire(world, placed, Origin(event, placed.index, message=message), guest.name)
    return True


def _miss(  # noqa: PLR0913, PLR0917 - what is said of a message
    world: World,
    placed: Placed[MessageTrigger],
    message: Message,
    guest: str,
    verdict: Verdict,
    told: Answer | str,
) -> None:
    """Remember why a message is no match of a trigger, and tell it, though not each one."""
    policy, path = placed.policy.name, placed.trigger.path
    told = brief(told) if isinstance(told, str) else told
    world.missed_message(Miss(world.now, policy, guest, path, verdict, MESSAGE_EVENT, told))
    tell(world, policy, guest, message, verdict, told)


def _about(world: World, placed: Placed[MessageTrigger], message: Message, name: str | None) -> str:
    """The guest that a refused message is about, as far as it says one; else empty."""
    try:
        name = _rendered(world, placed, message) if name is None else name
        return _guest(world, placed, name).name
    except _Refused as refused:
        return refused.guest


def age_problem(message: Message, max_age: float, now: float) -> str:
    """Why a message is too old for a trigger's ``max_age``; empty when it is not."""
    most = render_duration(max_age)
    if message.sent_at is None and message.expires is None:
        if (told := _told_time(message)) is not None:
            return _no_time(told)
        return f"it has neither `sent_at` nor an expiry, and may be {most} old at most"
    if message.expires is not None and message.expires <= 0:
        return "it has expired"
    if message.sent_at is None:
        return ""
    age = now - message.sent_at
    if age > max_age:
        return f"it is {render_duration(age)} old, and may be {most} old at most"
    if age < -max_age:
        return f"it was sent {render_duration(-age)} from now: a clock is wrong"
    return ""


def _told_time(message: Message) -> object:
    """What the message says as its ``sent_at``, whatever it is; None where it says nothing."""
    told = message.json.get("sent_at") if isinstance(message.json, dict) else None
    return message.properties.get("sent_at") if told is None else told


def _no_time(told: object) -> str:
    """Why this is no time at which a message can have been sent."""
    problem = f"`sent_at` is {brief(str(told))}, which is no time"
    digits = str(told).partition(".")[0]
    # 13 digits are milliseconds of our days, as JavaScript counts; 16 and 19 are finer still.
    unit = {13: "milliseconds", 16: "microseconds", 19: "nanoseconds"}.get(len(digits))
    if unit is None or not digits.isdecimal():
        return f"{problem}: say seconds since 1970, or RFC 3339 with its zone"
    return f"{problem} in seconds since 1970: it looks like {unit}"


def _rendered(world: World, placed: Placed[MessageTrigger], message: Message) -> str:
    """What the trigger's ``guest`` says."""
    try:
        value = render_tree(placed.trigger.guest, scopes.message_scope(world, message, None))
        return render_text(value)
    except EvaluationFailed as failure:
        raise _Refused(Verdict.NO_GUEST, f"`guest`: {failure.reason}", NO_GUEST) from None


def _guest(world: World, placed: Placed[MessageTrigger], name: str) -> Guest:
    """The guest of this name, or whose name has this slug."""
    known = world.guests.get(name)
    found = [known] if known else [g for g in world.guests.values() if _slug(g.name) == name]
    found = [guest for guest in found if not guest.forgotten]
    if len(found) != 1:
        how_many = f"{len(found)} guests are" if found else "no guest is"
        raise _Refused(Verdict.NO_GUEST, f"{how_many} called {name!r}", NO_GUEST, name)
    (guest,) = found
    if not placed.policy.guests.selects(guest.name, guest.labels):
        reason = f"{placed.policy.name} does not select {guest.name}"
        raise _Refused(Verdict.NOT_SELECTED, reason, NO_GUEST, guest.name)
    return guest


def _event(world: World, message: Message, guest: str) -> Event:
    sent = world.now if message.sent_at is None else message.sent_at
    return Event(MESSAGE_EVENT, guest, {}, sent, world.now)


def _id_of(message: Message) -> str:
    """What the sender calls the message, for its answer; empty where it says nothing."""
    told = message.json.get("id") if isinstance(message.json, dict) else None
    name = message.properties.get("id") if told is None else told
    return str(name) if isinstance(name, str | int) and not isinstance(name, bool) else ""


def _reply(world: World, message: Message, problem: str, fix: str) -> None:
    """Tell the sender why nothing happens, if it may be told there where it listens."""
    base = message.topic.removesuffix(message.below)
    name = _id_of(message)
    wanted = message.response_topic
    if not wanted and name and named(message)[0]:
        wanted = f"{base}{REPLIES}{COMMON}"
    topic = wanted.removeprefix(base)
    here = message.below and wanted.startswith(f"{base}{REPLIES}")
    if not here or topic_problem(topic) or not world.config.has_broker:
        return
    payload = {"ok": False, "error": problem, "fix": fix, "topic": message.topic}
    payload |= {"id": brief(name)} if name else {}
    properties = {}
    if message.correlation:
        payload["correlation"] = properties[CORRELATION] = message.correlation
    world.emit(Publish(topic, payload, properties=properties))
