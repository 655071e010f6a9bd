"""Which dumps may stay: quota, age, room on the disk. Decided from lists, without any file."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from reactor.adapters.dump_folder import Found
from reactor.app.settings import DumpsSettings
from reactor.core.text import render_duration, render_size

MARGIN = 1.1
"""A dump may need the guest's memory and a tenth of it: headers, page tables, the file system."""

QUIET_S = 600.0
"""Seconds without a write after which QEMU does not write to a dump any more."""


class Removal(NamedTuple):
    """A dump that is to go, and the sentence why."""

    found: Found
    reason: str


class Judged(NamedTuple):
    """Why a dump must not be begun (empty: it may), and what is to go before it."""

    problem: str
    removals: Sequence[Removal] = ()


def estimate(memory_bytes: int) -> int:
    """Bytes that a dump of that much memory may need."""
    return int(memory_bytes * MARGIN)


def needed(found: Found) -> int:
    """Bytes that the dump needs, or may need before it is whole."""
    if found.card.done is None:
        return max(found.size_bytes, found.card.estimate_bytes)
    return found.size_bytes


def surplus(
    dumps: Sequence[Found], settings: DumpsSettings, now: float, is_open: Callable[[str], bool]
) -> list[Removal]:
    """The dumps that are to go now, by age and then by the quota, the oldest first.

    Never the newest whole one of a guest, and never that of an open run.
    """
    gone = list(_too_old(dumps, settings, now, is_open))
    left = [each for each in dumps if each not in {one.found for one in gone}]
    if settings.quota is not None:
        gone += _until(left, settings.quota, settings.quota, is_open)
    return gone


def partial(
    dumps: Sequence[Found], now: float, is_open: Callable[[str], bool]
) -> Iterator[Removal]:
    """Dumps that never were whole, or are gone: their run is over, and QEMU writes no more."""
    for each in dumps:
        if (each.card.done is not None and each.exists) or is_open(each.card.run):
            continue
        if now - each.changed >= QUIET_S:
            yield Removal(each, "its run ended without seeing it whole")


def judge(
    dumps: Sequence[Found],
    settings: DumpsSettings,
    memory_bytes: int,
    free_bytes: int,
    is_open: Callable[[str], bool],
) -> Judged:
    """Whether a dump of a guest with so much memory may be begun, and what must go for it.

    Args:
        memory_bytes: 0 where it is not known; only what is there already counts then.
        free_bytes: what the file system has left.
    """
    size = estimate(memory_bytes)
    removals: list[Removal] = []
    if settings.quota is not None:
        most = settings.quota - size
        removals = _until(dumps, most, settings.quota, is_open)
        left = sum(map(needed, dumps)) - sum(needed(one.found) for one in removals)
        if left > most:
            return Judged(
                f"a dump of about {render_size(size)} does not fit into dumps.quota "
                f"({render_size(settings.quota)}): {render_size(left)} must stay"
            )
    # What other dumps are about to write is spoken for.
    promised = sum(needed(each) - each.size_bytes for each in dumps if each.card.done is None)
    after = free_bytes + sum(one.found.size_bytes for one in removals) - promised - size
    if settings.free is not None and after < settings.free:
        return Judged(
            f"a dump of about {render_size(size)} would leave {render_size(max(0, after))} free, "
            f"less than dumps.free ({render_size(settings.free)})"
        )
    return Judged("", removals)


def _ranks(dumps: Sequence[Found]) -> dict[Found, int]:
    """How many newer whole dumps of its guest each one has."""
    ranks: dict[Found, int] = {}
    seen: dict[str, int] = {}
    for each in reversed(dumps):
        if each.card.done is not None and each.exists:
            ranks[each] = seen.get(each.card.guest, 0)
            seen[each.card.guest] = ranks[each] + 1
    return ranks


def _too_old(
    dumps: Sequence[Found], settings: DumpsSettings, now: float, is_open: Callable[[str], bool]
) -> Iterator[Removal]:
    if settings.keep is None:
        return
    ranks = _ranks(dumps)
    for each in dumps:
        done = each.card.done
        if done is None or now - done <= settings.keep or is_open(each.card.run):
            continue
        if ranks.get(each, settings.keep_last) >= settings.keep_last:
            yield Removal(each, f"it is older than {render_duration(settings.keep)} (dumps.keep)")


def _until(
    dumps: Sequence[Found], most: int, quota: int, is_open: Callable[[str], bool]
) -> list[Removal]:
    """The oldest ones that must go so that the others need no more than ``most``."""
    total = sum(map(needed, dumps))
    ranks = _ranks(dumps)
    gone = []
    for each in dumps:
        if total <= most:
            break
        if ranks.get(each, 0) > 0 and not is_open(each.card.run):
            total -= needed(each)
            reason = f"the dumps would need more than {render_size(quota)} (dumps.quota)"
            gone.append(Removal(each, reason))
    return gone
