"""The policy files below the paths that an operator names, and their text."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reactor.core.text import closest
from reactor.errors import Code, Place, Problem, Severity
from reactor.policyfile.chunks import MAX_BYTES, decode

_ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Source:
    """A file as the operator would name it, with its text; empty where there is a problem."""

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Typed:
    """The bytes of a file as an editor has them, which counts for what is on the disk."""

    file: str
    data: bytes


def read_all(
    paths: Iterable[Path], typed: Typed | None = None
) -> tuple[list[Source], list[Problem]]:
    """Every policy file below these paths once, sorted, with what cannot be read.

    A file is read whatever its name; a folder gives its ``*.yaml`` and ``*.yml``,
    also those in folders below, but nothing whose name begins with a dot. What is
    ``typed`` comes first, and its file is not read.
    """
    sources: list[Source] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    if typed is not None:
        seen.add(os.path.realpath(typed.file))
        sources += _decoded(typed.data, typed.file, problems)
    for path in paths:
        for file in _files(path, problems):
            real = os.path.realpath(file)
            if real not in seen:
                seen.add(real)
                sources += _read(file, problems)
    return sources, problems


def _files(path: Path, problems: list[Problem]) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    found = False

    def failed(error: OSError) -> None:
        problems.append(_unreadable(str(error.filename), error))

    for folder, below, names in os.walk(path, onerror=failed):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(_ENDINGS) and not name.startswith("."):
                found = True
                yield Path(folder, name)
    if not found and not any(problem.place.file == str(path) for problem in problems):
        problems.append(
            Problem(
                Place(str(path)),
                Code.UNREADABLE,
                "the folder holds no policy file",
                "put a file that ends in .yaml into it",
                Severity.WARNING,
            )
        )


def _read(file: Path, problems: list[Problem]) -> list[Source]:
    name = str(file)
    try:
        # Not blocking: a FIFO among the rules must not hold up a reload.
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                place = Place(name)
                problem = "this is neither a file nor a folder"
                problems.append(Problem(place, Code.UNREADABLE, problem, "name a policy file"))
                return []
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        problems.append(_unreadable(name, error))
        return []
    return _decoded(data, name, problems)


def _decoded(data: bytes, name: str, problems: list[Problem]) -> list[Source]:
    text, wrong = decode(data, name)
    problems += wrong
    return [] if wrong else [Source(name, text)]


_NAME_ONE = "name a policy file, or a folder of them"


def _near(name: str) -> str:
    """What stands beside it with nearly its name; empty where there is none."""
    path = Path(name)
    try:
        guess = closest(path.name, [one.name for one in path.parent.iterdir()])
    except (OSError, ValueError):
        return ""
    return str(path.parent / guess) if guess else ""


def _unreadable(name: str, error: OSError) -> Problem:
    match error:
        case FileNotFoundError():
            problem = "there is no such file or folder"
            fix = f"did you mean {guess}?" if (guess := _near(name)) else _NAME_ONE
        case PermissionError():
            problem, fix = "it must not be read", "let the user of reactor read it"
        case _:
            problem = f"it cannot be read ({error.strerror})"
            fix = "check the file system"
    return Problem(Place(name), Code.UNREADABLE, problem, fix)
