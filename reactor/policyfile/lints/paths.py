"""Templates in paths of the host that whoever sent an event or a message may choose."""

import re
from collections.abc import Iterator, Mapping, Sequence

from reactor.core.expr import Expression
from reactor.core.policy import Policy
from reactor.core.steps import ExecStep, QmpStep, Step
from reactor.core.template import Template, Tree, templates
from reactor.errors import Code, Problem
from reactor.policyfile.lints.finding import at_step
from reactor.policyfile.lints.risks import exposed

_FILES = {
    "block": {"filename", "target"},
    "blockdev": {"filename", "snapshot-file", "backing-file"},
    "change": {"backing-file"},
    "chardev": {"path", "out"},
    "drive": {"target"},
    "dump": {"protocol"},
    "dumpdtb": {"filename"},
    "memsave": {"filename"},
    "migrate": {"uri"},
    "object": {"mem-path", "filename"},
    "pmemsave": {"filename"},
    "screendump": {"filename"},
}
"""The arguments that name files of the host, by the first word of the command."""

_PATH = re.compile(r"(?:^|[\s=]|file:)\.{0,2}/(?!/)\S*$")
"""The end of a text behind which a part of a path follows."""


def open_paths(policy: Policy) -> Iterator[Problem]:
    """Parts of paths that are not what they seem where somebody writes `/` or `..` into them."""
    for located, risks in exposed(policy):
        for part, key in _parts_of_paths(located.step):
            if read := risks.in_expression(part):
                problem = f"{read} may hold `/` and `..`: it leads to any file"
                fix = f"write slug({read}) instead"
                yield at_step(located, Code.OPEN_PATH, problem, fix, key=key)


def _parts_of_paths(step: Step) -> Iterator[tuple[Expression, str]]:
    """The expressions that are parts of paths of the host, and the keys where they stand."""
    match step:
        case QmpStep(_, command, arguments):
            keys = _FILES.get(re.split(r"[-_]", command)[0], set())
            yield from _named(arguments, keys, "args")
        case ExecStep(_, _, arguments):
            yield from _behind_slashes(arguments)
        case _:
            pass


def _named(tree: Tree, keys: set[str], path: str) -> Iterator[tuple[Expression, str]]:
    """The expressions in the texts of these keys, however deep."""
    match tree:
        case Mapping():
            for key, item in tree.items():
                if key in keys and isinstance(item, Template | str):
                    yield from _expressions(item, f"{path}/{key}")
                else:
                    yield from _named(item, keys, f"{path}/{key}")
        case tuple():
            for index, item in enumerate(tree):
                yield from _named(item, keys, f"{path}/{index}")
        case _:
            pass


def _expressions(tree: Tree, path: str) -> Iterator[tuple[Expression, str]]:
    for template in templates(tree):
        yield from ((part, path) for part in template.parts if isinstance(part, Expression))


def _behind_slashes(arguments: Tree) -> Iterator[tuple[Expression, str]]:
    """The expressions that are parts of a path in the arguments of a program."""
    items = arguments if isinstance(arguments, Sequence) else ()
    for index, item in enumerate(items):
        before = ""
        for part in item.parts if isinstance(item, Template) else ():
            if isinstance(part, str):
                before += part
            else:
                if _PATH.search(before):
                    yield part, f"exec/{index + 1}"
                before += "x"
