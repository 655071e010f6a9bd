"""Templates in paths of the host that whoever sent an event or a message may choose."""

import re
from collections.abc import Iterator, Mapping, Sequence

from reactor.core.cel_access import show
from reactor.core.cel_shapes import Kind
from reactor.core.cel_tree import Call, Node, Path, children, static_path
from reactor.core.expr import Expression
from reactor.core.policy import EventTrigger, Policy
from reactor.core.steps import ExecStep, QmpStep, RunbookStep, Step
from reactor.core.template import Template, Tree, templates
from reactor.errors import Code, Place, Problem
from reactor.policyfile.event_shapes import either, shape_of
from reactor.policyfile.lints.finding import at_step
from reactor.policyfile.walking import Located, Steps, lists_of, sections

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

_IDS = frozenset("device device_id id netdev_id node_name reference".split())
"""Members that hold ids of QEMU: letters, digits and `-._`. Source: QEMU util/id.c."""


def open_paths(policy: Policy) -> Iterator[Problem]:
    """Parts of paths that are not what they seem where somebody writes `/` or `..` into them."""
    risks = _Risks(policy, {})
    for section in sections(policy):
        yield from _in_steps(policy, section, risks)


def _in_steps(
    policy: Policy, steps: Steps, risks: "_Risks", place: Place | None = None
) -> Iterator[Problem]:
    for step in steps:
        here = place or step.options.place
        for part, key in _parts_of_paths(step):
            if read := risks.in_expression(part):
                problem = f"{read} may hold `/` and `..`: it leads to any file"
                fix = f"write slug({read}) instead"
                yield at_step(Located(step, here), Code.OPEN_PATH, problem, fix, key=key)
        inner, below = risks, place
        if isinstance(step, RunbookStep):
            inner, below = _Risks(policy, risks.given(step.arguments)), here
        for inside in lists_of(step):
            yield from _in_steps(policy, inside, inner, below)


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


class _Risks:
    """What others may choose among the names that a policy's expressions know.

    Args:
        params: of each param of the runbook around, what others may choose in it.
    """

    def __init__(self, policy: Policy, params: Mapping[str, str]) -> None:
        named = [one.events for one in policy.triggers if isinstance(one, EventTrigger)]
        self._shape = either(map(shape_of, named))
        self._is_own = any(event.startswith("REACTOR") for events in named for event in events)
        self._vars = dict(policy.vars)
        self._params = params

    def given(self, arguments: Tree) -> dict[str, str]:
        """What others may choose in each of the arguments of a runbook, empty for nothing."""
        known = arguments if isinstance(arguments, Mapping) else {}
        return {name: self._in_tree(tree) for name, tree in known.items()}

    def in_expression(self, part: Expression) -> str:
        """The first path that it reads and that others may choose; empty when there is none."""
        return self._in(part.tree)

    def _in_tree(self, tree: Tree) -> str:
        parts = (part for template in templates(tree) for part in template.parts)
        reads = (self.in_expression(one) for one in parts if isinstance(one, Expression))
        return next(filter(None, reads), "")

    def _in(self, node: Node) -> str:
        if isinstance(node, Call) and node.function == "slug":
            return ""
        path = static_path(node, frozenset(), maybe=True)
        if path is not None:
            return show(path) if self._is_open(path) else ""
        return next(filter(None, map(self._in, children(node))), "")

    def _is_open(self, path: Path) -> bool:
        match path:
            case ("message" | "topic", *_):
                return True
            case ("trigger", "data", *names) | ("data", *names):
                return bool(names) and self._is_text(".".join(map(str, names)))
            case ("vars", str(name)):
                return bool(self._in_tree(self._vars.get(name)))
            case ("params", str(name)):
                return bool(self._params.get(name))
            case _:
                return False

    def _is_text(self, member: str) -> bool:
        """Whether the member of the data may be any text."""
        known = None if self._shape is None else self._shape.members.get(member)
        if known is None or known.values is not None or Kind.TEXT not in known.kinds:
            return False
        return self._is_own or member.rpartition(".")[2] not in _IDS
