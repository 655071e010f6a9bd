"""From a message to an order or a question, or why it is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import msgspec

from reactor.app.control.asks import (
    Ask,
    AskGuests,
    AskMarks,
    AskReadiness,
    AskRun,
    AskRuns,
    AskSilences,
    AskStatus,
    AskWhy,
    GiveOrder,
)
from reactor.app.requests.forms import Form
from reactor.app.requests.kinds import Kind
from reactor.app.requests.names import Names, Refused
from reactor.app.requests.routes import Route, route_of
from reactor.core.foreign import UNREADABLE
from reactor.core.inputs import Message
from reactor.core.message_telling import brief
from reactor.core.order_checks import did_you_mean

BY_MAX = 100
"""Characters of what somebody says who they are."""

WORD_MAX = 32
"""Characters of a payload that is a word."""


class Question(NamedTuple):
    """What can be asked: the members that the topic's further levels stand for, and an example."""

    ask: type[msgspec.Struct]
    levels: tuple[str, ...] = ()
    example: str = "{}"


QUESTIONS: Mapping[str, Question] = {
    "status": Question(AskStatus),
    "guests": Question(AskGuests),
    "readiness": Question(AskReadiness, example='{"policy": "panic-*", "guest": "web-*"}'),
    "marks": Question(AskMarks, ("guest",), '{"guest": "web-1"}'),
    "silences": Question(AskSilences),
    "runs": Question(AskRuns, example='{"guest": "web-1", "only_open": true, "limit": 20}'),
    "run": Question(AskRun, ("run",), '{"run": "k3v9a1-17"}'),
    "why": Question(
        AskWhy,
        ("policy", "guest"),
        '{"policy": "panic-dump-reset", "guest": "web-1", "around": 600}',
    ),
}
"""By the level behind ``ask/``."""

_ENVELOPE = frozenset(Form.__struct_fields__)


@dataclass(frozen=True, slots=True)
class Sender:
    """What a message says of itself; ``id`` empty and ``by`` empty where it says nothing."""

    id: str
    by: str

    @property
    def who(self) -> str:
        """Who it is, for the journal: no more than they say, and MQTT proves nothing."""
        return f"mqtt (says {self.by!r})" if self.by else "mqtt"


def sender_of(message: Message) -> Sender:
    """What the message says of itself, in its payload or its user properties."""
    told = message.json if isinstance(message.json, dict) else {}

    def word(name: str, limit: int) -> str:
        value = told.get(name, message.properties.get(name, ""))
        is_plain = isinstance(value, str | int) and not isinstance(value, bool)
        return str(value)[:limit] if is_plain else ""

    return Sender(word("id", 256), word("by", BY_MAX))


def read_order(message: Message, names: Names) -> Ask:
    """The order that a message gives.

    Raises:
        Refused: it is none that can be understood.
    """
    route, words = route_of(message.below)
    try:
        members = _members(message, route)
        _check_do(members, route)
        form = msgspec.convert(members, route.form)
    except UNREADABLE as error:
        raise Refused(f"the payload does not fit: {error}", f"send {route.example}") from None
    return GiveOrder(route.order(names, words, form))


def read_question(message: Message, names: Names) -> Ask:
    """What a message asks.

    Raises:
        Refused: nothing that there is an answer to.
    """
    name, *levels = message.below.split("/")[1:] or [""]
    if name not in QUESTIONS:
        raise Refused(f"{message.below!r} is no question", f"ask one of {', '.join(QUESTIONS)}")
    ask, members, example = QUESTIONS[name]
    if len(levels) > len(members) or "" in levels:
        topic = "/".join([Kind.ASK, name, *(f"<{member}>" for member in members)])
        raise Refused(f"{message.below!r} is no topic of this question", f"ask on {topic}")
    asked = _asked(message) | dict(zip(members, levels, strict=False))
    if unknown := sorted(asked.keys() - set(ask.__struct_fields__)):
        known = ", ".join(ask.__struct_fields__) or "nothing"
        raise Refused(f"{brief(unknown[0])!r} is no member of this question", f"ask with {known}")
    if isinstance(asked.get("guest"), str):
        asked["guest"] = names.guest(str(asked["guest"]))
    try:
        question: Ask = msgspec.convert({**asked, "type": name}, Ask)
    except UNREADABLE as error:
        raise Refused(
            f"the question does not fit: {error}", f"ask with such as {example}"
        ) from None
    return question


def _members(message: Message, route: Route) -> Mapping[str, Any]:
    """The payload as a mapping; a word alone is what is to be done."""
    if isinstance(message.json, dict):
        return message.json
    word = message.payload.strip()
    words = _words_of(route)
    if not words:
        return _object_or_nothing(message)
    if word and len(word) <= WORD_MAX and word.replace("-", "").isalpha() and word.isascii():
        return {"do": word.lower()}
    fix = f"send {' or '.join(words)}, or a JSON object such as {route.example}"
    raise Refused("the payload is neither a word nor a JSON object", fix)


def _words_of(route: Route) -> tuple[str, ...]:
    """What `do` may say there; empty where the topic says all that is to be done."""
    return get_args(route.form.__annotations__.get("do"))


def _check_do(members: Mapping[str, Any], route: Route) -> None:
    """Refuse another word than those of the route, and say which they are."""
    word, words = members.get("do"), _words_of(route)
    if isinstance(word, str) and words and word not in words:
        problem = f"`do` is {brief(word)!r}, and it may be {' or '.join(words)}"
        raise Refused(f"{problem}{did_you_mean(word, words)}", f"send {route.example}")


def _asked(message: Message) -> dict[str, object]:
    """What the payload of a question says beside who asks; nothing is fine."""
    told = _object_or_nothing(message)
    return {key: value for key, value in told.items() if key not in _ENVELOPE}


def _object_or_nothing(message: Message) -> Mapping[str, Any]:
    if not message.payload.strip():
        return {}
    if not isinstance(message.json, dict):
        raise Refused("the payload is no JSON object", "send a JSON object, or nothing")
    return message.json
