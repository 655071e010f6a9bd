"""One look at the sockets that match: which guests there are, and what is in the way."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from reactor.adapters.qmp.pattern import Pattern
from reactor.errors import SettingsError


class Found(NamedTuple):
    """A socket, the guest's name in its path, and the pattern that it matches.

    ``real`` is the path with its links followed: what two paths to one socket share.
    """

    guest: str
    path: str
    pattern: str
    real: str


class Folder(NamedTuple):
    """A folder in which sockets can appear; one made anew is another one."""

    path: str
    device: int
    inode: int


Stamps = Mapping[Folder, int]
"""When each folder was changed last, as the system says: entries came or went."""


@dataclass(slots=True)
class Survey:
    """What a look found: guests by name, problems by a key that stays the same.

    ``stamps`` are from before the look, ``folders`` are those that can be watched.
    """

    stamps: Stamps
    found: dict[str, Found] = field(default_factory=dict)
    folders: frozenset[Folder] = frozenset()
    problems: dict[str, SettingsError] = field(default_factory=dict)


def survey(patterns: Sequence[Pattern], known: Mapping[str, Found], limit: int) -> Survey:
    """Look at everything that matches, in the order of the patterns and the paths.

    Of two sockets with one name the one in ``known`` stays, else the first
    wins. At most ``limit`` guests, those in ``known`` before others.
    """
    seen = Survey(stamps(patterns))
    seen.folders = frozenset(_listable(patterns, seen))
    candidates = list(_candidates(patterns, seen))
    present = set(candidates)
    kept = {guest: found for guest, found in known.items() if found in present}
    chosen: dict[str, Found] = dict(kept)
    for candidate in candidates:
        winner = chosen.get(candidate.guest)
        if winner is None and len(chosen) < limit:
            chosen[candidate.guest] = candidate
        elif winner is None:
            seen.problems["limit"] = _too_many(candidate, limit)
        elif winner.path != candidate.path:
            seen.problems[candidate.path] = _twin(candidate, winner)
    seen.found = chosen
    return seen


def stamps(patterns: Sequence[Pattern]) -> Stamps:
    """The stamps now of all folders in which a match can appear; cheap, unlike a survey."""
    seen: dict[Folder, int] = {}
    for pattern in patterns:
        for path in pattern.folders():
            with suppress(OSError):
                status = Path(path).stat()
                seen[Folder(path, status.st_dev, status.st_ino)] = status.st_mtime_ns
    return seen


def _listable(patterns: Sequence[Pattern], seen: Survey) -> Iterator[Folder]:
    for pattern in patterns:
        if not Path(pattern.top).is_dir():
            seen.problems[pattern.text] = SettingsError(
                f"discover: {pattern.text}",
                f"there is no folder {pattern.top}",
                "create it, or correct the pattern; reactor looks again all the time",
            )
    for folder in seen.stamps:
        if os.access(folder.path, os.R_OK | os.X_OK, effective_ids=True):
            yield folder
            continue
        seen.problems[folder.path] = SettingsError(
            f"discover: {folder.path}",
            "reactor's user may not list this folder",
            "give that user read and search permission on it",
        )


def _candidates(patterns: Sequence[Pattern], seen: Survey) -> Iterator[Found]:
    folders: dict[str, str] = {}
    for pattern in patterns:
        for path in pattern.paths():
            real = _real_socket(path, folders)
            if not real:
                continue
            guest = pattern.name(path)
            if guest and guest.isprintable():
                yield Found(guest, path, pattern.text, real)
            else:
                # A name that is no text cannot be written to a journal or topic.
                seen.problems[path] = SettingsError(
                    f"discover: {pattern.text}",
                    f"the path {path!r} does not name a guest",
                    "rename the socket: a guest's name is printable text",
                )


def _real_socket(path: str, folders: dict[str, str]) -> str:
    """Where the socket of this path lies, its links followed; empty where there is none.

    Args:
        folders: the real paths of folders that this look has found so far.
    """
    try:
        # Without the Path of each of 10,000 sockets at every look.
        kind = os.lstat(path).st_mode
        if stat.S_ISLNK(kind):
            is_socket = stat.S_ISSOCK(os.stat(path).st_mode)  # noqa: PTH116
            return os.path.realpath(path) if is_socket else ""
    except OSError:
        return ""
    if not stat.S_ISSOCK(kind):
        return ""
    folder, _, name = path.rpartition("/")
    real = folders.get(folder)
    if real is None:
        real = folders[folder] = os.path.realpath(folder or "/")
    return os.path.join(real, name)  # noqa: PTH118


def _twin(candidate: Found, winner: Found) -> SettingsError:
    return SettingsError(
        f"discover: {candidate.pattern}",
        f"two sockets name the guest {candidate.guest}: {winner.path} is watched, "
        f"{candidate.path} is not",
        "rename one, or say with {name} which part of the path is the guest's name",
    )


def _too_many(candidate: Found, limit: int) -> SettingsError:
    return SettingsError(
        f"discover: {candidate.pattern}",
        f"there are more than {limit} sockets; {candidate.path} and others are not watched",
        "watch fewer guests with this reactor",
    )
