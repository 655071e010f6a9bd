"""Every check of the house, in one place: people and CI call only this.

    .venv/bin/python scripts/check.py          the fast ones, under a minute
    .venv/bin/python scripts/check.py --all    the lab, the documents and the bench too

All checks run even when one fails, so that one run names everything; the last
lines repeat what failed and how to run it alone. Exit code 0: all passed; 1: at
least one did not.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
# More would only start more brokers at once, and time limits would be missed.
CORES = min(4, os.cpu_count() or 1)
# A third of the tests' time is spent waiting for others: brokers, monitors, timers.
WORKERS = CORES + 1
# Where tests need a real QEMU. Each worker reads all that it is given before it runs any.
LAB = ("tests/adapters", "tests/lab")


@dataclass(frozen=True, slots=True)
class Check:
    """One command; its name is what a person reads when it fails.

    ``limit`` is in seconds: a check that hangs is a check that failed.
    """

    name: str
    command: Sequence[str]
    limit: float = 120


@dataclass(frozen=True, slots=True)
class Result:
    """How a check ended; ``output`` is empty when it went straight to the terminal."""

    check: Check
    code: int
    seconds: float
    output: str = ""


@dataclass(slots=True)
class Report:
    """Prints each result as it comes, and keeps what failed for the last lines."""

    results: list[Result] = field(default_factory=list)

    def add(self, result: Result) -> None:
        """Say how this one ended; what it printed is shown only when it failed."""
        self.results.append(result)
        word = "FAIL" if result.code else "ok"
        if result.code:
            print(result.output, end="")
        print(f"{word:4} {result.check.name} ({result.seconds:.1f} s)", flush=True)

    def close(self) -> int:
        """Print the summary; the exit code of the whole."""
        failed = [result.check for result in self.results if result.code]
        print(f"\ncheck: {len(self.results) - len(failed)} passed, {len(failed)} failed")
        for check in failed:
            print(f"  {check.name}: {shlex.join(check.command)}")
        return 1 if failed else 0


def python(*arguments: str) -> tuple[str, ...]:
    """A command line of this environment's Python."""
    return (sys.executable, *arguments)


def tool(name: str, *arguments: str) -> tuple[str, ...]:
    """A command line of a program of this environment."""
    return (str(BIN / name), *arguments)


def pytest(*arguments: str) -> tuple[str, ...]:
    """A command line of the tests; ``ci`` makes hypothesis draw the same examples each time."""
    return python("-m", "pytest", "--hypothesis-profile=ci", *arguments)


def static_checks() -> list[Check]:
    """What reads the files only; the slowest first, because they run side by side."""
    folders = ["rules", *map(str, sorted(ROOT.glob("examples/*/rules")))]
    return [
        Check("types", tool("mypy")),
        Check("lint", tool("ruff", "check", "--quiet")),
        Check("format", tool("ruff", "format", "--check", "--quiet")),
        Check("layers", tool("lint-imports", "--no-logo")),
        Check("dead code", tool("vulture")),
        Check("dependencies", tool("deptry", "--no-ansi", "reactor")),
        Check("spelling", tool("codespell")),
        Check("shipped policies", tool("reactor", "check", "rules")),
        Check("policy tests", tool("reactor", "test", *folders, "--fail-under", "100")),
        Check("schema of policies", python("scripts/schema_check.py", "rules", "examples")),
    ]


def test_checks() -> list[Check]:
    """The fast tests, then the floors of the coverage that they measured.

    Histories of the whole daemon and damaged input come by themselves: to measure what they
    cover takes more than twice the time, and what they cover others must cover by intent. The
    documents, the house and the bench look at the project as a whole, not at one module.
    """
    floor = tool("coverage", "report", "--fail-under")
    pure = "--include=reactor/errors.py,reactor/core/*,reactor/qapi/*,reactor/policyfile/*"
    fast = ("-m", "not lab and not service", f"--numprocesses={WORKERS}")
    unmeasured = [f"tests/{name}" for name in ("bench", "docs", "fuzz", "house", "simulation")]
    others = ("tests", *(f"--ignore={folder}" for folder in unmeasured))
    return [
        Check("tests", pytest(*fast, "--cov", "--cov-report=", *others), limit=720),
        Check("tests without coverage", pytest(*fast, *unmeasured), limit=400),
        Check("coverage of core, qapi and policyfile is 100 %", (*floor, "100", pure)),
        # The demo is covered by the lab, on a real QEMU.
        Check("coverage of all is at least 90 %", (*floor, "90", "--omit=reactor/demo/*")),
    ]


def slow_checks() -> list[Check]:
    """What needs a real QEMU or minutes."""
    # The tests of one file stay together and in order: the snippets of a document go on where
    # the one above stopped, and what a file of the lab has started serves all of it.
    spread = (f"--numprocesses={WORKERS}", "--dist=loadfile")
    papers = ("docs", "README.md", "CONTRIBUTING.md")
    return [
        Check("documents", pytest("-p", "no:randomly", *spread, *papers), limit=300),
        Check("bench", python("-m", "bench", "--smoke"), limit=300),
        Check("lab", pytest("-m", "lab", *spread, *LAB), limit=600),
        # Where there is no systemd, or no root, its first lines say so.
        Check("service", pytest("tests/service"), limit=300),
    ]


def run(check: Check, *, live: bool) -> Result:
    """Run one command; ``live`` lets its output pass as it comes."""
    start = time.monotonic()
    try:
        done = subprocess.run(
            check.command,
            check=False,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=None if live else subprocess.PIPE,
            stderr=None if live else subprocess.STDOUT,
            text=True,
            timeout=check.limit,
        )
        code, output = done.returncode, done.stdout or ""
    except subprocess.TimeoutExpired:
        code, output = 1, f"still running after {check.limit:.0f} s, so it was ended\n"
    except OSError as error:
        code, output = 1, f"{check.command[0]}: {error.strerror}\n  fix: make setup\n"
    return Result(check, code, time.monotonic() - start, output)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the checks that were asked for; the exit code of the whole."""
    parser = argparse.ArgumentParser(description="Run the checks of the house.")
    parser.add_argument("--all", action="store_true", help="the lab, the documents, the bench too")
    everything = parser.parse_args(arguments).all

    # Images like to set it. Without what Python stores, each worker and each program that a
    # test starts would compile everything anew: minutes of both cores.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    report = Report()
    with ThreadPoolExecutor(CORES) as pool:
        for result in pool.map(lambda check: run(check, live=False), static_checks()):
            report.add(result)
    with tempfile.TemporaryDirectory() as folder:
        # Not in the checkout: two runs side by side would mix their figures.
        os.environ["COVERAGE_FILE"] = f"{folder}/coverage"
        for check in test_checks():
            report.add(run(check, live=True))
        del os.environ["COVERAGE_FILE"]
    for check in slow_checks() if everything else ():
        report.add(run(check, live=True))
    return report.close()


if __name__ == "__main__":
    sys.exit(main())
