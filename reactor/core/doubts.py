"""A command in doubt: what is asked about it, and when it has been found out.

``find`` may be called again after any wake-up, as the operations are.
"""

from collections.abc import Iterable

from reactor.core import disk_probes
from reactor.core.catalog import DISCONNECTED
from reactor.core.cut_waits import is_asked_for
from reactor.core.effect import AskPath, Execute
from reactor.core.event import Event
from reactor.core.facts import POLL, QUERIES, QUERY_LIMIT, fresh_facts
from reactor.core.flow import NEXT, Failed, Flow
from reactor.core.guest import Guest
from reactor.core.hearing import judge, listen
from reactor.core.intent import Doubt, Intent, heard_with
from reactor.core.matching import meant
from reactor.core.ops import AwaitEvent, AwaitRule, Send
from reactor.core.owed import owes
from reactor.core.probes import Ask, Finding, Probe, Seen, Verdict
from reactor.core.run import Run
from reactor.core.waits import DUMP_OVER, may_still_come
from reactor.core.world import World

PROBE_LIMIT = 300.0
"""Seconds after which a command whose guest cannot be asked counts as unknown."""

PROBE_GRACE = 30.0
"""Seconds that a probe has, although a deadline of its step or run has passed."""

ANOTHER_QEMU = "QEMU was restarted since, what it is about is over"


def doubt(world: World, run: Run, why: str) -> None:
    """Nobody said what became of the run's command: it is to be found out."""
    run.cursor.doubt = Doubt(why, world.now, world.now)
    world.touch(run)


def begin_anew(doubt: Doubt, now: float) -> None:
    """Give it its whole time again: while the daemon was down nobody could be asked."""
    doubt.at = doubt.looked = now


def _look(doubt: Doubt, now: float) -> None:
    """Take out the time in which the engine stood still: the disk was full, the host slept."""
    gap = now - doubt.looked
    if gap >= PROBE_GRACE:
        doubt.at += gap
    doubt.looked = now


def reconnected(world: World, run: Run, gone_by: Iterable[Event]) -> None:
    """The guest's facts are as fresh as can be; of what was missed this is made up for."""
    if run.cursor.doubt is None:
        return
    run.cursor.doubt.cut = True
    run.cursor.fresh = tuple(sorted(QUERIES))
    for event in gone_by:
        listen(world, run, event)


def note(world: World, guest: Guest, event: Event) -> None:
    """Remember what an event says of the command that is in flight, for whoever may ask."""
    run = world.runs.get(guest.hand)
    if run is None or run.cursor.intent is None:
        return
    heard = heard_with(run.cursor.heard, event)
    if heard is not run.cursor.heard:
        run.cursor.heard = heard
        world.touch(run)


def find(world: World, run: Run, op: Send) -> Finding | None:
    """What became of the command; None while it must be asked or waited for."""
    cursor, guest, intent = run.cursor, world.guest_of(run), run.cursor.intent
    probe = disk_probes.ALL.get(intent.command) if intent is not None else None
    if intent is None or probe is None or cursor.doubt is None:
        return Finding(Verdict.UNKNOWN, "")
    _look(cursor.doubt, world.now)
    if (finding := _at_once(world, run, op, intent)) is not None:
        return finding
    if world.now >= (limit := _limit(world, run)):
        return Finding(Verdict.UNKNOWN, "nothing answered that could be asked about it")
    if not guest.connected:
        cursor.answer = None
        guest.watchers[run.id] = None
        # Early enough for a gap in the looking to mean something.
        cursor.wake = min(limit, world.now + PROBE_GRACE / 2)
        return None
    return _asked(world, run, intent, probe)


def _at_once(world: World, run: Run, op: Send, intent: Intent) -> Finding | None:
    """What is known without asking anybody."""
    guest = world.guest_of(run)
    caught = run.cursor.caught
    if caught is not None and not caught.synthetic and _rule(world, run, op) is not AwaitRule.USER:
        return Finding(Verdict.DONE, f"{caught.name} has come")
    if guest.connected and run.epoch and guest.epoch != run.epoch:
        if intent.command == "quit":
            return Finding(Verdict.DONE, "the QEMU that was told to is gone")
        return Finding(Verdict.DIFFERENT, ANOTHER_QEMU)
    if intent.command == "quit" and not guest.connected and guest.end_known:
        return Finding(Verdict.DONE, "QEMU is gone")
    return None


def _rule(world: World, run: Run, op: Send) -> AwaitRule:
    wait = _wait(world, run, op)
    return AwaitRule.USER if wait is None else wait.rule


def _wait(world: World, run: Run, op: Send) -> AwaitEvent | None:
    wait = None if op.await_pc is None else world.program_of(run).ops[op.await_pc]
    return wait if isinstance(wait, AwaitEvent) else None


def _limit(world: World, run: Run) -> float:
    """When the search is given up: with the time of step and run, but not at once.

    A guest that may have been reset, and would stand still for good, is worth the whole time.
    """
    cursor = run.cursor
    at = cursor.doubt.at if cursor.doubt is not None else 0.0
    if owes(world, run):
        return at + PROBE_LIMIT
    ends = [cursor.deadline, run.deadline, *(f.deadline for f in run.frames[run.base :])]
    latest = min(end for end in (*ends, at + PROBE_LIMIT) if end is not None)
    return max(latest, at + PROBE_GRACE)


def _asked(world: World, run: Run, intent: Intent, probe: Probe) -> Finding | None:
    """What the guest's facts, and the answer to one more question, say."""
    cursor, guest = run.cursor, world.guest_of(run)
    if "proof" in cursor.pending.values():
        return None
    proof, cursor.answer = cursor.answer, None
    if proof is not None and (proof.lost or proof.unsent):
        _look_again(world, run)
        return None
    if proof is None and not _fresh(world, run, probe):
        return None
    facts = guest.facts
    seen = Seen(
        intent,
        frozenset(cursor.heard),
        guest.status,
        facts.dump,
        facts.migration,
        cursor.target,
        proof,
    )
    answer = probe.decide(seen)
    if isinstance(answer, Ask):
        _ask(world, run, answer)
        return None
    if answer.goes_on:
        _look_again(world, run)
        return None
    return answer


def _fresh(world: World, run: Run, probe: Probe) -> bool:
    cursor, guest = run.cursor, world.guest_of(run)
    if cursor.pause is not None and world.now < cursor.pause:
        cursor.wake = cursor.pause
        return False
    if not fresh_facts(world, run, probe.facts):
        return False
    if probe.facts and guest.status == DISCONNECTED and not guest.is_storage_daemon:
        _look_again(world, run)
        return False
    return True


def _look_again(world: World, run: Run) -> None:
    cursor = run.cursor
    cursor.pause = cursor.wake = world.now + POLL
    world.guest_of(run).watchers[run.id] = None


def _ask(world: World, run: Run, ask: Ask) -> None:
    effect: AskPath | Execute
    if ask.command:
        deadline = world.now + QUERY_LIMIT
        effect = Execute(
            run.new_id(),
            run.guest,
            ask.command,
            ask.arguments,
            deadline,
            changes=False,
            run=run.story,
        )
    else:
        effect = AskPath(run.new_id(), run.cursor.target, size=True)
    world.ask(run, effect, "proof")
    world.touch(run)


def tell(world: World, run: Run, finding: Finding) -> None:
    """Write down what was found, with what it was found from."""
    cursor, guest, intent = run.cursor, world.guest_of(run), run.cursor.intent
    known = {
        "command": intent.command if intent is not None else "",
        "before": intent.status if intent is not None else "",
        "status": guest.status,
        "dump": guest.facts.dump,
        "migration": guest.facts.migration,
        "heard": list(cursor.heard),
        "doubt": cursor.doubt.why if cursor.doubt is not None else "",
    }
    values = {name: value for name, value in known.items() if value}
    sentence = f"{finding.verdict.value}: {finding.reason}"
    world.trace(run, world.options_of(run).path, "probed", sentence, values)


def done(world: World, run: Run, op: Send) -> Flow:
    """Go on behind a command that was done after all, with the event that it brought about."""
    cursor, guest = run.cursor, world.guest_of(run)
    intent, cut = cursor.intent, cursor.doubt is not None and cursor.doubt.cut
    cursor.result = {}
    wait = _wait(world, run, op)
    if wait is None or cursor.caught is not None or intent is None:
        return NEXT
    event = _brought_about(guest, intent)
    if event is not None and _awaited(world, run, wait, event):
        cursor.caught = event
        return NEXT
    cursor.cut = cut and is_asked_for(wait)
    if cut and not cursor.cut and not may_still_come(world, run, wait):
        names = ", ".join(wait.wait.events)
        reason = f"{op.command} was done, and the monitor was away while {names} was awaited"
        return Failed(reason, unknown=True)
    return NEXT


def _awaited(world: World, run: Run, wait: AwaitEvent, event: Event) -> bool:
    return meant(event, wait.wait.events) and judge(world, run, wait, event) is not None


def _brought_about(guest: Guest, intent: Intent) -> Event | None:
    """The event that a command which was done has certainly brought about."""
    name, data = "", dict[str, object]()
    match intent.command:
        case "dump-guest-memory":
            if guest.facts.dump in DUMP_OVER:
                name, data = "DUMP_COMPLETED", {"result": {"status": guest.facts.dump}}
        case "system_reset":
            name, data = "RESET", {"guest": False}
        case "cont":
            name = "RESUME"
        case "quit":
            name, data = "SHUTDOWN", {"guest": False}
        case "device_del":
            name, data = "DEVICE_DELETED", {"device": intent.subject}
        case _:
            pass
    return Event(name, guest.name, data, synthetic=True) if name else None
