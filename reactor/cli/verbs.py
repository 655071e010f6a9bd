"""How a verb is put into the program."""

from collections.abc import Callable

import typer


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
    # The backspace keeps the lines of a paragraph as they are.
    epilog = "\n".join(["\b", "Examples:", *(f"  {example}" for example in examples)])
    settings = {"allow_extra_args": extra_words}
    app.command(name or carry_out.__name__, epilog=epilog, context_settings=settings)(carry_out)
