"""The policies of the rules folders: loaded at the start, and again when they change."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
import watchfiles

from reactor.core.policy import Policy
from reactor.errors import Problem, Severity
from reactor.policyfile.check import Loaded, load

log = structlog.get_logger("reactor")


class Rules:
    """Reads the rules folders; ``adopt`` is given every set of policies that is to be used.

    At the start what is right is used and what is not is told. Later a set
    with any error leaves the old one in place, whole.
    """

    def __init__(self, paths: Sequence[Path], adopt: Callable[[Sequence[Policy]], None]) -> None:
        self._paths = paths
        self._adopt = adopt
        self.problems: tuple[Problem, ...] = ()

    async def start(self) -> Sequence[Policy]:
        """The policies that could be built; everything else has been told."""
        loaded = await self._load()
        return loaded.policies

    async def reload(self) -> bool:
        """Whether a new set was taken over; otherwise the old one stays."""
        loaded = await self._load()
        errors = _errors(loaded)
        if errors:
            log.error(
                "rules not reloaded: the old ones stay in force",
                errors=len(errors),
                first=str(errors[0]),
            )
            return False
        self._adopt(loaded.policies)
        log.info("rules reloaded", policies=len(loaded.policies))
        return True

    async def watch(self) -> None:
        """Reload at every change below the folders, until cancelled."""
        while True:
            existing = [path for path in self._paths if path.exists()]
            if not existing:
                await asyncio.sleep(2.0)
                continue
            async for _ in watchfiles.awatch(*existing, step=100, yield_on_timeout=False):
                await self.reload()

    async def _load(self) -> Loaded:
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
