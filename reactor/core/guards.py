"""The run-state guard: whether a command may go to a guest in its present state.

Facts of QEMU 7.2 and 11.1.3 behind it: ``system_reset`` during or right after
the dump of a running guest aborts QEMU; during the dump of a stopped guest it
spoils the dump; ``cont`` is accepted on a panicked guest and after a migration,
and must not be.
"""

from dataclasses import dataclass
from enum import StrEnum

from reactor.core.catalog import DISCONNECTED

DUMP_PAUSE = 0.5
"""Seconds after a DUMP_COMPLETED before the next dump: QEMU 7.2 cleans up late."""


class Rule(StrEnum):
    """Which table of the contract applies."""

    DUMP = "guest: dump"
    RESET = "guest: reset"
    RESUME = "guest: resume"
    PAUSE = "guest: pause"
    SHUTDOWN = "guest: shutdown"
    REBOOT = "guest: reboot"
    START = "guest: start"
    DESTROY = "guest: destroy"
    INJECT_NMI = "guest: inject-nmi"
    RAW_RESET = "qmp: system_reset"
    RAW_CONT = "qmp: cont"


class Answer(StrEnum):
    """What the guard says."""

    ALLOW = "allowed"
    WAIT = "waiting"
    DONE = "nothing to do"
    REFUSE = "refused"


@dataclass(frozen=True, slots=True)
class Ruling:
    """The answer with the sentence that the operator reads."""

    answer: Answer
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GuestState:
    """What the guard looks at; ``dump_ended`` is when the last dump ended, or None."""

    status: str
    dump_active: bool
    migrating: bool
    dump_ended: float | None = None


PASS = Ruling(Answer.ALLOW)

FAULT_STATES = frozenset({"guest-panicked", "io-error", "watchdog", "internal-error"})
"""States in which a guest stands still without its owner's will: a reset lets it run."""

AFTER_RESET = "prelaunch"
"""What a reset makes of a guest that stood still."""

STOPPED_FOR_GOOD = "shutdown"
"""What ``-no-shutdown`` makes of a guest that shut down: only a reset leads out of it."""

_SAVING = frozenset({"save-vm", "restore-vm"})
_NO_RESET = frozenset({"inmigrate", "postmigrate", "finish-migrate", "colo", "shutdown"})
_CONT_STATES = frozenset({"paused", "prelaunch", "io-error", "watchdog"})


def facts_needed(rule: Rule) -> frozenset[str]:
    """Which queries the rule must have asked afresh: status, dump, migrating."""
    match rule:
        case Rule.DUMP | Rule.RESET:
            return frozenset({"status", "dump", "migrating"})
        case Rule.RESUME | Rule.START | Rule.RAW_RESET | Rule.RAW_CONT:
            return frozenset({"status", "dump"})
        case Rule.PAUSE | Rule.SHUTDOWN | Rule.REBOOT | Rule.DESTROY | Rule.INJECT_NMI:
            return frozenset({"status"})


def rule_on(  # noqa: C901 - one case for each kind
    rule: Rule, state: GuestState, now: float
) -> Ruling:
    """Whether the command of this rule may go out now, must wait, or must not."""
    if state.status == DISCONNECTED:
        return _away(rule)
    match rule:
        case Rule.DUMP:
            return _dump(state, now)
        case Rule.RESET:
            return _reset(state)
        case Rule.RESUME:
            return _resume(state)
        case Rule.PAUSE:
            return _pause(state)
        case Rule.SHUTDOWN | Rule.REBOOT:
            return _obeys(state)
        case Rule.START:
            return _start(state)
        case Rule.DESTROY | Rule.INJECT_NMI:
            return PASS
        case Rule.RAW_RESET:
            return _not_saving(state) or PASS
        case Rule.RAW_CONT:
            return _raw_cont(state)


def _away(rule: Rule) -> Ruling:
    if rule is Rule.START:
        return Ruling(Answer.REFUSE, "no QEMU answers: who runs it must start it")
    return Ruling(Answer.WAIT, "the monitor is away")


def _not_saving(state: GuestState) -> Ruling | None:
    if state.status in _SAVING:
        return Ruling(Answer.WAIT, f"the guest is in {state.status}")
    if state.dump_active:
        return Ruling(Answer.WAIT, "a dump is active")
    return None


def _dump(state: GuestState, now: float) -> Ruling:
    if state.status == "inmigrate":
        return Ruling(Answer.REFUSE, "a guest in inmigrate cannot be dumped")
    if saving := _not_saving(state):
        return saving
    if state.migrating:
        return Ruling(Answer.WAIT, "a migration is running")
    if state.dump_ended is not None and now < state.dump_ended + DUMP_PAUSE:
        return Ruling(Answer.WAIT, "the last dump ended less than 500 ms ago")
    return PASS


def _reset(state: GuestState) -> Ruling:
    if state.status in _NO_RESET:
        return Ruling(Answer.REFUSE, f"a guest in {state.status} must not be reset")
    if state.migrating:
        return Ruling(Answer.REFUSE, "a guest must not be reset while it migrates")
    return _not_saving(state) or PASS


def _resume(state: GuestState) -> Ruling:
    if state.status == "running":
        return Ruling(Answer.DONE, "the guest is running already")
    if saving := _not_saving(state):
        return saving
    if state.status in _CONT_STATES or state.status == "suspended":
        return PASS
    return Ruling(Answer.REFUSE, f"a guest in {state.status} must not be resumed")


def _pause(state: GuestState) -> Ruling:
    if state.status in _SAVING:
        return Ruling(Answer.WAIT, f"the guest is in {state.status}")
    if state.status != "running":
        return Ruling(Answer.DONE, f"the guest stands still already ({state.status})")
    return PASS


def _obeys(state: GuestState) -> Ruling:
    """A guest that stands still hears the power button, and cannot act."""
    if state.status in _SAVING:
        return Ruling(Answer.WAIT, f"the guest is in {state.status}")
    if state.status != "running":
        return Ruling(Answer.REFUSE, f"a guest in {state.status} cannot shut itself down")
    return PASS


def _start(state: GuestState) -> Ruling:
    if state.status == "running":
        return Ruling(Answer.DONE, "the guest is running already")
    if saving := _not_saving(state):
        return saving
    if state.status in {AFTER_RESET, STOPPED_FOR_GOOD}:
        return PASS
    return Ruling(Answer.REFUSE, f"a guest in {state.status} is not waiting to be started")


def _raw_cont(state: GuestState) -> Ruling:
    if state.status in {"guest-panicked", "postmigrate"}:
        return Ruling(Answer.REFUSE, f"cont must not be sent to a guest in {state.status}")
    return _not_saving(state) or PASS
