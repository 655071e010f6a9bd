"""Everybody who carries out effects, real but for the monitors."""

from pathlib import Path

from reactor.adapters.agent import Agents
from reactor.adapters.filesystem import FreeSpace
from reactor.adapters.http import HttpClient
from reactor.adapters.process import Programs
from reactor.app.dumps import Dumps
from reactor.app.ports import Commands, Outside
from reactor.app.settings import DumpsSettings


def outside(monitors: Commands, dumps: Path, *programs: str) -> Outside:
    """Dumps go below that folder, only these programs may be started, no agent is known."""
    return Outside(
        monitors=monitors,
        agents=Agents(),
        http=HttpClient(),
        programs=Programs(frozenset(programs)),
        space=FreeSpace(),
        dumps=Dumps(DumpsSettings(dumps)),
    )
