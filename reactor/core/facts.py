"""Asking a guest afresh: its status, its dump, its migration."""

from collections.abc import Iterable, Mapping

from reactor.core.catalog import DISCONNECTED
from reactor.core.effect import AskFree, Execute
from reactor.core.guest import Guest
from reactor.core.inputs import Answered
from reactor.core.resync import leaves_a_state
from reactor.core.run import Phase, Run
from reactor.core.world import World

POLL = 0.25
"""Seconds between two looks at a status that somebody waits on."""

QUERY_LIMIT = 10.0
"""Seconds QEMU has to answer a query."""

ASK_AGAIN = 2.0
"""Seconds after which a QEMU that gave no status is asked again, whether somebody waits or not."""

UNKNOWN = "status"
"""The kind of the timer of a guest that is connected and of whom no status is known."""

LOOK = "look"
"""The kind of the timer of a guest that did not answer when it was looked at anew."""

LOST_AFTER = 5.0
"""Seconds after which a monitor that closed without a SHUTDOWN counts as lost."""

SETTLE_AFTER_RESTART = 30.0
"""Seconds a run that was open at a restart waits for its guest's monitor."""

FREE = "free "
"""How the fact of the room at a path begins."""

QUERIES = {"status": "query-status", "dump": "query-dump", "migrating": "query-migrate"}

_MIGRATING = frozenset(
    "setup cancelling active postcopy-active postcopy-paused postcopy-recover "
    "postcopy-recover-setup pre-switchover device wait-unplug colo".split()
)


def fresh_facts(world: World, run: Run, needed: frozenset[str]) -> bool:
    """Whether these facts were just asked; if not they are asked now, and the run waits.

    A monitor that is away has nothing to answer: its guest is ``disconnected``,
    which is a fact too. It is given a moment to come back, after a restart of the daemon
    a longer one: who just panicked must not be taken for away.
    ``free PATH`` is a fact of the host.
    """
    cursor, guest = run.cursor, world.guest_of(run)
    missing = needed.difference(cursor.fresh)
    if not missing:
        cursor.fresh = ()
        return True
    if any(purpose in QUERIES or purpose.startswith(FREE) for purpose in cursor.pending.values()):
        return False
    of_guest, of_host = sorted(missing & QUERIES.keys()), sorted(missing - QUERIES.keys())
    if not guest.connected:
        if of_guest and not _is_away(world, run, guest):
            return False
        of_guest = []
    elif guest.is_storage_daemon:
        of_guest = []
    _ask(world, run, of_guest, of_host)
    if of_guest or of_host:
        return False
    cursor.fresh = ()
    return True


UNHEARD = "QEMU does not answer, and its monitor is there"
"""Why a condition cannot be decided."""


def decided_blind(world: World, run: Run, needed: frozenset[str]) -> None:
    """A condition that needs these facts was false while the guest's monitor was away.

    So nobody has seen to the event of the run. Where the guest still stands at the next connect
    as the event left it, it is told again.
    """
    guest, event = world.guest_of(run), run.origin.event
    asked = not needed.isdisjoint(QUERIES)
    if asked and not guest.connected and run.epoch == guest.epoch and leaves_a_state(event):
        guest.again = event.name
        world.keep_guest(guest)


def is_unheard(guest: Guest, needed: frozenset[str]) -> bool:
    """Whether the guest was asked for one of these and gave no answer, although it is connected."""
    asked = not needed.isdisjoint(QUERIES)
    return asked and guest.connected and guest.status == DISCONNECTED


def known_facts(world: World, run: Run, needed: frozenset[str]) -> bool:
    """As ``fresh_facts``, for a condition that acts upon them: a QEMU that hangs is waited for.

    Its guest is not away, and whatever a condition said of a guest in ``disconnected`` would
    be a guess. The bound is that of the step and the run. Handlers do not wait: people must be
    told, even when a detail is missing.
    """
    cursor, guest = run.cursor, world.guest_of(run)
    if run.phase is Phase.HANDLING:
        return fresh_facts(world, run, needed)
    if not fresh_facts(world, run, needed):
        return False
    if not is_unheard(guest, needed):
        cursor.unheard = None
        return True
    if cursor.unheard is None:
        cursor.unheard = world.now
        path = "if" if run.phase is Phase.CHECKING else world.options_of(run).path
        world.trace(run, path, "waiting", UNHEARD)
    cursor.pause = cursor.wake = world.now + POLL
    world.touch(run)
    return False


def _ask(world: World, run: Run, of_guest: Iterable[str], of_host: Iterable[str]) -> None:
    for fact in of_guest:
        deadline = world.now + QUERY_LIMIT
        query = Execute(
            run.new_id(), run.guest, QUERIES[fact], {}, deadline, changes=False, run=run.story
        )
        world.ask(run, query, fact)
    for fact in of_host:
        world.ask(run, AskFree(run.new_id(), fact.removeprefix(FREE)), fact)
    world.touch(run)


def ask_fact(world: World, guest: Guest, fact: str) -> str:
    """Ask for a fact on nobody's behalf but the guest's; its answer has the id that is given."""
    world.questions += 1
    question = f"q-{world.questions}"
    world.asked[question] = guest.name
    if fact.startswith(FREE):
        world.emit(AskFree(question, fact.removeprefix(FREE)))
    else:
        deadline = world.now + QUERY_LIMIT
        world.emit(Execute(question, guest.name, QUERIES[fact], {}, deadline, changes=False))
    return question


def _is_away(world: World, run: Run, guest: Guest) -> bool:
    """Whether it is time to go on without the monitor."""
    if guest.awaited_until is not None and world.now < guest.awaited_until:
        run.cursor.wake = guest.awaited_until
        return False
    return True


def may_be_asked_again(world: World, run: Run, purpose: str, answer: Answered) -> bool:
    """Whether a query went down with its connection, and the guest is not given up yet."""
    if purpose not in QUERIES or not (answer.lost or answer.unsent):
        return False
    guest = world.guest_of(run)
    if answer.unsent and guest.connected and guest.awaited_until is None:
        # The connection is over, and the word of it is still on its way.
        guest.awaited_until = world.now + LOST_AFTER
    return guest.awaited_until is not None and world.now < guest.awaited_until


def take_room(world: World, fact: str, answer: Answered) -> None:
    """Write down how much is free, or why the host could not say."""
    why = answer.error.description if answer.error else answer.lost or answer.unsent
    room = answer.result
    world.free[fact.removeprefix(FREE)] = room if isinstance(room, int) else why


def take_fact(world: World, guest: Guest, fact: str, answer: Answered) -> None:
    """Write down what a query answered; an error means that this QEMU has no such fact."""
    if not guest.connected:
        return  # an answer that was on its way when the monitor went
    if answer.lost or answer.unsent:
        # QEMU answers in order: if one query is lost, the status is not known either.
        world.set_status(guest, DISCONNECTED)
        world.timers.set(f"{UNKNOWN} {guest.name}", world.now + ASK_AGAIN)
        return
    result = answer.result if isinstance(answer.result, Mapping) else {}
    word = str(result.get("status", ""))
    if fact == "dump":
        world.set_dump(guest, word)
    elif fact == "migrating":
        world.set_migration(guest, word, migrating=word in _MIGRATING)
    elif word:
        if (guest.seen or guest.moved) and guest.look is None:
            guest.seen = guest.moved = ""
            world.keep_guest(guest)
        world.set_status(guest, word)
