"""Runbooks: which there are, which can be run, and what belongs to a policy that runs them."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import NamedTuple, TypeVar

from reactor.errors import Code, Place, Problem
from reactor.policyfile.expressions import Compiler, Use
from reactor.policyfile.findings import fit
from reactor.policyfile.nodes import Dictionary, Scalar
from reactor.policyfile.papers import Paper, doubled
from reactor.policyfile.reader import read
from reactor.policyfile.runbook_params import Shelf
from reactor.policyfile.schema_runbook import Runbook
from reactor.policyfile.sites import compile_runbook

DEPTH_MAX = 10
"""Runbooks that may run each other in turn."""

STEPS_MAX = 10_000
"""Steps of a policy with those of its runbooks, each counted as often as it is run."""


@dataclass(frozen=True, slots=True)
class Book:
    """A runbook document that can be run; ``depth`` and ``steps`` count the runbooks inside."""

    model: Runbook
    paper: Paper
    made: Compiler
    depth: int
    steps: int


@dataclass(frozen=True, slots=True)
class Library:
    """The runbooks that can be run, by name, and how those who run them see them."""

    books: Mapping[str, Book] = field(default_factory=dict)
    shelf: Shelf = field(default_factory=Shelf)

    def used(self, made: Compiler) -> dict[str, Book]:
        """The runbooks that these steps run, directly or not, in the order of their names."""
        found: dict[str, Book] = {}
        left = [use.runbook for use in made.uses]
        while left:
            name = left.pop()
            if name not in found:
                found[name] = self.books[name]
                left += [use.runbook for use in self.books[name].made.uses]
        return dict(sorted(found.items()))

    def problems(self, root: Dictionary, made: Compiler) -> Iterator[Problem]:
        """Why the steps of a policy cannot run their runbooks."""
        yield from (_broken(use) for use in made.uses if use.runbook in self.shelf.broken)
        books = [self.books[use.runbook] for use in made.uses if use.runbook in self.books]
        yield from _too_large(made, books, root.place)


def _broken(use: Use) -> Problem:
    problem = f"the runbook `{use.runbook}` has problems of its own"
    return Problem(use.place, Code.WRONG_VALUE, problem, "mend them first", path=use.path)


def _too_large(made: Compiler, books: Sequence[Book], place: Place) -> Iterator[Problem]:
    steps = made.steps + sum(book.steps for book in books)
    if steps > STEPS_MAX:
        problem = f"with its runbooks it has {steps} steps, and {STEPS_MAX} are the most"
        yield Problem(place, Code.WRONG_VALUE, problem, "run fewer, or smaller ones")


class _Draft(NamedTuple):
    """A runbook that is sound in itself; what it runs is not known yet."""

    model: Runbook
    paper: Paper
    made: Compiler


def make_library(papers: Sequence[Paper], base: Library, problems: list[Problem]) -> Library:
    """The runbooks of these documents and of ``base``, whose names nobody else may have.

    Everything that is wrong with one of them goes to ``problems``.
    """
    fitted = []
    for paper in papers:
        model, found = fit(paper.root, Runbook)
        problems += found
        fitted.append((paper, model))
    names = {_name_of(paper) for paper in papers}
    taken = doubled("runbook", papers, problems) | set(_reserved(papers, base, problems))
    models = {model.runbook: model for _, model in fitted if model is not None}
    params = {name: model.params for name, model in models.items() if name not in taken}
    shelf = Shelf({**params, **base.shelf.params}, names)
    drafts = {}
    for paper, model in fitted:
        made = compile_runbook(paper.root, shelf)
        problems += made.problems
        is_sound = paper.document.is_sound and not made.problems
        if is_sound and model is not None and model.runbook not in taken:
            drafts[model.runbook] = _Draft(model, paper, made)
    books = _bind_all(drafts, base, names - drafts.keys(), problems)
    params = {name: books[name].model.params for name in books}
    return Library(books, Shelf(params, names - books.keys()))


def _name_of(paper: Paper) -> str:
    node = paper.root.get("runbook")
    return str(node.value) if isinstance(node, Scalar) else ""


def _reserved(papers: Sequence[Paper], base: Library, problems: list[Problem]) -> Iterator[str]:
    for paper in papers:
        name = _name_of(paper)
        if name in base.books:
            problem = f"`{name}` is a built-in runbook"
            place = paper.root.entries["runbook"].value.place
            fix = "choose another name"
            problems.append(Problem(place, Code.DUPLICATE_NAME, problem, fix, path="runbook"))
            yield name


def _bind_all(
    drafts: Mapping[str, _Draft], base: Library, broken: Iterable[str], problems: list[Problem]
) -> dict[str, Book]:
    """The drafts of which all runbooks that they run can be run."""
    done: dict[str, Book | None] = {**dict.fromkeys(broken), **base.books}
    _bind_ripe(drafts, done, problems)
    # What is left runs itself, or runs something that does.
    left = {name: draft for name, draft in drafts.items() if name not in done}
    for name in sorted(left):
        if name not in done and name in (circle := _reached(name, left)):
            circle = {other for other in circle if name in _reached(other, left)}
            use = next(use for use in left[name].made.uses if use.runbook in circle)
            through = "" if use.runbook == name else f", through `{use.runbook}`"
            problem = f"the runbook `{name}` runs itself{through}"
            fix = "take this step out: a runbook comes to an end"
            problems.append(Problem(use.place, Code.WRONG_VALUE, problem, fix, path=use.path))
            done |= dict.fromkeys(circle)
    _bind_ripe(drafts, done, problems)
    return {name: book for name, book in done.items() if book is not None}


def _reached(name: str, drafts: Mapping[str, _Draft]) -> set[str]:
    """The drafts that this one runs, directly or not."""
    found: set[str] = set()
    left = [name]
    while left:
        for use in drafts[left.pop()].made.uses:
            if use.runbook in drafts and use.runbook not in found:
                found.add(use.runbook)
                left.append(use.runbook)
    return found


def _bind_ripe(
    drafts: Mapping[str, _Draft], done: dict[str, Book | None], problems: list[Problem]
) -> None:
    """Bind the drafts of which all that they run is known, until none is left."""
    left = [name for name in drafts if name not in done]
    while ripe := [
        name for name in left if all(use.runbook in done for use in drafts[name].made.uses)
    ]:
        for name in ripe:
            done[name] = _bind(drafts[name], done, problems)
        left = [name for name in left if name not in done]


def _bind(draft: _Draft, done: Mapping[str, Book | None], problems: list[Problem]) -> Book | None:
    model, paper, made = draft
    found: list[Problem] = []
    books = []
    for use in made.uses:
        book = done[use.runbook]
        if book is None:
            found.append(_broken(use))
        elif book.depth == DEPTH_MAX:
            problem = f"runbooks run each other deeper than {DEPTH_MAX}"
            fix = "write some of the steps out"
            found.append(Problem(use.place, Code.WRONG_VALUE, problem, fix, path=use.path))
        else:
            books.append(book)
    found += _too_large(made, books, paper.root.place)
    problems += found
    if found:
        return None
    depth = 1 + max((book.depth for book in books), default=0)
    steps = made.steps + sum(book.steps for book in books)
    return Book(model, paper, made, depth, steps)


@functools.cache
def built_in() -> Library:
    """The runbooks that come with reactor."""
    file = resources.files("reactor.policyfile") / "builtin" / "runbooks.yaml"
    papers = [
        Paper(document, document.root)
        for document in read(file.read_text("utf-8"), "built-in runbooks").documents
        if isinstance(document.root, Dictionary)
    ]
    return make_library(papers, Library(), [])


_Value = TypeVar("_Value")


class _Later(Mapping[str, _Value]):
    """A mapping that is made when it is first looked at."""

    def __init__(self, make: Callable[[], Mapping[str, _Value]]) -> None:
        self._make = make

    def __getitem__(self, key: str) -> _Value:
        return self._make()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._make())

    def __len__(self) -> int:
        return len(self._make())


def built_in_later() -> Library:
    """The same, read when a step runs a runbook: most policies run none."""
    return Library(_Later(lambda: built_in().books), Shelf(_Later(lambda: built_in().shelf.params)))
