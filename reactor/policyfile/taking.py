"""The policies of many documents, and what is wrong with each: all at once, or part by part.

A policy is compiled and looked at without the others, but for their names and for what they
arm. So parts of a set can be taken apart from each other, and come to the same together.
"""

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field, replace

from reactor.core.policy import Policy
from reactor.errors import Problem
from reactor.policyfile import schema
from reactor.policyfile.builder import build
from reactor.policyfile.calls import Ask
from reactor.policyfile.findings import fit
from reactor.policyfile.lints.others import Others, others_of
from reactor.policyfile.lints.whole import lint_policy, lint_rest
from reactor.policyfile.nodes import Dictionary, way
from reactor.policyfile.papers import Paper
from reactor.policyfile.rest import rest_of
from reactor.policyfile.runbooks import Library
from reactor.policyfile.sites import compile_policy


@dataclass(slots=True)
class Taken:
    """What came of documents of policies, in their order.

    ``problems`` hold policies back, ``warnings`` do not. ``roots`` are the trees of the
    ``policies``, for who looks at them again; they are not there in what was joined.
    ``rests`` are the other policies without what is wrong in them: nobody runs them.
    """

    policies: list[Policy] = field(default_factory=list)
    roots: list[Dictionary] = field(default_factory=list)
    rests: list[Policy] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)

    def add(self, part: "Taken") -> None:
        """Let what came of more documents stand behind it, all but their trees."""
        self.policies += part.policies
        self.rests += part.rests
        self.problems += part.problems
        self.warnings += part.warnings
        self.asks += part.asks


Take = Callable[[Sequence[Paper], Library, Container[str]], Taken]
"""Something that takes the policies of documents: `take`, or what comes to the same.

It is given the runbooks that they may run, and the names that stand twice.
"""


def take(papers: Sequence[Paper], library: Library, doubled: Container[str]) -> Taken:
    """The sound policies of these documents, and what is wrong with the others.

    Args:
        library: the runbooks that they may run.
        doubled: the names of policies that stand twice in the set: none of these is taken.
    """
    taken = Taken()
    for document, root in papers:
        model, problems = fit(root, schema.Policy)
        compiler = compile_policy(root, library.shelf)
        problems += compiler.problems
        problems += library.problems(root, compiler)
        taken.asks += compiler.asks if document.is_sound else ()
        if model is not None and document.is_sound and not problems:
            if model.policy not in doubled:
                taken.policies.append(build(document, root, model, compiler, library))
                taken.roots.append(root)
        elif rest := rest_of(Paper(document, root), problems, library):
            taken.rests.append(rest)
            taken.warnings += (pointed(problem, root) for problem in lint_rest(rest))
        taken.warnings += compiler.notes
        taken.problems += problems
    return taken


def lint(taken: Taken, others: Others) -> None:
    """Add what is doubtful about each of the policies; ``others`` is of the whole set."""
    for policy, root in zip(taken.policies, taken.roots, strict=True):
        lints = lint_policy(policy, root.entries, others)
        taken.warnings += [pointed(problem, root) for problem in lints]


def take_and_lint(papers: Sequence[Paper], library: Library, doubled: Container[str]) -> Taken:
    """The policies of a whole set, with what is doubtful about each."""
    taken = take(papers, library, doubled)
    lint(taken, others_of(taken.policies))
    return taken


def joined(parts: Iterable[Taken]) -> Taken:
    """Parts of a set in their order, as one."""
    whole = Taken()
    for part in parts:
        whole.add(part)
    return whole


def pointed(problem: Problem, root: Dictionary) -> Problem:
    """The problem at the value that its path names, where its place is only somewhere above it."""
    nodes = list(way(root, problem.path))
    steps = problem.path.split("/")
    there, rest = steps[: len(nodes) - 1], steps[len(nodes) - 1 :]
    # A list of one event may be written as its name; any other rest is in a runbook.
    is_found = all(step == "event" or step.isdecimal() for step in rest)
    if not is_found or problem.place not in {node.place for node in nodes}:
        return problem
    return replace(problem, place=nodes[-1].place, path="/".join(there))
