"""The topics of the requests, below ``<prefix>/<host>/``, and what each of them means."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from reactor.app.requests import forms
from reactor.app.requests.kinds import Kind
from reactor.app.requests.names import Names, Refused
from reactor.core.by_hand import policy_name
from reactor.core.orders import (
    AddSilence,
    Approve,
    CancelRun,
    ClearMark,
    EndInhibitions,
    ExpireSilence,
    HoldGuests,
    Order,
    ReleaseGuests,
    RunCommand,
    SetMark,
    StartRun,
    SwitchPolicy,
)
from reactor.core.text import parse_duration

Words = Mapping[str, str]
"""The levels of a topic by their names in the route's."""


@dataclass(frozen=True, slots=True)
class Route:
    """One topic, ``<name>`` standing for any level, and how its payload becomes an order.

    ``example`` is a payload that is understood there.
    """

    kind: Kind
    topic: str
    form: type[forms.Form]
    example: str
    order: Callable[[Names, Words, Any], Order]

    def words(self, levels: Sequence[str]) -> Words | None:
        """The levels by their names, where they are those of this topic."""
        return _words(self.topic, levels)


def _words(topic: str, levels: Sequence[str]) -> Words | None:
    mine = topic.split("/")
    # An empty level is no name: for some orders it would mean all.
    if len(mine) != len(levels) or "" in levels:
        return None
    pairs = list(zip(mine, levels, strict=True))
    if any(name != level for name, level in pairs if not name.startswith("<")):
        return None
    return {name[1:-1]: level for name, level in pairs if name.startswith("<")}


def _seconds(text: str, member: str = "for", such_as: str = "30m, 2h or 1d") -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise Refused(f"`{member}`: {error}", f"write such as {such_as}") from None


def _length(text: str | None) -> float | None:
    return None if text is None else _seconds(text)


def _approve(_names: Names, words: Words, form: forms.ApproveForm) -> Order:
    return Approve(words["run"], form.do == "yes", form.comment)


def _mark(names: Names, words: Words, form: forms.MarkForm) -> Order:
    guest = names.guest(words["guest"])
    kind = words["kind"]
    if form.do == "clear":
        device = names.marked(guest, kind, words["id"], form.device)
        return ClearMark(guest, kind, device, names.word(guest, kind, device, words["as"]))
    device = names.device(words["id"], form.device)
    return SetMark(guest, kind, device, words["as"], form.reason, _length(form.length))


def _clear(names: Names, words: Words, form: forms.ClearForm) -> Order:
    guest = names.guest(words["guest"])
    kind = words["kind"]
    return ClearMark(guest, kind, names.marked(guest, kind, words["id"], form.device))


def _silence(_names: Names, _words: Words, form: forms.SilenceForm) -> Order:
    return AddSilence(form.policies, form.guests, _seconds(form.length), form.comment)


def _expire(_names: Names, words: Words, _form: forms.ExpireForm) -> Order:
    return ExpireSilence(words["silence"])


def _policy(names: Names, words: Words, form: forms.PolicyForm) -> Order:
    if form.do == "on":
        return SwitchPolicy(words["policy"], on=True)
    if form.length is None:
        names.policy(words["policy"])
        raise Refused("it does not say for how long", 'say it: {"do": "off", "for": "2h"}')
    return SwitchPolicy(
        words["policy"], on=False, seconds=_seconds(form.length), comment=form.comment
    )


def _hold(names: Names, words: Words, form: forms.HoldForm) -> Order:
    guest = names.guest(words["guest"]) if "guest" in words else ""
    if form.do == "off":
        return ReleaseGuests(guest)
    return HoldGuests(guest, _length(form.length), form.comment)


def _inhibit(names: Names, words: Words, _form: forms.InhibitForm) -> Order:
    return EndInhibitions(names.guest(words["guest"]))


def _run(_names: Names, words: Words, form: forms.RunForm) -> Order:
    return CancelRun(words["run"], form.comment)


def _trigger(names: Names, words: Words, form: forms.TriggerForm) -> Order:
    return StartRun(words["policy"], names.guest(words["guest"]), form.data)


def _command(names: Names, words: Words, form: forms.CommandForm) -> Order:
    order = RunCommand(names.guest(words["guest"]), words["command"], form.arguments)
    if form.timeout is None:
        return order
    return msgspec.structs.replace(order, timeout=_seconds(form.timeout, "timeout", "30s or 5m"))


ROUTES: tuple[Route, ...] = (
    Route(
        Kind.APPROVE,
        "approve/<run>",
        forms.ApproveForm,
        '{"do": "no", "comment": "not now"}',
        _approve,
    ),
    Route(
        Kind.MARK,
        "set/mark/<guest>/<kind>/<id>/<as>",
        forms.MarkForm,
        '{"do": "set", "reason": "bad sectors", "for": "1d"}',
        _mark,
    ),
    Route(Kind.MARK, "set/mark/<guest>/<kind>/<id>", forms.ClearForm, '{"do": "clear"}', _clear),
    Route(
        Kind.SILENCE,
        "set/silence",
        forms.SilenceForm,
        '{"do": "add", "policies": ["panic-*"], "guests": ["web-*"], "for": "2h"}',
        _silence,
    ),
    Route(Kind.SILENCE, "set/silence/<silence>", forms.ExpireForm, '{"do": "expire"}', _expire),
    Route(
        Kind.POLICY, "set/policy/<policy>", forms.PolicyForm, '{"do": "off", "for": "2h"}', _policy
    ),
    Route(Kind.HOLD, "set/hold", forms.HoldForm, '{"do": "off"}', _hold),
    Route(Kind.HOLD, "set/hold/<guest>", forms.HoldForm, '{"do": "off"}', _hold),
    Route(Kind.INHIBIT, "set/inhibit/<guest>", forms.InhibitForm, '{"do": "off"}', _inhibit),
    Route(Kind.RUN, "set/run/<run>", forms.RunForm, '{"do": "cancel"}', _run),
    Route(
        Kind.TRIGGER,
        "set/trigger/<policy>/<guest>",
        forms.TriggerForm,
        '{"do": "start", "data": {}}',
        _trigger,
    ),
    Route(
        Kind.COMMAND,
        "cmd/<guest>/<command>",
        forms.CommandForm,
        '{"arguments": {"device": "disk0"}}',
        _command,
    ),
)


def route_of(topic: str) -> tuple[Route, Words]:
    """The route of a topic, and the words in it.

    Args:
        topic: below ``<prefix>/<host>/``; of one of the kinds.

    Raises:
        Refused: no request has this topic.
    """
    levels = topic.split("/")
    for route in ROUTES:
        words = route.words(levels)
        if words is not None:
            return route, words
    near = [route.topic for route in ROUTES if topic.startswith(route.kind)]
    raise Refused(f"{topic!r} is no topic of a request", f"publish to {' or '.join(near)}")


_ALSO = ("ask/why/<policy>/<guest>", "ask/marks/<guest>", "trigger/<policy>/<guest>")
"""Topics that are no orders and name somebody."""


def about(topic: str) -> tuple[str, str]:
    """The policy and the guest that a topic below the host's names; empty where it names none."""
    known = (*(route.topic for route in ROUTES), *_ALSO)
    levels = topic.split("/")
    words = next((found for one in known if (found := _words(one, levels)) is not None), {})
    policy = policy_name(words["command"]) if "command" in words else words.get("policy", "")
    return policy, words.get("guest", "")
