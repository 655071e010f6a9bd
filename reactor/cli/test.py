"""``reactor test``: policy tests in virtual time."""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reactor.cli.exits import Exit, UsageError
from reactor.cli.problems import as_data, show_problems
from reactor.cli.screen import Output, Screen, to_json, until_readers_leave
from reactor.cli.verbs import add_verb
from reactor.errors import Place, Problem, ReactorError, Severity

if TYPE_CHECKING:
    from reactor.app.scenario.coverage import Coverage, Owner
    from reactor.app.scenario.runner import Result
    from reactor.policyfile.check import Loaded
    from reactor.policyfile.policy_tests import PolicyTest

Paths = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH...",
        readable=False,
        help="Files, or folders of them: policies with their tests.",
        show_default=False,
    ),
]
Form = Annotated[Output, typer.Option("-o", "--output", help="For people, or JSON for programs.")]
Filter = Annotated[
    str | None,
    typer.Option(
        "-k", metavar="TEXT", help="Only tests with this in their name, or of this policy."
    ),
]
Junit = Annotated[
    Path | None,
    typer.Option("--junit", metavar="FILE", writable=True, help="Write JUnit XML as well."),
]
Cover = Annotated[
    bool, typer.Option("--coverage", help="Name the policies and steps that no test reached.")
]
Least = Annotated[
    float | None,
    typer.Option(
        "--fail-under",
        metavar="PERCENT",
        min=0.0,
        max=100.0,
        help="Exit with 1 where less was reached; with --coverage.",
    ),
]

_Timed = tuple["Result", float]


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    add_verb(
        app,
        prove,
        "reactor test rules/",
        "reactor test rules/ -k 'three resets'",
        "reactor test rules/ --coverage --fail-under 100",
        "reactor test rules/ --junit results.xml",
        name="test",
    )


def prove(  # noqa: PLR0913, PLR0917 - one for each option
    paths: Paths,
    output: Form = "text",
    k: Filter = None,
    junit: Junit = None,
    coverage: Cover = False,
    fail_under: Least = None,
) -> int:
    """Prove what policies do, in virtual time.

    Plays every `test:` document below the paths: simulated guests, no sockets, no waiting. The
    policies must stand below the paths, too. Exit code 1 when a test fails.
    """
    from reactor.app.scenario.coverage import Coverage
    from reactor.policyfile.check import load

    loaded = load(paths)
    problems = _errors(loaded)
    chosen = [one for one in loaded.tests if k is None or _is_meant(one, k)]
    if not chosen and not problems:
        raise _nothing(loaded, k)
    reached = Coverage(loaded.policies)
    results = list(_timed(chosen, loaded, reached))
    if junit is not None:
        _write(junit, results)
    shown = reached if coverage or fail_under is not None else None
    show = _show_json if output == "json" else _show
    # A misspelt name in a test proves nothing: what `check` warns of is told here too.
    told = [*problems, *_warnings(loaded)]
    until_readers_leave(partial(show, results, told, shown))
    bad = bool(problems) or not all(result.passed for result, _ in results)
    too_little = fail_under is not None and reached.percent() < fail_under
    return Exit.FINDINGS if bad or too_little else Exit.OK


def _errors(loaded: "Loaded") -> list[Problem]:
    """What keeps policies and tests from being loaded."""
    found = [*loaded.problems, *loaded.test_problems]
    errors = [problem for problem in found if problem.severity is Severity.ERROR]
    return sorted(errors, key=lambda problem: problem.place)


def _warnings(loaded: "Loaded") -> list[Problem]:
    """What is doubtful in tests, such as an event that no QEMU sends."""
    return [one for one in loaded.test_problems if one.severity is Severity.WARNING]


def _is_meant(one: "PolicyTest", text: str) -> bool:
    return text.casefold() in one.name.casefold() or text in one.policies


def _nothing(loaded: "Loaded", k: str | None) -> UsageError:
    if loaded.tests:
        fix = "write a part of a test's name, or the name of a policy"
        return UsageError("reactor test", f"no test is called like {k!r}", fix)
    fix = "write a `test:` document beside a policy: docs/how-to/test-a-policy.md"
    return UsageError("reactor test", "there is no test below these paths", fix)


def _timed(
    chosen: Sequence["PolicyTest"], loaded: "Loaded", coverage: "Coverage"
) -> Iterator[_Timed]:
    from reactor.app.scenario.runner import run_tests

    policies = {policy.name: policy for policy in loaded.policies}
    begun = time.perf_counter()
    for result in run_tests(chosen, policies, coverage):
        ended = time.perf_counter()
        yield result, ended - begun
        begun = ended


def _write(file: Path, results: Sequence[_Timed]) -> None:
    from reactor.app.scenario.junit import junit

    try:
        file.write_text(junit(results), "utf-8")
    except OSError as error:
        problem = f"it cannot be written: {error.strerror}"
        raise ReactorError(Place(str(file)), problem, "name another file") from None


# ---------------------------------------------------------------- for people


def _show(
    results: Sequence[_Timed], problems: Sequence[Problem], coverage: "Coverage | None"
) -> None:
    screen = Screen()
    show_problems(problems, screen)
    for result, _ in results:
        if not result.passed:
            _show_failed(result, screen)
    if coverage is not None:
        _show_coverage(coverage, screen)
    screen.line(*_summary(results, problems))


def _show_failed(result: "Result", screen: Screen) -> None:
    screen.line(("FAILED ", "bold red"), (result.test.name, "bold"))
    for failing in result.failings:
        screen.line((str(failing.place), "bold"), ": ", failing.problem)
    for line in result.diff:
        screen.line((line, _STYLES.get(line[:1], "")))
    if result.reasons:
        screen.line(("why:", "bold"))
    for line in result.reasons:
        screen.line("  ", line)
    for note in result.notes:
        screen.line(("note: ", "cyan"), note)
    screen.line()


_STYLES = {"-": "red", "+": "green", "@": "cyan"}


def _show_coverage(coverage: "Coverage", screen: Screen) -> None:
    for owner in coverage.owners():
        screen.line(f"{owner.reached:4} of {len(owner.spots):3}  {owner.name}{_untested(owner)}")
        for spot in owner.missed:
            where = f"{spot.place}: {spot.own_path}  {spot.verb}"
            screen.line(("             not reached: ", "yellow"), where)
    screen.line(f"coverage: {coverage.percent():.1f} %")


def _untested(owner: "Owner") -> str:
    return "" if owner.tested else ": no test names it"


def _summary(results: Sequence[_Timed], problems: Sequence[Problem]) -> tuple[tuple[str, str], ...]:
    failed = sum(not result.passed for result, _ in results)
    seconds = sum(took for _, took in results)
    parts = [f"{len(results) - failed} passed"]
    if failed:
        parts.append(f"{failed} failed")
    for word, severity in (("problem", Severity.ERROR), ("warning", Severity.WARNING)):
        count = sum(problem.severity is severity for problem in problems)
        if count:
            parts.append(f"{count} {word}{'' if count == 1 else 's'}")
    is_bad = failed or any(problem.severity is Severity.ERROR for problem in problems)
    style = "bold red" if is_bad else "bold green"
    return ((f"{', '.join(parts)} in {seconds:.2f} s", style),)


# -------------------------------------------------------------- for programs


def _show_json(
    results: Sequence[_Timed], problems: Sequence[Problem], coverage: "Coverage | None"
) -> None:
    data: dict[str, object] = {
        "problems": [as_data(problem) for problem in problems],
        "tests": [_result_data(result, seconds) for result, seconds in results],
    }
    if coverage is not None:
        data["coverage"] = {
            "percent": round(coverage.percent(), 1),
            "owners": [_owner_data(owner) for owner in coverage.owners()],
        }
    print(to_json(data, indent=2))


def _result_data(result: "Result", seconds: float) -> dict[str, object]:
    return {
        "name": result.test.name,
        **_place_data(result.test.place),
        "passed": result.passed,
        "seconds": round(seconds, 3),
        "failings": [
            {**_place_data(failing.place), "message": failing.problem}
            for failing in result.failings
        ],
        "diff": list(result.diff),
        "reasons": list(result.reasons),
        "notes": list(result.notes),
    }


def _owner_data(owner: "Owner") -> dict[str, object]:
    return {
        "name": owner.name,
        "tested": owner.tested,
        "reached": owner.reached,
        "steps": len(owner.spots),
        "missed": [
            {"path": spot.own_path, "verb": spot.verb, **_place_data(spot.place)}
            for spot in owner.missed
        ],
    }


def _place_data(place: Place) -> dict[str, object]:
    return {"file": place.file, "line": place.line, "column": place.column}
