"""Beside each other: what the auditor saw, what the loop did, and what the journal says."""

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from reactor.adapters.journal import RunRow
from reactor.demo.control import Seen
from tests.lab.killing.ledger import Life, Violation
from tests.lab.killing.plan import Places

_AROUND_S: Final = 3.0
_RUNS: Final = 6
_SHOW: Final = """
import sys
from reactor.cli.program import run_program
settings, *runs = sys.argv[1:]
for run in runs:
    print("reactor runs show", run, flush=True)
    run_program(["runs", "show", run, "-c", settings])
    print(flush=True)
"""


def timelines(
    found: Sequence[Violation],
    lives: Mapping[str, Sequence[Life]],
    done: Sequence[tuple[float, str]],
    runs: Sequence[RunRow],
    places: Places,
) -> Iterator[str]:
    """For each guest with violations what a person needs to find the cause."""
    for guest in dict.fromkeys(violation.guest for violation in found):
        mine = [violation for violation in found if violation.guest == guest]
        first = min(violation.since for violation in mine) - _AROUND_S
        last = max(violation.until for violation in mine) + _AROUND_S
        lines = [(at, f"        {text}") for at, text in done if _concerns(guest, text)]
        lines += [_told(life, event) for life in lives.get(guest, ()) for event in life.events]
        kept = [f"  {_clock(at)}  {text}" for at, text in sorted(lines) if first <= at <= last]
        near = [
            run.id
            for run in runs
            if run.guest == guest and first <= (run.admitted or run.started or 0.0) <= last
        ]
        shown = _show(near[-_RUNS:], places)
        yield "\n".join([*(f"VIOLATION {violation}" for violation in mine), *kept, shown])


def _concerns(guest: str, text: str) -> bool:
    return not text.startswith("QEMU of ") or text.startswith(f"QEMU of {guest} ")


def _told(life: Life, event: Seen) -> tuple[float, str]:
    return event.occurred, f"QEMU {life.number}  {event.name} {json.dumps(event.data)}"


def _clock(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%H:%M:%S.%f")[:-3]


def _show(runs: Sequence[str], places: Places) -> str:
    """What ``reactor runs show`` says of each; one process, because starts are what costs."""
    command = [sys.executable, "-c", _SHOW, str(places.settings), *runs]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr
