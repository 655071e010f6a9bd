"""Events that were missed: what must have happened while no monitor was connected.

QEMU keeps no events. At a connect the guest's state is compared with the stored
snapshot, and what the difference proves is made up for; what leaves no trace in
any query (QUORUM_*, MEMORY_FAILURE, ...) is gone.
"""

from collections.abc import Iterator, Mapping

from reactor.core.event import Event
from reactor.core.guards import AFTER_RESET, STOPPED_FOR_GOOD
from reactor.core.guest import Guest
from reactor.core.inputs import Facts

RUNNING = "running"

_PROVED: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "guest-panicked": ("GUEST_PANICKED", {"action": "pause"}),
    "io-error": ("BLOCK_IO_ERROR", {"action": "stop"}),
    "watchdog": ("WATCHDOG", {"action": "pause"}),
    "suspended": ("SUSPEND", {}),
    "postmigrate": ("MIGRATION", {"status": "completed"}),
    STOPPED_FOR_GOOD: ("SHUTDOWN", {}),
}
"""What a state proves to have happened, with all that it proves of the data.

Source: measured on QEMU 7.2; the run states of qapi/run-state.json.
"""

_BY_NAME = dict(_PROVED.values())

STATE_EVENTS = frozenset(_BY_NAME)
"""The events that can leave a guest in a state of theirs."""

_GOES_ON = frozenset({RUNNING, "save-vm", "restore-vm", "finish-migrate", "inmigrate", "colo"})
"""States in which a guest runs, or stands still for a moment that QEMU ends by itself."""


def missed(guest: Guest, facts: Facts, epoch: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The events, as name and data, that led from the stored snapshot to these facts.

    A guest that nobody has seen before, and another QEMU, count as running until now.
    """
    if facts.kind != "vm":
        return
    same = guest.epoch == epoch
    if same:
        yield from dump_missed(guest.facts.dump, facts.dump)
    yield from status_missed(guest, facts.status, same=same)


def dump_missed(before: str, after: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The end of a dump that led from the one answer of ``query-dump`` to the other."""
    if _dump_has_ended(before, after):
        yield "DUMP_COMPLETED", {"result": {"status": after}}


def status_missed(
    guest: Guest, after: str, *, same: bool
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The events that led from the state of which was told to this one.

    ``same``: it is the QEMU of before.
    """
    before = guest.moved or guest.facts.status if same else RUNNING
    if before != after:
        if same and (after == AFTER_RESET or before == STOPPED_FOR_GOOD):
            yield "RESET", {}
        # What another QEMU was in is no news of this one.
        seen = guest.seen if same and guest.seen != guest.again else ""
        yield from _moved(before, after, seen)
    elif same and guest.again and _PROVED.get(after, ("", {}))[0] == guest.again:
        yield _PROVED[after]


def _dump_has_ended(before: str, after: str) -> bool:
    """Whether a DUMP_COMPLETED came that nobody has heard.

    A dump that could not begin is `failed` too, and sends none.
    """
    if before == "active":
        return after in {"completed", "failed"}
    return bool(before) and before != after == "completed"


def _moved(before: str, after: str, seen: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    name, data = _PROVED.get(after, ("", {}))
    if name and name != seen:
        yield name, data
    if before in _GOES_ON and after not in _GOES_ON and after != AFTER_RESET:
        yield "STOP", {}
    elif after == RUNNING and before not in _GOES_ON:
        yield "RESUME", {}


def moved_to(guest: Guest, event: Event) -> str:
    """The state that the guest was in at this event, should it still stand still as it did.

    Else a guest that was reset, let go and panicked again, before anybody asked for its
    status in between, would seem to have stood still all the time.
    """
    if event.foretold:
        return guest.moved  # the status was asked behind it
    if event.name == "RESUME":
        return RUNNING
    if event.name == "RESET" and (guest.moved or guest.facts.status) not in _GOES_ON:
        return AFTER_RESET
    return guest.moved


def leaves_a_state(event: Event) -> bool:
    """Whether a later connect would take the state that this event leaves for a missed one."""
    proved = _BY_NAME.get(event.name)
    return proved is not None and all(event.data.get(name) == proved[name] for name in proved)
