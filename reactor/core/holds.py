"""Silences, holds and inhibitions: who may not begin now, and when that ends."""

import msgspec

from reactor.core.admission import Decision, Verdict
from reactor.core.by_hand import only_reads
from reactor.core.guest import Readiness
from reactor.core.restraints import Hold, Inhibition, Silence
from reactor.core.run import Phase, Run
from reactor.core.text import render_time
from reactor.core.world import World

RESTRAINTS_MAX = 10_000
"""Silences, holds and inhibitions there may be at a time, of each."""


def held(world: World, guest: str) -> str:
    """Who holds the guest, until when and why, as a sentence; empty when nobody does.

    A step that changes the guest waits while there is one, and is woken at the end.
    """
    hold = world.restraints.hold(guest, world.now)
    return "" if hold is None else hold_sentence(hold)


def hold_sentence(hold: Hold) -> str:
    """``all guests are held by anna until 2026-01-31T12:00:00Z: maintenance``."""
    whom = f"{hold.guest} is" if hold.guest else "all guests are"
    until = "it is released" if hold.until is None else render_time(hold.until)
    if not hold.guest and hold.until is None:
        until = "they are released"
    return f"{whom} held by {hold.who} until {until}{_comment(hold.comment)}"


def silence_sentence(silence: Silence) -> str:
    """``silence s-1 by anna until 2026-01-31T12:00:00Z: maintenance``."""
    until = render_time(silence.until)
    return f"silence {silence.id} by {silence.who} until {until}{_comment(silence.comment)}"


def _comment(comment: str) -> str:
    return f": {comment}" if comment else ""


def restraint(world: World, policy: str, guest: str) -> Decision | None:
    """Why no run of the policy may begin on the guest now: silence, hold, inhibition."""
    if only_reads(policy):
        return None
    restraints = world.restraints
    silence = restraints.silence(policy, guest, world.now)
    if silence is not None:
        return Decision(Verdict.SILENCED, silence_sentence(silence), path="silence")
    if reason := held(world, guest):
        return Decision(Verdict.HELD, reason, path="hold")
    row = restraints.inhibition(policy, guest, world.now)
    if row is not None:
        until = render_time(row.until)
        reason = f"by {row.by} (run {row.run}) until {until}, as one of `{row.policies}`"
        return Decision(Verdict.INHIBITED, reason, path="inhibit")
    return None


def inhibit(world: World, run: Run, policies: tuple[str, ...], seconds: float) -> str:
    """Refuse new runs of these policies (globs) on the run's guest for so long, never its own.

    Returns why it cannot be done, for the step to fail with; empty when it is done.
    """
    for glob in policies:
        row = Inhibition(run.guest, glob, run.policy, run.story, world.now + seconds)
        known = world.restraints.inhibitions
        if row.key not in known and len(known) >= RESTRAINTS_MAX:
            return f"{RESTRAINTS_MAX} inhibitions stand already"
        if world.restraints.inhibit(row):
            world.keep("inhibition", row.key, row)
            world.timers.set(f"inhibition {row.key}", row.until)
    return ""


def over(world: World, kind: str, key: str) -> None:
    """The time of a silence, hold or inhibition is up."""
    if kind == "silence":
        silence_over(world, key)
    elif kind == "hold":
        hold_over(world, key)
    else:
        inhibition_over(world, key)


def add_silence(world: World, silence: Silence) -> None:
    """Let a silence stand until its end; its ``id`` is new."""
    world.restraints.silences[silence.id] = silence
    world.keep("silence", silence.id, silence)
    world.timers.set(f"silence {silence.id}", silence.until)


def silence_over(world: World, name: str) -> None:
    """The silence expired, or was taken back."""
    del world.restraints.silences[name]
    world.keep("silence", name, None)
    world.timers.set(f"silence {name}", None)


def add_hold(world: World, hold: Hold) -> None:
    """Hold one guest or all, in place of an earlier hold of the same."""
    world.restraints.holds[hold.guest] = hold
    world.keep("hold", hold.guest, hold)
    world.timers.set(f"hold {hold.guest}", hold.until)


def hold_over(world: World, name: str) -> None:
    """The hold of a guest, or of all, ended: whoever waited for that goes on."""
    del world.restraints.holds[name]
    world.keep("hold", name, None)
    world.timers.set(f"hold {name}", None)
    names = [name] if name else list(world.guests)
    for guest in filter(None, map(world.guests.get, names)):
        if any(arming.state is Readiness.NOT_READY for arming in guest.arming.values()):
            world.timers.set(f"arm {guest.name}", world.now)
    under_way = {Phase.RUNNING, Phase.HANDLING}
    for run in world.runs.values():
        if run.phase in under_way and name in {run.guest, ""}:
            world.wakeups.append(run.id)


def inhibition_over(world: World, key: str) -> None:
    """The time of an inhibition is up, or an operator ended it."""
    world.restraints.uninhibit(key)
    world.keep("inhibition", key, None)
    world.timers.set(f"inhibition {key}", None)


def restraint_restored(world: World, kind: str, value: bytes) -> None:
    """Take up a silence, hold or inhibition that an earlier life kept."""
    restraints = world.restraints
    if kind == "silence":
        silence = msgspec.json.decode(value, type=Silence)
        restraints.silences[silence.id] = silence
        world.timers.set(f"silence {silence.id}", silence.until)
    elif kind == "hold":
        hold = msgspec.json.decode(value, type=Hold)
        restraints.holds[hold.guest] = hold
        world.timers.set(f"hold {hold.guest}", hold.until)
    else:
        row = msgspec.json.decode(value, type=Inhibition)
        restraints.inhibit(row)
        world.timers.set(f"inhibition {row.key}", row.until)
