"""Results for people, for machines, and against what was accepted before."""

import os
import platform
from collections.abc import Container, Iterable, Sequence
from pathlib import Path

import msgspec

from bench.figures import Better, Figure

ACCEPTED = Path(__file__).parent / "accepted.json"

NOISE = 0.10
"""A ratio that is worse by no more than this part of the accepted one is the same."""


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured; ``load`` are the load averages at the start and at the end."""

    processor: str
    cores: int
    python: str
    load_before: float
    load_after: float


class Result(msgspec.Struct, frozen=True):
    """All that one run of the bench found."""

    machine: Machine
    figures: list[Figure]


def machine(load_before: float) -> Machine:
    """This machine, now that the bench is over."""
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
        load_before=load_before,
        load_after=os.getloadavg()[0],
    )


def write(result: Result, file: Path) -> None:
    """Keep a result as JSON."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")


def accept(result: Result, rows: Container[str]) -> None:
    """Compare later runs with this one; what is accepted of rows beside these stays."""
    before = accepted()
    others = [one for one in before.figures if one.row not in rows] if before else []
    write(msgspec.structs.replace(result, figures=[*others, *result.figures]), ACCEPTED)


def accepted() -> Result | None:
    """The last result that somebody accepted, None before the first."""
    if not ACCEPTED.exists():
        return None
    return msgspec.json.decode(ACCEPTED.read_bytes(), type=Result)


def table(figures: Iterable[Figure]) -> list[str]:
    """The figures as lines of text."""
    head = ("row", "what", "figure", "floor", "ratio", "spread", "target", "")
    rows = [head, *map(_cells, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = []
    for row in rows:
        left = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        right = [cell.rjust(width) for cell, width in zip(row[2:7], widths[2:7], strict=True)]
        lines.append("  ".join((*left, *right, row[7])).rstrip())
    return lines


def worse(figures: Sequence[Figure], before: Result) -> list[str]:
    """What got worse since the accepted result, beyond the noise of both."""
    known = {figure.key: figure for figure in before.figures}
    lines = []
    for figure in figures:
        old = known.get(figure.key)
        if old is None:
            continue
        change = figure.ratio / old.ratio - 1
        loss = -change if figure.better is Better.HIGHER else change
        if loss > NOISE + figure.spread + old.spread:
            lines.append(
                f"{figure.key}: ratio {figure.ratio:.2f}, accepted {old.ratio:.2f} "
                f"({loss:.0%} worse)"
            )
    return lines


def _cells(figure: Figure) -> tuple[str, ...]:
    word = {Better.HIGHER: ">=", Better.LOWER: "<="}[figure.better]
    target = "" if figure.target is None else f"{word} {figure.target:g}"
    verdict = "" if figure.target is None else "MISSED" if figure.missed else "ok"
    return (
        figure.row,
        figure.what,
        f"{_number(figure.figure)} {figure.unit}",
        _number(figure.floor),
        f"{figure.ratio:.2f}",
        f"+-{figure.spread:.0%}",
        target,
        verdict,
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
