"""What the tests of the house look at: the files of the checkout, and their syntax trees."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def files() -> tuple[Path, ...]:
    """Every file of the project: tracked, or about to be; what git ignores is not."""
    listed = subprocess.run(
        # A checkout that belongs to another user is read all the same.
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = (ROOT / name for name in listed.split("\0") if name)
    return tuple(sorted(path for path in paths if path.is_file()))


def texts() -> Iterator[tuple[str, str]]:
    """Name and text of each file that is text."""
    for path in files():
        content = path.read_bytes()
        if b"\0" not in content:
            yield name_of(path), content.decode("utf-8")


def modules(*folders: str) -> Iterator[tuple[str, str]]:
    """Name and text of the Python files below these folders."""
    for name, text in texts():
        if name.endswith(".py") and name.startswith(tuple(f"{folder}/" for folder in folders)):
            yield name, text


def name_of(path: Path) -> str:
    """The path as people write it, from the top of the checkout."""
    return path.relative_to(ROOT).as_posix()


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Each call with the dotted name of what is called; empty when it has none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, dotted(node.func)


def dotted(node: ast.expr) -> str:
    """``asyncio.sleep`` of the expression that says so, empty for anything but names."""
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(value, name):
            start = dotted(value)
            return f"{start}.{name}" if start else ""
        case _:
            return ""
