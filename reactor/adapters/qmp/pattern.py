"""Patterns of socket paths, and the guest's name in a path that matches."""

import glob
import itertools
import os
from dataclasses import dataclass
from pathlib import Path, PurePath

from reactor.errors import SettingsError

_NAME = "{name}"
_WILD = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A glob for sockets, such as ``/run/qemu/*.sock`` or ``/run/qemu/{name}/qmp.sock``.

    ``part`` is which part of the path holds the name, between ``before`` and
    ``after``; None where the name is the file's, without its suffix.
    """

    text: str
    wild: str
    part: int | None = None
    before: str = ""
    after: str = ""

    @property
    def top(self) -> str:
        """The folder above the first wildcard: it must be there for anything to match."""
        parts = self.wild.split("/")[:-1]
        fixed = itertools.takewhile(lambda part: not _WILD & set(part), parts)
        return "/".join(fixed) or "/"

    def paths(self) -> list[str]:
        """Everything that matches now, sorted, sockets or not."""
        return sorted(_matches(self.wild))

    def folders(self) -> list[str]:
        """The folders, present now, in which a match can appear."""
        parent = str(PurePath(self.wild).parent)
        return sorted(folder for folder in _matches(parent) if Path(folder).is_dir())

    def name(self, path: str) -> str:
        """The guest's name in a path that matches; empty where there is none."""
        if self.part is None:
            file = path.rpartition("/")[2]
            return file.rpartition(".")[0] or file
        part = path.split("/")[self.part]
        return part[len(self.before) : len(part) - len(self.after)]


def parse_pattern(text: str) -> Pattern:
    """The pattern that an operator wrote.

    Raises:
        SettingsError: ``{name}`` stands twice, or has a wildcard beside it.
    """
    # Not resolve(): a link in the path stays what the operator wrote.
    path = os.path.abspath(text.removeprefix("unix:"))  # noqa: PTH100
    if not text or "\0" in text or _NAME not in path:
        return _plain(text, path)
    parts = path.split("/")
    holders = [number for number, part in enumerate(parts) if _NAME in part]
    before, _, after = parts[holders[0]].partition(_NAME)
    if len(holders) > 1 or _NAME in after:
        raise SettingsError(
            f"discover: {text}",
            "{name} stands there more than once",
            "write {name} once, and * for the rest",
        )
    if _WILD & set(before + after):
        raise SettingsError(
            f"discover: {text}",
            "a wildcard stands beside {name}: where the name ends is not clear",
            "keep *, ? and [ out of the part of the path that holds {name}",
        )
    return Pattern(text, path.replace(_NAME, "*"), holders[0], before, after)


def _plain(text: str, path: str) -> Pattern:
    if not text or "\0" in text or text.endswith("/"):
        raise SettingsError(
            f"discover: {text!r}",
            "this is not a pattern for sockets",
            "write a path with wildcards, such as /run/qemu/*.sock",
        )
    return Pattern(text, path)


def _matches(wild: str) -> list[str]:
    # Path.glob would take hidden files too, and costs a Path for each of 10,000.
    return glob.glob(wild)  # noqa: PTH207
