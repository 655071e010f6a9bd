"""One look at the sockets that match: which guests there are, and what is in the way."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from reactor.adapters.qmp.pattern import Pattern
from reactor.errors import SettingsError


class Found(NamedTuple):
    """A socket, the guest's name in its path, and the pattern that it matches."""

    guest: str
    path: str
    pattern: str


class Folder(NamedTuple):
    """A folder in which sockets can appear; one made anew is another one."""

    path: str
    device: int
    inode: int


@dataclass(slots=True)
class Survey:
    """What a look found: guests by name, folders, problems by a key that stays the same."""

    found: dict[str, Found] = field(default_factory=dict)
    folders: frozenset[Folder] = frozenset()
    problems: dict[str, SettingsError] = field(default_factory=dict)


def survey(patterns: Sequence[Pattern], known: Mapping[str, Found], limit: int) -> Survey:
    """Look at everything that matches, in the order of the patterns and the paths.

    Of two sockets with one name the one in ``known`` stays, else the first
    wins. At most ``limit`` guests, those in ``known`` before others.
    """
    seen = Survey()
    seen.folders = frozenset(_folders(patterns, seen))
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


def _folders(patterns: Sequence[Pattern], seen: Survey) -> Iterator[Folder]:
    for pattern in patterns:
        if not Path(pattern.top).is_dir():
            seen.problems[pattern.text] = SettingsError(
                f"discover: {pattern.text}",
                f"there is no folder {pattern.top}",
                "create it, or correct the pattern; reactor looks again all the time",
            )
        for path in pattern.folders():
            if not os.access(path, os.R_OK | os.X_OK, effective_ids=True):
                seen.problems[path] = SettingsError(
                    f"discover: {pattern.text}",
                    f"reactor's user may not list the folder {path}",
                    "give that user read and search permission on it",
                )
                continue
            try:
                status = Path(path).stat()
            except OSError:
                continue
            yield Folder(path, status.st_dev, status.st_ino)


def _candidates(patterns: Sequence[Pattern], seen: Survey) -> Iterator[Found]:
    for pattern in patterns:
        for path in pattern.paths():
            if not Path(path).is_socket():
                continue
            guest = pattern.name(path)
            if guest and guest.isprintable():
                yield Found(guest, path, pattern.text)
            else:
                # A name that is no text cannot be written to a journal or topic.
                seen.problems[path] = SettingsError(
                    f"discover: {pattern.text}",
                    f"the path {path!r} does not name a guest",
                    "rename the socket: a guest's name is printable text",
                )


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
