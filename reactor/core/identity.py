"""By what a trigger is known across a reload: what its author wrote, not where it stands."""

import dataclasses
import hashlib

from reactor.core.expr import Expression
from reactor.core.policy import (
    EventTrigger,
    MessageTrigger,
    Policy,
    ScheduleTrigger,
    StateTrigger,
    Trigger,
)
from reactor.core.text import render_json

_PLACES = frozenset({"path"})
_DIGITS = 16


def trigger_names(policy: Policy) -> tuple[str, ...]:
    """A name for each trigger of a policy, under which its windows and waits are kept.

    It stays while the trigger's text stays, also when another is put before it. Triggers
    with one text are told apart by their order. A trigger of which nothing is kept has
    no name.
    """
    names: list[str] = []
    for trigger in policy.triggers:
        if not _keeps(trigger):
            names.append("")
            continue
        name = f"{policy.name}|{_digest(trigger)}"
        again = sum(1 for known in names if known.partition("~")[0] == name)
        names.append(f"{name}~{again}" if again else name)
    return tuple(names)


def place_name(trigger: str, guest: str, key: str) -> str:
    """The name of what is kept for a trigger and a key; every key begins with its guest."""
    return f"{trigger}|{len(guest)}|{key}"


def place_of(name: str) -> tuple[str, str, str]:
    """The trigger, the guest and the key of such a name."""
    policy, digest, length, key = name.split("|", 3)
    return f"{policy}|{digest}", key[: int(length)], key


def policy_in(name: str) -> str:
    """The policy of a trigger's name, or of the name of what is kept for it."""
    return name.partition("|")[0]


def _keeps(trigger: Trigger) -> bool:
    match trigger:
        case EventTrigger():
            return trigger.within is not None or trigger.sequel is not None
        case StateTrigger():
            return True
        case ScheduleTrigger():
            return trigger.jitter > 0 or trigger.catch_up > 0
        case MessageTrigger():
            return False


def _digest(trigger: Trigger) -> str:
    text = render_json([type(trigger).__name__, _written(trigger)])
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_DIGITS]


def _written(value: object) -> object:
    """The value as its author wrote it, as JSON knows values."""
    match value:
        case Expression():
            return value.source
        case tuple():
            return [_written(item) for item in value]
        case None | str() | int() | float():
            return value
        case _ if dataclasses.is_dataclass(value):
            names = [field.name for field in dataclasses.fields(value)]
            return {n: _written(getattr(value, n)) for n in names if n not in _PLACES}
        case _:
            raise TypeError(value)
