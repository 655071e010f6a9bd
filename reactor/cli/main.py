"""The program ``reactor``; ``--version`` is answered before anything heavy is imported."""

import sys
from collections.abc import Sequence

from reactor import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit code, see ``reactor.cli.exits``."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words == ["--version"]:
        print(f"reactor {__version__}")
        return 0
    try:
        from reactor.cli.program import run_program

        return run_program(words)
    except KeyboardInterrupt:  # while it still imports, or is already at its end
        return 130
