"""``reactor check``: everything that can be known of policies before they run."""

import gc
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from reactor.cli.annotations import annotation
from reactor.cli.exits import Exit, UsageError
from reactor.cli.files_shown import Texts
from reactor.cli.problems import as_data, show_problems
from reactor.cli.screen import Screen, to_json, until_readers_leave
from reactor.cli.verbs import add_verb
from reactor.core.text import closest
from reactor.errors import Code, Problem, Severity

if TYPE_CHECKING:
    from reactor.app.settings import Settings
    from reactor.policyfile.check import Loaded
    from reactor.policyfile.files import Typed
    from reactor.policyfile.targets import Target

Paths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="PATH...",
        readable=False,
        help="Policy files, or folders of them; - is standard input.",
        show_default=False,
    ),
]
_STDIN = Path("-")
Report = Literal["text", "json", "sarif", "github"]
Form = Annotated[
    Report,
    typer.Option(
        "-o",
        "--output",
        help="For people, a JSON list for programs, SARIF 2.1.0 for tools that collect findings, "
        "or marks on the lines of a change at GitHub.",
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="A warning counts as an error.")]
Config = Annotated[
    Path | None,
    typer.Option(
        "-c",
        "--config",
        metavar="FILE",
        readable=False,
        help="Check against these settings too: allowed commands, the dumps folder. Without "
        "PATH their rules are checked.",
    ),
]
Named = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="VERSIONS",
        help="The versions of QEMU that the policies are for, such as 7.2,11.1. Without it all "
        "whose schema comes with reactor.",
    ),
]
Live = Annotated[
    Path | None,
    typer.Option(
        "--live",
        metavar="SOCKET",
        readable=False,
        help="Ask the QEMU that runs behind this QMP socket what it takes; without --target only "
        "this one.",
    ),
]
StdinName = Annotated[
    str,
    typer.Option(
        "--stdin-filename",
        metavar="FILE",
        help="What - is called in what is found. That file's text on the disk is not read.",
    ),
]
Explain = Annotated[
    str | None,
    typer.Option("--explain", metavar="CODE", help="Print what a code means, and check nothing."),
]


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    add_verb(
        app,
        check,
        "reactor check rules/",
        "reactor check rules/ --target 7.2,11.1",
        "reactor check rules/ -c /etc/reactor/reactor.yaml --strict",
        "reactor check rules/ -o sarif > findings.sarif",
        "reactor check - --stdin-filename rules/panic.yaml < rules/panic.yaml",
        "reactor check --explain R005",
    )


def check(  # noqa: PLR0913 - one parameter for each option
    paths: Paths = None,
    *,
    output: Form = "text",
    strict: Strict = False,
    config: Config = None,
    target: Named = None,
    live: Live = None,
    stdin_filename: StdinName = "standard input",
    explain: Explain = None,
) -> int:
    """Check policy files before they run.

    YAML, keys, values, expressions, the commands and arguments that QEMU takes, and what the
    settings allow. Exit code 1 when something is wrong.
    """
    if explain is not None:
        return _explain(explain)
    from reactor.app.check_parts import take_in_parts
    from reactor.app.schemas import targets_of
    from reactor.policyfile.check import load

    settings = _settings(config)
    if not paths and settings is None:
        fix = "name a policy file, a folder, or settings with -c"
        raise UsageError("reactor check", "nothing is named to be checked", fix)
    targets = targets_of(target, live, _ask)
    typed = _typed(stdin_filename) if paths and _STDIN in paths else None
    named = [path for path in paths or () if path != _STDIN]
    with _uncollected():
        rules = named or (settings.rules if settings and not typed else ())
        loaded = load(rules, typed, take_in_parts)
        problems = _problems(loaded, targets, settings)
    texts = Texts({typed.file: typed.data} if typed else {})
    until_readers_leave(partial(_show, problems, loaded, output, texts))
    bad = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    return Exit.FINDINGS if any(one.severity in bad for one in problems) else Exit.OK


def _typed(name: str) -> "Typed":
    from reactor.policyfile.chunks import MAX_BYTES
    from reactor.policyfile.files import Typed

    return Typed(name, sys.stdin.buffer.read(MAX_BYTES + 1))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector: all that is made stays to the end, looked through in vain.

    Frozen it is not looked through later either, nor when Python ends.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _ask(path: Path) -> "Target":
    from reactor.app.live_schema import live_target

    return live_target(path)


def _problems(
    loaded: "Loaded", targets: Sequence["Target"], settings: "Settings | None"
) -> list[Problem]:
    """All that is wrong or doubtful, in the order of the files and lines."""
    from reactor.policyfile.check import permissions_of
    from reactor.policyfile.ignores import without_ignored
    from reactor.policyfile.lints.outdated import outdated
    from reactor.policyfile.targets import held_against

    found = [*held_against(loaded.asks, targets), *outdated(loaded.asks, targets)]
    every = [*loaded.policies, *loaded.rests]
    if settings is None:
        found += permissions_of(every)
    told = without_ignored(found, loaded.ignores)
    problems = [*loaded.problems, *loaded.test_problems, *told]
    if settings is not None:
        # It needs much that nobody else does, and takes as long to import.
        from reactor.app.preflight import not_permitted, of_broker

        problems += [*not_permitted(every, settings), *of_broker(settings)]
    return sorted(problems, key=lambda problem: problem.place)


def _explain(word: str) -> int:
    from reactor.policyfile.codes.entry import explained
    from reactor.policyfile.codes.table import ENTRIES

    codes = [code.value for code in Code]
    if word.upper() not in codes:
        guess = closest(word.upper().replace("O", "0"), codes)
        fix = f"did you mean `{guess}`?" if guess else f"they go from {codes[0]} to {codes[-1]}"
        raise UsageError("reactor check", f"there is no code `{word}`", fix)
    until_readers_leave(partial(print, explained(ENTRIES[Code(word.upper())]), end=""))
    return Exit.OK


def _settings(config: Path | None) -> "Settings | None":
    if config is None:
        return None
    from reactor.app.settings_layers import Flags
    from reactor.app.settings_load import load_settings

    return load_settings(Flags(config=config))


def _show(problems: Sequence[Problem], loaded: "Loaded", report: Report, texts: Texts) -> None:
    screen = Screen()
    match report:
        case "text":
            show_problems(problems, screen, texts)
            screen.line(_summary(problems, len(loaded.policies), loaded.files))
        case "json":
            print(to_json([as_data(problem) for problem in problems], indent=2))
        case "sarif":
            from reactor.cli.sarif import sarif

            print(to_json(sarif(problems, texts), indent=2))
        case "github":
            for problem in problems:
                screen.line(annotation(problem))
            screen.line(_summary(problems, len(loaded.policies), loaded.files))


def _summary(problems: Sequence[Problem], policies: int, files: int) -> str:
    counts = Counter(problem.severity for problem in problems)
    found = [_counted(counts[kind], kind.value) for kind in Severity if counts[kind]]
    sound = f"{_counted(policies, 'sound policy', 'sound policies')} in {_counted(files, 'file')}"
    return f"{', '.join(found) or 'no problems'}; {sound}"


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
