"""Orders that stand for a time: silences, holds, marks."""

from collections.abc import Iterable

from reactor.core.by_hand import command_of
from reactor.core.holds import (
    RESTRAINTS_MAX,
    add_hold,
    add_silence,
    hold_over,
    hold_sentence,
    inhibition_over,
    silence_over,
    silence_sentence,
)
from reactor.core.marks import SELF, Mark, MarkKind
from reactor.core.order_checks import (
    Answer,
    OrderRefused,
    check_text,
    check_word,
    did_you_mean,
    end_of,
    known_guest,
    known_policy,
    quoted,
)
from reactor.core.orders import (
    AddSilence,
    ClearMark,
    EndInhibitions,
    ExpireSilence,
    HoldGuests,
    ReleaseGuests,
    SetMark,
    SwitchPolicy,
)
from reactor.core.restraints import Hold, Silence
from reactor.core.text import render_time
from reactor.core.world import World

GLOBS_MAX = 100
"""Globs of one silence, of each kind."""

_GLOB = frozenset("*?[")
"""Characters that make a pattern of a name."""

_SHOWN = 5
"""Marks that a refusal names, and silences that an answer names."""

EVERYBODY = ("*",)
"""The globs of a silence on all guests."""


def silence(world: World, order: AddSilence, who: str) -> Answer:
    """Refuse new runs of some policies on some guests for a time."""
    restraints = world.restraints
    for what, globs in (("policies", order.policies), ("guests", order.guests)):
        if not 0 < len(globs) <= GLOBS_MAX:
            text = f"a silence has 1 to {GLOBS_MAX} globs of {what}, not {len(globs)}"
            raise OrderRefused(text, fix="make several silences, or use globs such as 'web-*'")
        for glob in globs:
            check_word(f"glob of {what}", glob)
    check_text("comment", order.comment)
    until = end_of(world, order.seconds)
    if len(restraints.silences) >= RESTRAINTS_MAX:
        text = f"{RESTRAINTS_MAX} silences stand already: expire some first"
        raise OrderRefused(text, fix="`reactor silence` lists them")
    restraints.number += 1
    world.keep("number", "silence", restraints.number)
    name = f"s-{restraints.number}"
    added = Silence(name, order.policies, order.guests, world.now, until, who, order.comment)
    add_silence(world, added)
    policies = sum(added.covers_policy(policy) for policy in world.index.policies)
    guests = sum(added.covers_guest(guest) for guest in world.guests)
    covers = f"it covers {policies} of the loaded policies and {guests} of the known guests"
    if any(map(command_of, order.policies)):
        covers = f"{covers}, and commands by hand"
    elif not (policies and guests):
        covers = f"{covers}: NOTHING is silenced now"
    covers += "".join(_misspelt(world, policy) for policy in order.policies)
    return f"{silence_sentence(added)}; {covers}", {"silence": name}


def _misspelt(world: World, policy: str) -> str:
    """That nobody knows this policy, which may be loaded later; empty where it is a glob."""
    if policy in world.index.policies or command_of(policy) or not _GLOB.isdisjoint(policy):
        return ""
    return f"; no policy is called {policy!r}{did_you_mean(policy, world.index.policies)}"


def expire(world: World, order: ExpireSilence) -> Answer:
    """End a silence before its time."""
    standing = world.restraints.silences
    if order.silence not in standing:
        guess = did_you_mean(order.silence, standing)
        text = f"no silence {order.silence!r} stands{guess}"
        raise OrderRefused(text, fix="`reactor silence` lists those that stand")
    silence_over(world, order.silence)
    return f"silence {order.silence} is over", {"silence": order.silence}


def switch(world: World, order: SwitchPolicy, who: str) -> Answer:
    """Silence one policy on all guests, or end all silences of it alone on all guests."""
    known_policy(world, order.policy)
    policies = (order.policy,)
    if not order.on:
        return silence(world, AddSilence(policies, EVERYBODY, order.seconds, order.comment), who)
    standing = world.restraints.silences.values()
    found = [one.id for one in standing if (one.policies, one.guests) == (policies, EVERYBODY)]
    for name in found:
        silence_over(world, name)
    rest = [one for one in standing if one.covers_policy(order.policy)]
    data: dict[str, object] = {"policy": order.policy, "expired": found}
    return f"{order.policy} is switched on{_still_silenced(rest)}", data


def _still_silenced(rest: Iterable[Silence]) -> str:
    """Which silences stand in the way of a policy all the same; empty where none does."""
    everywhere = [one.id for one in rest if "*" in one.guests]
    somewhere = [one.id for one in rest if "*" not in one.guests]
    parts = [
        f"silenced on {where} guests by {', '.join(names[:_SHOWN])}"
        for where, names in (("all", everywhere), ("some", somewhere))
        if names
    ]
    return f", but still {' and '.join(parts)}: expire them too" if parts else ""


def hold(world: World, order: HoldGuests, who: str) -> Answer:
    """Press the big red button for a guest, or for all."""
    if order.guest:
        known_guest(world, order.guest)
    check_text("comment", order.comment)
    until = None if order.seconds is None else end_of(world, order.seconds)
    before = world.restraints.holds.get(order.guest)
    if before is None and len(world.restraints.holds) >= RESTRAINTS_MAX:
        text = f"{RESTRAINTS_MAX} holds stand already: release some first"
        raise OrderRefused(text, fix="`reactor status` shows the holds")
    added = Hold(order.guest, world.now, who, until, order.comment)
    add_hold(world, added)
    instead = "" if before is None else f", in place of the hold by {before.who}"
    return hold_sentence(added) + instead, {"guest": order.guest}


def release(world: World, order: ReleaseGuests) -> Answer:
    """End a hold: that of one guest, or that of all."""
    holds = world.restraints.holds
    if order.guest not in holds:
        return _not_held(world, order.guest), {"guest": order.guest}
    hold_over(world, order.guest)
    whom = f"{order.guest} is" if order.guest else "all guests are"
    rest = world.restraints.hold(order.guest, world.now) if order.guest else None
    still = "" if rest is None else f", but {hold_sentence(rest)}"
    if not order.guest and holds:
        still = f", but {len(holds)} of them have a hold of their own"
    return f"{whom} released{still}", {"guest": order.guest}


def end_inhibitions(world: World, order: EndInhibitions) -> Answer:
    """End what policies inhibit on a guest, before its time."""
    standing = world.restraints.inhibitions.values()
    rows = [row for row in standing if row.guest == order.guest]
    if not rows:
        known_guest(world, order.guest)
        return f"no policy inhibits anything on {order.guest}", {"guest": order.guest}
    for row in rows:
        inhibition_over(world, row.key)
    whose = ", ".join(sorted({row.by for row in rows}))
    return f"{whose} inhibits nothing on {order.guest} any more", {"guest": order.guest}


def _not_held(world: World, name: str) -> str:
    """That there was nothing to release: as well as if it had been released.

    Raises:
        OrderRefused: the guest is held all the same, by the hold of all; or nobody knows it.
    """
    everybody = world.restraints.hold("", world.now)
    if not name:
        own = len(world.restraints.holds)
        return "no hold of all guests stands" + (f"; {own} have one of their own" if own else "")
    known_guest(world, name)
    if everybody is not None:
        text = f"{name} has no hold of its own: {hold_sentence(everybody)}; release all"
        raise OrderRefused(text, fix="`reactor status` shows the holds")
    return f"{name} is not held"


def set_mark(world: World, order: SetMark, who: str) -> Answer:
    """Put a mark on a guest."""
    known_guest(world, order.guest)
    kind = _kind(order.kind)
    mark_id = _mark_id(kind, order.id)
    check_word("word of the mark", order.word)
    check_text("reason", order.reason)
    expires = None if order.seconds is None else end_of(world, order.seconds)
    strange = _strange(world, order.guest, kind, mark_id)
    world.set_mark(
        Mark(
            guest=order.guest,
            kind=kind,
            id=mark_id,
            word=order.word,
            reason=order.reason,
            since=world.now,
            policy=f"operator: {who}",
            run="",
            expires=expires,
        )
    )
    until = "" if expires is None else f" until {render_time(expires)}"
    text = f"{kind.value} {mark_id} of {order.guest} is marked as {order.word}{until}{strange}"
    return text, {"guest": order.guest}


def _strange(world: World, guest: str, kind: MarkKind, mark_id: str) -> str:
    """That nobody knows whether the guest has this device; empty where it had a mark before."""
    if not kind.has_id or world.marks.find(guest, kind, mark_id, None):
        return ""
    return f"; whether {guest} has a {kind.value} {mark_id} is not looked at"


def clear_mark(world: World, order: ClearMark, who: str) -> Answer:
    """Take marks away."""
    known_guest(world, order.guest)
    kind = _kind(order.kind)
    mark_id = _mark_id(kind, order.id)
    found = world.marks.find(order.guest, kind, mark_id, order.word or None)
    if not found:
        text = f"no such mark is set on {order.guest}{_marks_of(world, order.guest)}"
        raise OrderRefused(text, fix=f"`reactor marks --guest={quoted(order.guest)}` lists them")
    for mark in found:
        world.clear_mark(mark, f"cleared by {who}")
    words = ", ".join(mark.word for mark in found)
    text = f"{kind.value} {mark_id} of {order.guest} is not marked as {words} any more"
    return text, {"guest": order.guest}


def _kind(word: str) -> MarkKind:
    kinds = [kind.value for kind in MarkKind]
    if word not in kinds:
        guess = did_you_mean(word, kinds)
        text = f"{word!r} is no kind of mark: it is one of {', '.join(kinds)}{guess}"
        raise OrderRefused(text, fix=f"write one of {', '.join(kinds)}")
    return MarkKind(word)


def _mark_id(kind: MarkKind, name: str) -> str:
    if kind.has_id:
        check_word("id of the mark", name)
        return name
    if name not in {"", SELF}:
        text = f"a mark on the {kind.value} itself has no id: {name!r} is one"
        raise OrderRefused(text, fix=f"leave {name!r} out, or name a device: disk {name}")
    return SELF


def _marks_of(world: World, guest: str) -> str:
    marks = [f"{mark.kind.value} {mark.id} as {mark.word}" for mark in world.marks.of(guest)]
    if not marks:
        return ": it has none"
    more = f" and {len(marks) - _SHOWN} more" if len(marks) > _SHOWN else ""
    return f": it has {', '.join(marks[:_SHOWN])}{more}"
