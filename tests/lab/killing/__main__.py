"""The kill loop in its long form: ``python -m tests.lab.killing``."""

import argparse
import asyncio
import secrets
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.lab.killing.plan import Fault, Places, Plan
from tests.lab.killing.round import Report, play

TURNS: Sequence[frozenset[Fault]] = (
    frozenset(),
    frozenset({Fault.BROKER}),
    frozenset({Fault.QEMU}),
    frozenset({Fault.DISK}),
    frozenset({Fault.BROKER, Fault.QEMU, Fault.DISK}),
)
"""What fails beside the daemon, round by round."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 1 when a promise was not kept."""
    asked = _parser().parse_args(arguments)
    seed = asked.seed if asked.seed is not None else secrets.randbelow(1 << 32)
    print(f"kill loop: seed {seed}, {asked.minutes:g} minutes", flush=True)
    turns = [frozenset(map(Fault, asked.only))] if asked.only is not None else TURNS
    end = time.monotonic() + asked.minutes * 60
    reports: list[Report] = []
    while not reports or time.monotonic() < end:
        number = len(reports)
        plan = Plan(
            seed=seed + number,
            faults=turns[number % len(turns)],
            guests=asked.guests,
            panics=asked.panics,
            preloaded=number % 2 == 1,
        )
        reports.append(_round(plan))
    return _summed_up(reports)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab.killing",
        description="Kills the daemon at random beside real guests that panic, and audits it.",
    )
    say = parser.add_argument
    say("--minutes", type=float, default=60.0, help="no new round is begun after these")
    say("--seed", type=int, help="of the first round; the next one has one more")
    say("--guests", type=int, default=4)
    say("--panics", type=int, default=12, help="of each guest and round, at most 254")
    kinds = [fault.value for fault in Fault]
    say("--only", nargs="*", choices=kinds, help="these faults in every round; none: the daemon")
    return parser


def _round(plan: Plan) -> Report:
    folder = Path(tempfile.mkdtemp(prefix="reactor-kills-"))
    start = time.monotonic()
    report = asyncio.run(play(plan, Places(folder)))
    print(f"{report} ({time.monotonic() - start:.0f} s)", flush=True)
    if report.violations:
        print("\n\n".join(report.stories), f"\nkept: {folder}", flush=True)
    else:
        shutil.rmtree(folder)
    return report


def _summed_up(reports: Sequence[Report]) -> int:
    broken = [report.plan.seed for report in reports if report.violations]
    figures = (
        "kills",
        "qemu_kills",
        "broker_kills",
        "full_disks",
        "panics",
        "dumps",
        "resets",
        "publishes",
    )
    sums = {name: sum(getattr(report, name) for report in reports) for name in figures}
    outcomes = sum((report.outcomes for report in reports), Counter[str]())
    told = f"{sums}; runs: {dict(outcomes)}"
    print(f"{len(reports)} rounds, {len(broken)} with violations {broken or ''}: {told}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
