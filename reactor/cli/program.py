"""All verbs together, and what every end of the program looks like."""

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from reactor import __version__
from reactor.cli import check, demo, events, init, record, replay, run, schema, test
from reactor.cli.exits import Exit, UsageError, exit_of
from reactor.cli.problems import show_problems
from reactor.cli.screen import (
    Screen,
    let_every_character_pass,
    open_closed_streams,
    until_readers_leave,
)
from reactor.core.text import closest
from reactor.errors import Problem, ReactorError

_DEBUG_FIX = "run it again as `reactor --debug ...`, and report what it prints"


class Verbs(TyperGroup):
    """The verbs; a word that is none of them is answered with the one that was meant."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - typer's types
        """The verb that these words begin with."""
        word = args[0]
        if not word.startswith("-") and word not in self.commands:
            guess = closest(word, self.commands)
            fix = f"did you mean `{guess}`?" if guess else "`reactor --help` lists the verbs"
            raise UsageError("reactor", f"there is no verb `{word}`", fix)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's types
        """Run the verb; typer itself would end a broken pipe with exit code 1."""
        return until_readers_leave(partial(super().invoke, ctx))


app = typer.Typer(
    cls=Verbs,
    name="reactor",
    help="Policies that react to the events of QEMU guests.",
    epilog="Exit codes: 0 ok, 1 findings, 2 usage or settings, 3 refused, 4 cannot connect, "
    "5 the daemon does not run, 70 internal error, 130 interrupted.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        print(f"reactor {__version__}")
        raise typer.Exit


@app.callback()
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


for _module in (run, demo, check, test, events, record, replay, schema, init):
    _module.add_to(app)

VERBS = tuple(command.name or "" for command in app.registered_commands)
"""The verbs, in the order of the help."""


def run_program(words: Sequence[str]) -> int:
    """Carry out a command line; every end becomes an exit code and, if bad, a sentence."""
    open_closed_streams()
    let_every_character_pass()
    try:
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
    verb = next((word for word in words if word in VERBS), "")
    place = f"reactor {verb}".rstrip()
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
