"""What reactor did to a guest, kept over a restart: its late effects are no news then, either."""

from collections.abc import Mapping

import msgspec

from reactor.core import catalog
from reactor.core.guest import Guest, OwnActions
from reactor.core.run import Run
from reactor.core.world import World

KIND = "own"
"""Under which it is kept, by guest."""

NAMES_MAX = 1000
"""Jobs and devices of one guest that are remembered, the latest."""


class KeptOwn(msgspec.Struct, frozen=True, omit_defaults=True):
    """What of ``OwnActions`` outlives the step; what its holder has sent, the run knows."""

    reset_sent: float | None = None
    reset_seen: float | None = None
    dumping: bool = False
    jobs: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()


_NOTHING = KeptOwn()


def begun(world: World, run: Run, command: str, arguments: Mapping[str, object]) -> None:
    """A command is about to be sent: what it brings about is ours."""
    guest = world.guest_of(run)
    own, before = guest.own, _kept(guest)
    own.holder_sent = own.holder_sent or catalog.moves_guest(command)
    if command == "system_reset":
        own.reset_sent = world.now
    if command == "dump-guest-memory":
        own.dumping = True
    if command == "device_del":
        remember(own.deleted, str(arguments.get("id")))
    job = arguments.get("job-id")
    if isinstance(job, str):
        remember(own.jobs, job)
    _keep(world, guest, before)


def undone(world: World, run: Run, command: str) -> None:
    """It was not done after all."""
    guest = world.guest_of(run)
    before = _kept(guest)
    if command == "system_reset":
        guest.own.reset_sent = None
    if command == "dump-guest-memory":
        guest.own.dumping = False
    _keep(world, guest, before)


def dump_over(world: World, guest: Guest) -> None:
    """No dump of ours runs any more."""
    if guest.own.dumping:
        before = _kept(guest)
        guest.own.dumping = False
        _keep(world, guest, before)


def reset_came(world: World, guest: Guest) -> None:
    """A RESET that a command made was seen."""
    before = _kept(guest)
    guest.own.reset_seen = world.now
    _keep(world, guest, before)


def another_qemu(world: World, guest: Guest) -> None:
    """What was done to the one before is over."""
    before = _kept(guest)
    guest.own = OwnActions()
    _keep(world, guest, before)


def known_again(world: World, guest: Guest) -> None:
    """A guest that was forgotten is named once more."""
    _keep(world, guest, _NOTHING)


def forget(world: World, guest: Guest) -> None:
    """Nobody names the guest any more."""
    if _kept(guest) != _NOTHING:
        world.keep(KIND, guest.name, None)


def rows(guest: Guest) -> list[tuple[str, str, object]]:
    """All that is kept of a guest: kind, key, value."""
    kept = _kept(guest)
    return [] if guest.forgotten or kept == _NOTHING else [(KIND, guest.name, kept)]


def restored(world: World, name: str, value: bytes) -> None:
    """Take up what an earlier life did."""
    guest, kept = world.guests.get(name), msgspec.json.decode(value, type=KeptOwn)
    if guest is None:
        world.keep(KIND, name, None)
        return
    own = guest.own
    own.reset_sent, own.reset_seen, own.dumping = kept.reset_sent, kept.reset_seen, kept.dumping
    remember(own.jobs, *kept.jobs)
    remember(own.deleted, *kept.deleted)


def remember(names: list[str], *more: str) -> None:
    """Add these names to the others; the oldest are forgotten."""
    names.extend(more)
    del names[:-NAMES_MAX]


def _kept(guest: Guest) -> KeptOwn:
    own = guest.own
    return KeptOwn(own.reset_sent, own.reset_seen, own.dumping, tuple(own.jobs), tuple(own.deleted))


def _keep(world: World, guest: Guest, before: KeptOwn) -> None:
    after = _kept(guest)
    if after != before and not guest.forgotten:
        world.keep(KIND, guest.name, None if after == _NOTHING else after)
