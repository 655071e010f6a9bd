"""Documents of a known kind, and the names that they have among their own."""

from collections.abc import Iterable
from typing import NamedTuple

from reactor.errors import Code, Place, Problem
from reactor.policyfile.mistakes import brief
from reactor.policyfile.nodes import Dictionary, Scalar
from reactor.policyfile.reader import Document


class Paper(NamedTuple):
    """A document of a known kind, and its tree."""

    document: Document
    root: Dictionary


def doubled(kind: str, papers: Iterable[Paper], problems: list[Problem]) -> set[str]:
    """The names that stand more than once; each place after the first is a problem."""
    first: dict[str, Place] = {}
    doubled = set()
    nodes = [node for _, root in papers if isinstance(node := root.get(kind), Scalar)]
    for node in sorted(nodes, key=lambda node: node.place):
        name = str(node.value)
        if name in first:
            doubled.add(name)
            problem = f"the {kind} `{brief(name)}` stands twice, first in {first[name]}"
            fix = "rename one of them"
            problems.append(Problem(node.place, Code.DUPLICATE_NAME, problem, fix, path=kind))
        else:
            first[name] = node.place
    return doubled


def names(kind: str, papers: Iterable[Paper]) -> set[str]:
    """The names that documents of this kind have, sound or not."""
    nodes = (root.get(kind) for _, root in papers)
    return {str(node.value) for node in nodes if isinstance(node, Scalar)}
