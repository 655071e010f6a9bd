"""What triggers remember, over connects, reloads and restarts: each kind by its own module."""

from dataclasses import dataclass, field

from reactor.core import counting, lasting, renames, schedules, sequels
from reactor.core.facts import SETTLE_AFTER_RESTART
from reactor.core.guest import Guest
from reactor.core.world import World

KINDS = frozenset(
    {counting.KIND, sequels.KIND, lasting.KIND, schedules.KIND, schedules.LAST, renames.KIND}
)
"""The kinds of kept state, and of timers, that belong to triggers."""


def due(world: World, kind: str, name: str) -> None:
    """A timer of a trigger is due."""
    match kind:
        case counting.KIND:
            counting.over(world, name)
        case sequels.KIND:
            sequels.over(world, name)
        case lasting.KIND:
            lasting.over(world, name)
        case schedules.KIND:
            schedules.over(world, name)
        case _:
            renames.over(world, name)


def connected(world: World, guest: Guest) -> None:
    """A monitor is ready; its facts are fresh."""
    sequels.connected(world, guest.name)
    schedules.connected(world, guest.name)
    lasting.connected(world, guest)


def disconnected(world: World, guest: Guest) -> None:
    """The monitor went away: clocks of what was opened go on, those of states do not."""
    lasting.disconnected(world, guest.name)


def selected_anew(world: World, guest: Guest) -> None:
    """Other policies may select the guest: by its labels, or after a reload."""
    lasting.adopt(world, guest)
    lasting.look(world, guest)


def loaded(world: World) -> None:
    """Other policies are loaded: what belongs to none of their triggers goes."""
    counting.forget(world)
    sequels.forget(world)
    schedules.forget(world)
    for guest in world.guests.values():
        selected_anew(world, guest)


def forget_guest(world: World, guest: str) -> None:
    """Nobody names the guest any more."""
    counting.forget(world, guest=guest)
    sequels.forget(world, guest=guest)
    schedules.forget(world, guest=guest)
    lasting.forget(world, guest)
    world.triggers.moved.pop(guest, None)


def rows(world: World) -> list[tuple[str, str, object]]:
    """All that is kept for triggers: kind, key, value."""
    return [
        *counting.rows(world),
        *sequels.rows(world),
        *lasting.rows(world),
        *schedules.rows(world),
        *renames.rows(world),
    ]


@dataclass(slots=True)
class KeptRows:
    """Rows of an earlier life, by kind."""

    found: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)

    def add(self, kind: str, key: str, value: bytes) -> None:
        """Take a row in."""
        self.found.setdefault(kind, []).append((key, value))

    def restore(self, world: World) -> None:
        """Take all of them up, once the guests are known."""
        world.triggers.settled = world.now + SETTLE_AFTER_RESTART
        found = self.found
        counting.restored(world, found.get(counting.KIND, []))
        sequels.restored(world, [value for _, value in found.get(sequels.KIND, [])])
        for key, _ in found.get(lasting.KIND, []):
            lasting.restored(world, key)
        schedules.restored(world, [value for _, value in found.get(schedules.KIND, [])])
        for name, value in found.get(schedules.LAST, []):
            schedules.last_restored(world, name, value)
        renames.restored(world, found.get(renames.KIND, []))
