"""Policy files in, checked policies and all their problems out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from reactor.core.config import EngineConfig
from reactor.core.policy import Policy
from reactor.core.text import closest
from reactor.errors import Code, Place, PolicyError, Problem, Severity
from reactor.policyfile.builder import BETWEEN
from reactor.policyfile.builder_steps import steps_of
from reactor.policyfile.calls import Ask
from reactor.policyfile.files import Source, Typed, read_all
from reactor.policyfile.findings import fit
from reactor.policyfile.foreign import DOCUMENT, fix_of
from reactor.policyfile.ignores import Ignore, ignores_of, useless, without_ignored
from reactor.policyfile.lints.texts import odd_texts
from reactor.policyfile.lints.whole import lint_set, lint_steps
from reactor.policyfile.mistakes import brief
from reactor.policyfile.nodes import Broken, Dictionary, Node
from reactor.policyfile.nodes import Sequence as Items
from reactor.policyfile.papers import Paper, doubled, names
from reactor.policyfile.permissions import forbidden, needed
from reactor.policyfile.reader import read
from reactor.policyfile.runbooks import Library, built_in_later, make_library
from reactor.policyfile.taking import Take, Taken, pointed, take, take_and_lint

if TYPE_CHECKING:
    from reactor.policyfile.policy_tests import PolicyTest


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was found below some paths: the sound policies, and every problem in order.

    A policy with an error is not among ``policies``; the others are. ``files``
    counts the files that could be read. ``tests`` are the sound `test:` documents in
    the order of the files, and ``test_problems`` what is wrong with the others: both
    are for those who test, and never hold a policy back. ``asks`` are the commands that
    policies and runbooks send and the events that they wait for, to be held against
    schemas of QEMU; those of policies that are not sound are among them. ``ignores`` are
    the comments that ask for a finding not to be told. ``rests`` are the policies that are
    not sound without what is wrong in them: nobody runs them.
    """

    policies: tuple[Policy, ...]
    problems: tuple[Problem, ...]
    files: int
    tests: "tuple[PolicyTest, ...]" = ()
    test_problems: tuple[Problem, ...] = ()
    asks: tuple[Ask, ...] = ()
    ignores: tuple[Ignore, ...] = ()
    rests: tuple[Policy, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether there is no error among the problems."""
        return not any(problem.severity is Severity.ERROR for problem in self.problems)


def load(paths: Sequence[Path], typed: Typed | None = None, take: Take = take_and_lint) -> Loaded:
    """All policies of the files and folders, in one pass that reports every problem.

    Never raises. Two policies of one name are both left out, so that the order
    of files never decides.

    Args:
        typed: a file as it stands in an editor: it is taken for what is on the disk.
        take: how the policies are taken; any way comes to the same.
    """
    sources, problems = read_all(paths, typed)
    return _load(sources, _Found(take=take, problems=problems))


def load_text(text: str, file: str) -> Loaded:
    """The same for one text that is no file."""
    return _load([Source(file, text)], _Found(take=take_and_lint))


def _load(sources: Sequence[Source], found: "_Found") -> Loaded:
    for source in sources:
        _collect(source.text, source.file, 1, found)
    _take_all(found)
    policies = tuple(found.policies)
    roots = {document.place: root for document, root in found.papers.get("policy", ())}
    named = names("policy", found.papers.get("policy", ()))
    for policy, problem in lint_set(policies, named):
        found.warnings.append(pointed(problem, roots[policy.place]))
    every = [*found.problems, *found.warnings, *found.test_problems]
    told = without_ignored(found.problems + found.warnings, found.ignores)
    problems = _ordered([*told, *useless(every, found.ignores)])
    about_tests = _ordered(without_ignored(found.test_problems, found.ignores))
    tests = tuple(found.tests)
    asks, ignores = tuple(found.asks), tuple(found.ignores)
    rests = tuple(found.rests)
    return Loaded(policies, problems, len(sources), tests, about_tests, asks, ignores, rests)


@dataclass(slots=True, kw_only=True)
class _Found(Taken):
    """What one pass has found so far; ``papers`` are the documents by their kinds."""

    take: Take
    papers: dict[str, list[Paper]] = field(default_factory=dict)
    tests: "list[PolicyTest]" = field(default_factory=list)
    test_problems: list[Problem] = field(default_factory=list)
    ignores: list[Ignore] = field(default_factory=list)
    library: Library = field(default_factory=built_in_later)


def _collect(text: str, file: str, first_line: int, found: _Found) -> None:
    reading = read(text, file, first_line)
    found.problems += reading.problems
    roots = [document.root for document in reading.documents]
    found.ignores += ignores_of(text, file, first_line, roots)
    for document in reading.documents:
        root = document.root
        if wrong := _kind_problem(root):
            found.problems.append(wrong)
        elif isinstance(root, Dictionary):
            kind = next(key for key in root.entries if key in KINDS)
            found.warnings += odd_texts(root, document.odd)
            found.papers.setdefault(kind, []).append(Paper(document, root))


def _take_all(found: _Found) -> None:
    for kind, take_these in KINDS.items():
        take_these(found.papers.get(kind, ()), found)


def _take_runbooks(papers: Sequence[Paper], found: _Found) -> None:
    if not papers:
        return
    base = found.library
    library = found.library = make_library(papers, base, found.problems)
    for name in library.books.keys() - base.books.keys():
        book = library.books[name]
        root, lints = book.paper.root, lint_steps(steps_of(book, library))
        found.asks += book.made.asks
        found.warnings += [*book.made.notes, *(pointed(problem, root) for problem in lints)]


def _take_policies(papers: Sequence[Paper], found: _Found) -> None:
    twice = doubled("policy", papers, found.problems)
    found.add(found.take(papers, found.library, twice))


def _take_tests(papers: Sequence[Paper], found: _Found) -> None:
    if not papers:
        return
    # Models as many as those of policies: most sets that are checked have no tests.
    from reactor.policyfile.builder_tests import build_test
    from reactor.policyfile.schema_tests import Test
    from reactor.policyfile.tests_check import unknown_names

    doubled("test", papers, found.test_problems)
    policies = frozenset(names("policy", found.papers.get("policy", ())))
    for document, root in papers:
        model, problems = fit(root, Test)
        problems += unknown_names(root, policies)
        is_sound = document.is_sound and all(p.severity is not Severity.ERROR for p in problems)
        if model is not None and is_sound:
            found.tests.append(build_test(document.place, root, model))
        found.test_problems += problems


KINDS: Mapping[str, Callable[[Sequence[Paper], _Found], None]] = {
    "runbook": _take_runbooks,
    "policy": _take_policies,
    "test": _take_tests,
}
"""What a document may be, by its first key, and what takes all documents of that kind.

In this order: what needs the documents of another kind comes behind it.
"""


def _kind_problem(root: Node) -> Problem | None:
    """Why the document is of no kind at all; None when it is, or was refused before."""
    begin = f"begin it with {' or '.join(f'`{kind}:`' for kind in KINDS)}"
    if isinstance(root, Broken):
        return None
    if not isinstance(root, Dictionary) or not root.entries:
        fix = f"{begin}; of several, write `---` between them" if isinstance(root, Items) else begin
        return Problem(root.place, Code.WRONG_VALUE, "the document is no mapping with keys", fix)
    if not KINDS.keys().isdisjoint(root.entries):
        return None
    first, entry = next(iter(root.entries.items()))
    guess = closest(first, KINDS)
    fix = fix_of(first, DOCUMENT) or (f"did you mean `{guess}`?" if guess else begin)
    problem = f"a document cannot begin with `{brief(first)}`"
    return Problem(entry.key_place, Code.UNKNOWN_KEY, problem, fix)


def _ordered(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: problem.place))


def build_policy(source: str, place: Place) -> Policy:
    """The policy of which this is the ``source``, found in the journal.

    Args:
        place: the policy's place; with it the policy equals the one it was.

    Raises:
        PolicyError: this version refuses what an older one took.
    """
    found = _Found(take=take, library=Library())
    text, *books = source.split(BETWEEN)
    _collect(text, place.file, place.line, found)
    for book in books:
        _collect(book, f"runbook of {place.file}", 1, found)
    _take_all(found)
    if len(found.policies) != 1 or found.problems:
        gone = Problem(place, Code.YAML, "this is not one policy", "write it again")
        raise PolicyError(_ordered(found.problems) or [gone])
    return found.policies[0]


def permissions_of(policies: Iterable[Policy]) -> tuple[Problem, ...]:
    """A note for each permission that a policy needs, for who does not know the settings."""
    return _ordered(problem for policy in policies for problem in needed(policy))


def check_allowed(policies: Iterable[Policy], config: EngineConfig) -> tuple[Problem, ...]:
    """What the settings forbid these policies: commands, and dumps outside their folder."""
    problems = [problem for policy in policies for problem in forbidden(policy, config)]
    return _ordered(problems)
