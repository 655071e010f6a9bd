"""The one command of the bench: ``python -m bench``."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench import check, cpu, growth, latency, load, match, outbox, report, soak
from bench.figures import Figure, Row, Wrong
from bench.scale import FULL, SMOKE, Scale

ROWS = (
    Row("match", "events a second from a line in memory to the decision", match.measure),
    Row("growth", "what an event costs with more policies", growth.measure),
    Row("latency", "time from an event on the wire to its command", latency.measure),
    Row("cpu", "processor time of an event that no policy takes", cpu.measure),
    Row("check", "reactor check of many policies, as a program", check.measure),
    Row("version", "reactor --version beside a bare interpreter", check.measure_version),
    Row("outbox", "messages from a policy to a subscriber at a real broker", outbox.measure),
    Row("load", "a crowd of monitors, and how they fare beside the worst of them", load.measure),
    Row("soak", "whether anything grows in a steady stream of events", soak.measure),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 1 when something measured was wrong, or missed its target with --strict."""
    asked = _parser().parse_args(arguments)
    scale = SMOKE if asked.smoke else replace(FULL, large=asked.large)
    if asked.minutes:
        scale = replace(scale, soak_s=asked.minutes * 60)
    if asked.rounds:
        scale = replace(scale, rounds=asked.rounds)
    before = os.getloadavg()[0]
    rows = [row for row in ROWS if asked.only is None or row.name in asked.only]
    figures, wrong = _measure(rows, scale)
    result = report.Result(report.machine(before), figures)
    _print(result, scale)
    if asked.json:
        report.write(result, asked.json)
    if not asked.smoke:
        _compare(figures)
    for line in wrong:
        print(f"WRONG {line}")
    if wrong:
        return 1
    if asked.accept:
        report.accept(result, {row.name for row in rows})
        print(f"accepted: {report.ACCEPTED.name}")
    return 1 if asked.strict and any(figure.missed for figure in figures) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="What reactor costs, as ratios to floors of the same run.",
        epilog="rows: " + "; ".join(f"{row.name}: {row.about}" for row in ROWS),
    )
    say = parser.add_argument
    say("--smoke", action="store_true", help="tiny sizes: proves that all of it works, no targets")
    say("--only", nargs="+", choices=[row.name for row in ROWS], help="measure these rows")
    say("--rounds", type=int, help="measure each pair so often")
    say("--minutes", type=float, help="let the row soak take so long")
    say("--large", action="store_true", help="growth to 100,000 policies too (takes minutes)")
    say("--json", type=Path, metavar="FILE", help="write the result there")
    say(
        "--accept",
        action="store_true",
        help="later runs are compared with this one, with --only for these rows",
    )
    say("--strict", action="store_true", help="exit with 1 when a target is missed")
    return parser


def _measure(rows: Sequence[Row], scale: Scale) -> tuple[list[Figure], list[str]]:
    figures, wrong = list[Figure](), list[str]()
    for row in rows:
        start = time.perf_counter()
        try:
            figures += row.measure(scale)
        except Wrong as problem:
            wrong.append(f"{row.name}: {problem}")
        print(f"{row.name}: {time.perf_counter() - start:.1f} s", file=sys.stderr)
    return figures, wrong


def _print(result: report.Result, scale: Scale) -> None:
    here = result.machine
    print(
        f"{here.processor}, {here.cores} cores, Python {here.python}; "
        f"load {here.load_before:.1f} before, {here.load_after:.1f} after; "
        f"medians of {scale.rounds} rounds"
    )
    print("\n".join(report.table(result.figures)))


def _compare(figures: Sequence[Figure]) -> None:
    before = report.accepted()
    if before is None:
        print("nothing accepted yet: --accept makes this result the one to compare with")
        return
    lines = report.worse(figures, before)
    print("\n".join(lines) or "nothing got worse since the accepted result")


if __name__ == "__main__":
    sys.exit(main())
