"""What the operator's log says of messages that start nothing: enough, and never a flood.

Whoever may publish on a topic decides how many messages come, and what is in them. So of
each policy and reason one line comes at once, then one a minute with the number of the others.
"""

from reactor.core.admission import Verdict
from reactor.core.effect import Log, Trace
from reactor.core.expr import Answer
from reactor.core.inputs import Message
from reactor.core.trigger_memory import REFUSALS_TOLD, Telling
from reactor.core.world import World

TELL_S = 60.0
"""Seconds between two lines about refused messages of one policy for one reason."""

TEXT_MAX = 256
"""Characters of a topic, name or reason that a sender chose, as far as they are kept."""

TITLE = "message refused"

NO_POLICY = "no such policy"

MESSAGE_EVENT = "REACTOR_MESSAGE"
"""The name of the event of an MQTT trigger; its data is empty."""


def brief(text: str) -> str:
    """The text, cut to what is kept of it."""
    return text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 1]}…"


def tell(  # noqa: PLR0913, PLR0917 - what is said of a message
    world: World, policy: str, guest: str, message: Message, verdict: Verdict, told: Answer | str
) -> None:
    """Tell that a message is no match of a policy.

    A `where` that is false is told to who looks closely only: on a topic with much traffic
    most messages are not meant.
    """
    more = _turn(world, policy, verdict.value)
    if more is None:
        return
    level = "debug" if verdict is Verdict.WHERE_FALSE else "info"
    reason = told if isinstance(told, str) else told.reason
    text = f"{_on(message)}: {verdict.value}: {brief(reason)}{_more(more)}"
    world.emit(Log(level, text, policy, guest, title=TITLE))


def tell_policy(world: World, message: Message, named: tuple[str, str], problem: str) -> None:
    """Tell that a message names no policy that it could start, and leave a trace of it.

    Args:
        named: the policy and the guest that its topic names.
    """
    more = _turn(world, "", NO_POLICY)
    if more is not None:
        text = f"{_on(message)}: {problem}{_more(more)}"
        world.emit(Log("warning", text, title=TITLE))
        policy, guest = map(brief, named)
        values = {"event": MESSAGE_EVENT}
        world.emit(Trace(world.now, policy, guest, "trigger", NO_POLICY, problem, "", values))


def _turn(world: World, policy: str, why: str) -> int | None:
    """How many were not told since the last line of this kind; None while none is due."""
    told, key = world.triggers.told, (policy, why)
    row = told.get(key)
    if row is not None and world.now < row.at + TELL_S:
        row.more += 1
        return None
    told[key] = Telling(world.now)
    told.move_to_end(key)
    if len(told) > REFUSALS_TOLD:
        told.popitem(last=False)
    return 0 if row is None else row.more


def _on(message: Message) -> str:
    return f"on {brief(message.topic)!r}"


def _more(more: int) -> str:
    return f" (and {more} more like it since the line before)" if more else ""
