"""How a verb is put into the program, and a family of verbs such as ``reactor runs show``."""

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup

from reactor.cli.exits import UsageError
from reactor.core.text import closest


class Verbs(TyperGroup):
    """Some verbs; a word that is none of them is answered with the one that was meant."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - typer's types
        """The verb that these words begin with."""
        word, place = args[0], ctx.command_path
        if not word.startswith("-") and word not in self.commands:
            guess = closest(word, self.commands)
            fix = f"did you mean `{guess}`?" if guess else f"`{place} --help` lists the verbs"
            raise UsageError(place, f"there is no verb `{word}`", fix)
        return super().resolve_command(ctx, args)


class Family(Verbs):
    """A verb with verbs of its own, in the order in which they were added."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's types
        """Carry out the verb, or the one below it.

        Options in front of a verb below would be lost on it: they are refused.
        """
        # Typer keeps the words that follow under one of these names, by its version.
        rest = getattr(ctx, "_protected_args", []) + ctx.args
        given = [
            name for name in ctx.params if "COMMANDLINE" in str(ctx.get_parameter_source(name))
        ]
        if rest and given:
            place = f"{ctx.command_path} {rest[0]}"
            problem = f"options stand in front of `{rest[0]}`"
            raise UsageError(ctx.command_path, problem, f"put them behind it: `{place} OPTIONS`")
        return super().invoke(ctx)


def add_verb(
    app: typer.Typer,
    carry_out: Callable[..., int],
    *examples: str,
    name: str | None = None,
    extra_words: bool = False,
) -> None:
    """Give the program a verb: the function's name, its docstring and examples for ``--help``.

    Args:
        name: the verb, where the function is called otherwise.
        extra_words: the verb itself looks at words that are no options.
    """
    settings = {"allow_extra_args": extra_words}
    verb = name or carry_out.__name__
    app.command(verb, epilog=_epilog(examples), context_settings=settings)(carry_out)


def add_family(
    app: typer.Typer, carry_out: Callable[..., int], *examples: str, name: str | None = None
) -> typer.Typer:
    """Give the program a verb that has verbs of its own; returns where these are added.

    Args:
        carry_out: is called in any case; ``context.invoked_subcommand`` says whether a verb
            below follows.
        name: the verb, where the function is called otherwise.
    """
    family = typer.Typer(cls=Family, add_completion=False, rich_markup_mode=None)
    family.callback(invoke_without_command=True, epilog=_epilog(examples))(carry_out)
    app.add_typer(family, name=name or carry_out.__name__)
    return family


def _epilog(examples: tuple[str, ...]) -> str:
    # The backspace keeps the lines of a paragraph as they are.
    return "\n".join(["\b", "Examples:", *(f"  {example}" for example in examples)])
