"""Policy files in, checked policies and all their problems out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reactor.core.config import EngineConfig
from reactor.core.policy import Policy
from reactor.core.text import closest
from reactor.errors import Code, Place, PolicyError, Problem, Severity
from reactor.policyfile.builder import build
from reactor.policyfile.files import Source, read_all
from reactor.policyfile.findings import fit
from reactor.policyfile.lints import lint
from reactor.policyfile.nodes import Broken, Dictionary, Node, Scalar
from reactor.policyfile.permissions import forbidden
from reactor.policyfile.reader import Document, read
from reactor.policyfile.sites import compile_sites


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was found below some paths: the sound policies, and every problem in order.

    A policy with an error is not among ``policies``; the others are. ``files``
    counts the files that could be read.
    """

    policies: tuple[Policy, ...]
    problems: tuple[Problem, ...]
    files: int

    @property
    def is_sound(self) -> bool:
        """Whether there is no error among the problems."""
        return not any(problem.severity is Severity.ERROR for problem in self.problems)


def load(paths: Sequence[Path]) -> Loaded:
    """All policies of the files and folders, in one pass that reports every problem.

    Never raises. Two policies of one name are both left out, so that the order
    of files never decides.
    """
    sources, problems = read_all(paths)
    return _load(sources, _Found(problems=problems))


def load_text(text: str, file: str) -> Loaded:
    """The same for one text that is no file."""
    return _load([Source(file, text)], _Found())


def _load(sources: Sequence[Source], found: "_Found") -> Loaded:
    for source in sources:
        _collect(source.text, source.file, 1, found)
    doubled = _doubled(found)
    policies = tuple(policy for policy in found.policies if policy.name not in doubled)
    warnings = [problem for policy in policies for problem in lint(policy)]
    return Loaded(policies, _ordered(found.problems + warnings), len(sources))


@dataclass(slots=True)
class _Found:
    """What one pass has found so far; ``names`` has those of broken policies too."""

    policies: list[Policy] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    names: list[tuple[str, Place]] = field(default_factory=list)


def _collect(text: str, file: str, first_line: int, found: _Found) -> None:
    reading = read(text, file, first_line)
    found.problems += reading.problems
    for document in reading.documents:
        root = document.root
        if wrong := _kind_problem(root):
            found.problems.append(wrong)
        elif isinstance(root, Dictionary):
            _take(document, root, found)


def _take(document: Document, root: Dictionary, found: _Found) -> None:
    name = root.get("policy")
    if isinstance(name, Scalar):
        found.names.append((str(name.value), name.place))
    model, problems = fit(root)
    compiler = compile_sites(root)
    problems += compiler.problems
    if model is not None and document.is_sound and not problems:
        found.policies.append(build(document, root, model, compiler))
    found.problems += problems


def _kind_problem(root: Node) -> Problem | None:
    """Why the document is no policy at all; None when it is one, or was refused before."""
    begin = "begin it with `policy:`"
    if isinstance(root, Broken) or (isinstance(root, Dictionary) and "policy" in root.entries):
        return None
    if not isinstance(root, Dictionary) or not root.entries:
        return Problem(root.place, Code.WRONG_VALUE, "the document is no mapping with keys", begin)
    kind, entry = next(iter(root.entries.items()))
    fix = "did you mean `policy`?" if closest(kind, ("policy",)) else begin
    problem = f"a document cannot begin with `{kind}`"
    return Problem(entry.key_place, Code.UNKNOWN_KEY, problem, fix)


def _doubled(found: _Found) -> set[str]:
    """The names that stand more than once; each place after the first is a problem."""
    first: dict[str, Place] = {}
    doubled = set()
    for name, place in sorted(found.names, key=lambda named: named[1]):
        if name in first:
            doubled.add(name)
            problem = f"the policy `{name}` stands twice, first in {first[name]}"
            found.problems.append(
                Problem(place, Code.DUPLICATE_NAME, problem, "rename one of them", path="policy")
            )
        else:
            first[name] = place
    return doubled


def _ordered(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: problem.place))


def build_policy(source: str, place: Place) -> Policy:
    """The policy of which this is the ``source``, found in the journal.

    Args:
        place: the policy's place; with it the policy equals the one it was.

    Raises:
        PolicyError: this version refuses what an older one took.
    """
    found = _Found()
    _collect(source, place.file, place.line, found)
    if len(found.policies) != 1 or found.problems:
        gone = Problem(place, Code.YAML, "this is not one policy", "write it again")
        raise PolicyError(_ordered(found.problems) or [gone])
    return found.policies[0]


def check_allowed(policies: Iterable[Policy], config: EngineConfig) -> tuple[Problem, ...]:
    """What the settings forbid these policies: commands, and dumps outside their folder."""
    problems = [problem for policy in policies for problem in forbidden(policy, config)]
    return _ordered(problems)
