"""The policies of the rules folders: loaded at the start, and again when they change."""

import asyncio
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path

import structlog
import watchfiles

from reactor.core.policy import Policy
from reactor.errors import Problem, Severity
from reactor.policyfile.check import Loaded, load

LOOK_S = 2.0
"""Seconds between two looks at the files, whether the system gave notice or not."""

Stamps = dict[str, tuple[int, ...]]
"""Every file and folder of the rules, with what changes when it does."""

log = structlog.get_logger("reactor")


class Rules:
    """Reads the rules folders; ``adopt`` is given every set of policies that is to be used.

    At the start what is right is used and what is not is told. Later a set
    with any error leaves the old one in place, whole.
    """

    def __init__(self, paths: Sequence[Path], adopt: Callable[[Sequence[Policy]], None]) -> None:
        self._paths = paths
        self._adopt = adopt
        self._seen: Stamps = {}
        self._one_at_a_time = asyncio.Lock()
        self.problems: tuple[Problem, ...] = ()

    async def start(self) -> Sequence[Policy]:
        """The policies that could be built; everything else has been told."""
        loaded = await self._load()
        return loaded.policies

    async def reload(self) -> bool:
        """Whether a new set was taken over; otherwise the old one stays."""
        # Two reloads at once could adopt what the files held before after what they hold.
        async with self._one_at_a_time:
            loaded = await self._load()
            errors = _errors(loaded)
            if not errors:
                self._adopt(loaded.policies)
        if errors:
            log.error(
                "rules not reloaded: the old ones stay in force",
                errors=len(errors),
                first=str(errors[0].place),
            )
            return False
        log.info("rules reloaded", policies=len(loaded.policies))
        return True

    async def watch(self) -> None:
        """Reload at every change of the files, until cancelled.

        The system's notices make it quick. They are not relied upon: they get
        lost, do not follow a file or folder that is made anew, and may not be
        had at all; so the files' stamps are compared every two seconds too.
        """
        while True:
            try:
                await self._follow()
            except Exception as error:  # noqa: BLE001 - watchfiles raises what it likes
                log.debug("rules cannot be watched", reason=repr(error))
            else:
                continue
            await asyncio.sleep(LOOK_S)
            await self._look()

    async def _follow(self) -> None:
        """Reload at the system's notices, as long as what is watched stays the same."""
        roots = self._roots()
        existing = [path for path in self._paths if roots[path]]
        if not existing:
            await asyncio.sleep(LOOK_S)
            await self._look()
            return
        notices = watchfiles.awatch(
            *existing, step=100, rust_timeout=round(LOOK_S * 1000), yield_on_timeout=True
        )
        async with aclosing(notices):
            async for _ in notices:
                await self._look()
                if self._roots() != roots:
                    return

    def _roots(self) -> dict[Path, tuple[int, ...]]:
        """Device and number of what each path led to at the last look; empty for nothing."""
        return {path: self._seen.get(str(path), ())[:2] for path in self._paths}

    async def _look(self) -> None:
        """Reload if a file is not what it was."""
        if await asyncio.to_thread(_stamps, self._paths) != self._seen:
            await self.reload()

    async def _load(self) -> Loaded:
        # Stamped before the look: what changes meanwhile is seen at the next one.
        self._seen = await asyncio.to_thread(_stamps, self._paths)
        loaded = await asyncio.to_thread(load, self._paths)
        self.problems = loaded.problems
        for problem in loaded.problems:
            say = log.error if problem.severity is Severity.ERROR else log.warning
            say(
                "policy problem",
                place=str(problem.place),
                code=problem.code.value,
                problem=problem.problem,
                fix=problem.fix,
            )
        return loaded


def _errors(loaded: Loaded) -> list[Problem]:
    return [p for p in loaded.problems if p.severity is Severity.ERROR]


def _stamps(paths: Sequence[Path]) -> Stamps:
    stamps: Stamps = {}
    for name in _names(paths):
        try:
            found = os.stat(name)  # noqa: PTH116 - a Path for each file costs more than the look
        except OSError:
            stamps[name] = ()
            continue
        here = (found.st_dev, found.st_ino)
        # A folder's own time changes with files that are no policies, too.
        is_file = not stat.S_ISDIR(found.st_mode)
        stamps[name] = (*here, found.st_size, found.st_mtime_ns) if is_file else here
    return stamps


def _names(paths: Sequence[Path]) -> Iterator[str]:
    for path in paths:
        yield str(path)
        for folder, below, files in os.walk(path):
            below[:] = [name for name in below if not name.startswith(".")]
            yield folder
            for name in files:
                if name.endswith((".yaml", ".yml")) and not name.startswith("."):
                    yield f"{folder}/{name}"
