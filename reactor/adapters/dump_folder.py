"""The folder of memory dumps as files: each dump of ours has a card beside it that says so.

A card is a small hidden file, ``.NAME.reactor`` beside ``NAME``, written before QEMU is asked for
the dump. What has no card was not made by us, and is never touched.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from reactor.core.foreign import UNREADABLE

SUFFIX = ".reactor"
CARD_MAX_BYTES = 64 << 10
CARDS_MAX = 100_000
"""Cards that are looked at; a folder with more is left alone beyond them."""

FORMATS = {
    b"\x7fELF": "elf",
    b"KDUMP   ": "kdump",
    b"makedumpfile": "kdump (flattened)",
    b"PAGEDUMP": "windows",
    b"PAGEDU64": "windows",
}


class Card(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a dump; times are seconds since the epoch.

    ``done`` is when it was whole, None before. ``estimate_bytes`` is what it may need at most.
    """

    guest: str
    run: str
    policy: str
    asked: float
    estimate_bytes: int = 0
    done: float | None = None


class Found(NamedTuple):
    """A dump of ours: ``size_bytes`` on the disk, 0 where QEMU has not made it (``exists``).

    ``changed`` is when it was written to last.
    """

    path: Path
    card: Card
    exists: bool
    size_bytes: int
    changed: float


def card_of(path: Path) -> Path:
    """Where the card of a dump is."""
    return path.with_name(f".{path.name}{SUFFIX}")


def write_card(path: Path, card: Card) -> None:
    """The card says this, whole or not at all, also after a power cut.

    Raises:
        OSError: it cannot be written.
    """
    target = card_of(path)
    part = target.with_name(f"{target.name}.new")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(handle, msgspec.json.encode(card))
        os.fsync(handle)
    finally:
        os.close(handle)
    part.rename(target)


def scan(folder: Path) -> list[Found]:
    """All dumps of ours in the folder and below, the oldest first; cards of others are left out."""
    found = []
    for number, file in enumerate(_cards(folder)):
        if number >= CARDS_MAX:
            break
        card = _read_card(file)
        if card is not None:
            path = file.with_name(file.name[1 : -len(SUFFIX)])
            found.append(_looked_at(path, card))
    return sorted(found, key=lambda one: (one.card.done or one.card.asked, str(one.path)))


def others(folder: Path) -> int:
    """How many files there are that we did not make."""
    ours = {found.path for found in scan(folder)}
    return sum(
        not name.endswith((SUFFIX, f"{SUFFIX}.new")) and Path(place, name) not in ours
        for place, _, names in os.walk(folder)
        for name in names
    )


def hidden_card(folder: Path) -> Path | None:
    """A card that this user may not read, so that a dump of ours looks like somebody else's."""
    return next((card for card in _cards(folder) if _is_hidden(card)), None)


def _is_hidden(card: Path) -> bool:
    try:
        is_plain = stat.S_ISREG(os.lstat(card).st_mode)
    except OSError:  # it is gone meanwhile
        return False
    return is_plain and not os.access(card, os.R_OK, effective_ids=True)


def remove(found: Found) -> None:
    """The dump is gone, and then its card; anything but a plain file stays, with its card.

    Raises:
        OSError: it cannot be removed.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.lstat(found.path).st_mode):
            return
        found.path.unlink()
    card_of(found.path).unlink(missing_ok=True)


def format_of(path: Path) -> str:
    """What kind of dump it is, by its first bytes; empty where they cannot be read or told."""
    try:
        with path.open("rb") as file:
            start = file.read(12)
    except OSError:
        return ""
    return next((name for magic, name in FORMATS.items() if start.startswith(magic)), "")


def _cards(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        for name in names:
            if name.startswith(".") and name.endswith(SUFFIX):
                yield Path(place, name)


def _read_card(file: Path) -> Card | None:
    try:
        if not stat.S_ISREG(os.lstat(file).st_mode):
            return None
        with file.open("rb") as stream:
            return msgspec.json.decode(stream.read(CARD_MAX_BYTES), type=Card)
    except (OSError, *UNREADABLE):
        return None


def _looked_at(path: Path, card: Card) -> Found:
    try:
        status = os.lstat(path)
    except OSError:
        return Found(path, card, exists=False, size_bytes=0, changed=card.asked)
    # Not st_size: a dump may have holes.
    return Found(
        path, card, exists=True, size_bytes=status.st_blocks * 512, changed=status.st_mtime
    )
