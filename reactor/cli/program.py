"""All verbs together, and what every end of the program looks like."""

import importlib
import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Annotated, Any

import typer

from reactor import __version__
from reactor.cli.exits import Exit, UsageError, exit_of
from reactor.cli.problems import show_problems
from reactor.cli.screen import (
    Screen,
    let_every_character_pass,
    open_closed_streams,
    until_readers_leave,
)
from reactor.cli.verbs import Verbs
from reactor.errors import Problem, ReactorError

_DEBUG_FIX = "run it again as `reactor --debug ...`, and report what it prints"


class Program(Verbs):
    """All verbs, in the order of a day's work."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - typer's types
        """The verbs, as the help lists them."""
        del ctx
        return list(VERBS)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's types
        """Run the verb; typer itself would end a broken pipe with exit code 1."""
        return until_readers_leave(partial(super().invoke, ctx))


VERBS = (
    "run",
    "demo",
    "check",
    "test",
    "events",
    "record",
    "replay",
    "status",
    "metrics",
    "guests",
    "readiness",
    "runs",
    "why",
    "marks",
    "silence",
    "approve",
    "trigger",
    "hold",
    "release",
    "journal",
    "dumps",
    "docs",
    "doctor",
    "schema",
    "init",
)
"""The verbs, in the order of the help; each has a module of its name."""


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        print(f"reactor {__version__}")
        raise typer.Exit


def _program(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    _debug: Annotated[
        bool, typer.Option("--debug", help="Print the trace of an error ($REACTOR_DEBUG=1).")
    ] = False,
) -> None:
    """Options in front of the verb."""


def program_with(verbs: Iterable[str]) -> typer.Typer:
    """The program with these verbs alone: each takes its time to import and to look at."""
    app = typer.Typer(
        cls=Program,
        name="reactor",
        help="Policies that react to the events of QEMU guests.",
        epilog="Exit codes: 0 ok, 1 findings, 2 usage or settings, 3 refused, 4 cannot connect, "
        "5 the daemon does not run, 70 internal error, 130 interrupted.",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_program)
    for verb in verbs:
        importlib.import_module(f"reactor.cli.{verb}").add_to(app)
    return app


def _asked_for(words: Sequence[str]) -> typer.Typer:
    """The program with the verb that the words begin with; with all, where it is none."""
    verb = next((word for word in words if word != "--debug"), "")
    return program_with([verb] if verb in VERBS else VERBS)


def run_program(words: Sequence[str]) -> int:
    """Carry out a command line; every end becomes an exit code and, if bad, a sentence."""
    open_closed_streams()
    let_every_character_pass()
    try:
        app = _asked_for(words)
        if not words:
            app(args=["--help"], prog_name="reactor", standalone_mode=False)
            return Exit.USAGE
        code = app(args=list(words), prog_name="reactor", standalone_mode=False)
        return int(code or 0)
    except typer.TyperException as error:
        return _usage(error, words)
    except Exception as error:  # noqa: BLE001 - the last line of defence
        return _failed(error, in_full="--debug" in words)


def _usage(error: typer.TyperException, words: Sequence[str]) -> int:
    context = getattr(error, "ctx", None)
    verb = next((word for word in words if word in VERBS), "")
    place = context.command_path if context is not None else f"reactor {verb}".rstrip()
    # Texts of the library that typer checks values with begin like this.
    text = error.format_message().replace("Value error, ", "").strip().rstrip(".")
    problem = text[:1].lower() + text[1:]
    fix = f"`{place} --help` shows how it is written"
    if guesses := getattr(error, "possibilities", None):
        problem = f"there is no option `{getattr(error, 'option_name', '')}`"
        fix = f"did you mean `{guesses[0]}`?"
    _say(UsageError(place, problem, fix))
    return Exit.USAGE


def _failed(error: Exception, *, in_full: bool) -> int:
    """Say what ended the program; of an internal error one sentence, or the whole trace."""
    known = list(_known(error))
    if in_full or os.environ.get("REACTOR_DEBUG"):
        traceback.print_exception(error)
    if known:
        for one in known:
            _say(one)
        return exit_of(known[0])
    leaf = error
    while isinstance(leaf, ExceptionGroup):
        leaf = leaf.exceptions[0]
    text = " ".join(str(leaf).split())
    what = f"{type(leaf).__name__}: {text}" if text else type(leaf).__name__
    _say(ReactorError("reactor", f"internal error: {what}", _DEBUG_FIX))
    return Exit.INTERNAL


def _known(error: BaseException) -> Iterator[ReactorError]:
    """The errors that were raised on purpose; nothing when any other one is among them."""
    if isinstance(error, ReactorError):
        yield error
    elif isinstance(error, ExceptionGroup) and error.split(ReactorError)[1] is None:
        for one in error.exceptions:
            yield from _known(one)


def _say(error: ReactorError) -> None:
    screen = Screen(sys.stderr)
    problems: Sequence[Problem] = getattr(error, "problems", ())
    if problems:
        show_problems(problems, screen)
        return
    screen.line((str(error.place), "bold"), ": ", error.problem)
    screen.line(("  fix: ", "green"), error.fix)
