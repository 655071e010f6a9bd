"""What the triggers of a policy wait for on a guest: counts, second events, states, schedules."""

from collections.abc import Iterator

from reactor.app.why.reasons import Finding, Mark
from reactor.core import scopes
from reactor.core.guest import Guest
from reactor.core.identity import place_of, trigger_names
from reactor.core.policy import (
    EventTrigger,
    MessageTrigger,
    Policy,
    ScheduleTrigger,
    StateTrigger,
)
from reactor.core.text import render_duration, render_time
from reactor.core.world import World

KEYS_SHOWN = 20


def triggers(world: World, policy: Policy, guest: Guest, now: float) -> Iterator[Finding]:
    """One finding for each trigger, and one for each key of which it remembers something."""
    for trigger, name in zip(policy.triggers, trigger_names(policy), strict=True):
        match trigger:
            case EventTrigger():
                yield Finding(trigger.path, Mark.NOTE, _events(trigger))
                yield from _counted(world, policy, trigger, name, guest, now)
                yield from _opened(world, trigger, name, guest)
            case StateTrigger():
                yield _state(world, trigger, name, guest, now)
            case ScheduleTrigger():
                yield Finding(trigger.path, Mark.NOTE, _schedule(trigger))
            case MessageTrigger(topic):
                yield Finding(trigger.path, Mark.NOTE, f"it waits for messages on {topic}")


def _events(trigger: EventTrigger) -> str:
    text = f"it waits for {' or '.join(trigger.events)}"
    if trigger.where is not None:
        text += f" where `{trigger.where.source}`"
    if trigger.within is not None:
        text += f", {trigger.count} of them within {render_duration(trigger.within)}"
    if trigger.sequel is not None:
        word = "not followed by" if trigger.sequel.absent else "followed by"
        events = " or ".join(trigger.sequel.match.events)
        text += f", {word} {events} within {render_duration(trigger.sequel.within)}"
    return text


def _counted(  # noqa: PLR0913, PLR0917 - where one window is
    world: World, policy: Policy, trigger: EventTrigger, name: str, guest: Guest, now: float
) -> Iterator[Finding]:
    if trigger.within is None:
        return
    shown = 0
    for place, window in world.triggers.windows.of(policy.name).items():
        whose, of, key = place_of(place)
        times = [at for at in window.times if at > now - trigger.within]
        if (whose, of) != (name, guest.name) or not times or shown == KEYS_SHOWN:
            continue
        shown += 1
        text = f"{len(times)} of {trigger.count} came{_key(key, guest)}"
        until = times[0] + trigger.within
        text = f"{text}; the oldest counts until {render_time(until)}"
        yield Finding(trigger.path, Mark.NOTE, text, until)


def _opened(world: World, trigger: EventTrigger, name: str, guest: Guest) -> Iterator[Finding]:
    if trigger.sequel is None:
        return
    rows = list(world.triggers.sequels.of(name, guest.name).values())
    for row in rows[:KEYS_SHOWN]:
        came = f"{row.event.name} came at {render_time(row.opened)}{_key(row.key, guest)}"
        end = render_time(row.until)
        text = f"{came}; it starts a run at {end} unless the second event comes before"
        if not trigger.sequel.absent:
            text = f"{came}; the second event must come before {end}"
        yield Finding(trigger.path, Mark.NOTE, text, row.until)


def _state(world: World, trigger: StateTrigger, name: str, guest: Guest, now: float) -> Finding:
    scope = scopes.state_scope(world, guest)
    answer, source = trigger.holds.holds(scope), trigger.holds.source
    values = trigger.holds.values(scope)
    if not answer.truth:
        return Finding(
            trigger.path, Mark.NOTE, f"`{source}` is false now: {answer.reason}", None, values
        )
    watched = world.triggers.states.get(guest.name)
    lasting = None if watched is None else watched.triggers.get(name)
    text = f"`{source}` holds"
    if lasting is None or lasting.since is None:
        return Finding(trigger.path, Mark.NOTE, text, None, values)
    text += f" since {render_time(lasting.since)}"
    if lasting.fired:
        text += "; it has started its run, and starts none until it was false"
        return Finding(trigger.path, Mark.NOTE, text, None, values)
    until = lasting.since + trigger.seconds
    if until > now:
        text += f"; it starts a run at {render_time(until)}"
    return Finding(trigger.path, Mark.NOTE, text, until, values)


def _schedule(trigger: ScheduleTrigger) -> str:
    if trigger.every is not None:
        return f"it is due every {render_duration(trigger.every)}"
    return f"it is due at `{trigger.cron}` in {trigger.timezone}"


def _key(key: str, guest: Guest) -> str:
    return "" if key == guest.name else f" for the key {key}"
