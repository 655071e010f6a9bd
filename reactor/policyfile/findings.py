"""A document's tree laid on the models; what does not fit, in our words and with its place.

The models of `test:` documents are imported when one is there: they are as many as all others.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from reactor.core.text import closest
from reactor.errors import Code, Place, Problem
from reactor.policyfile.mistakes import brief, spell
from reactor.policyfile.nodes import Broken, Dictionary, Node, Scalar, Sequence
from reactor.policyfile.schema_base import Model
from reactor.policyfile.schema_step import Step
from reactor.policyfile.schema_steps import VERBS, verbs_of
from reactor.policyfile.schema_triggers import KINDS
from reactor.policyfile.schema_waits import WAITS
from reactor.policyfile.values import meant

_AnyModel = TypeVar("_AnyModel", bound=Model)


class _Spot(NamedTuple):
    """A node and the way to it from the root; ``key_place`` is its key's, if it has one."""

    node: Node
    path: tuple[str, ...]
    key_place: Place


class _Said(NamedTuple):
    """A finding before it has its path."""

    place: Place
    problem: str
    fix: str
    code: Code = Code.WRONG_VALUE


def fit(root: Dictionary, model: type[_AnyModel]) -> tuple[_AnyModel | None, list[Problem]]:
    """The tree as this model, or None, with everything that does not fit.

    Parts that the reader has complained about already are passed over.
    """
    laid, problems = Ground(root).fit(model)
    return (None if problems else laid), problems


@dataclass(slots=True)
class Ground:
    """The plain data made of a tree, and what pydantic did with each mapping of it.

    It serves any document that is read with our reader and described by a
    ``Model``: policies, and the settings.
    """

    root: Node
    complaints: list[Problem] = field(default_factory=list)
    spots: dict[int, _Spot] = field(default_factory=dict)
    models: dict[int, type[Model]] = field(default_factory=dict)

    def fit(self, model: type[_AnyModel]) -> tuple[_AnyModel | None, list[Problem]]:
        """The tree as this model, or None where pydantic refuses, with everything wrong."""
        laid = None
        problems: list[Problem] = []
        try:
            laid = model.model_validate(self.lay(self.root), context=self)
        except ValidationError as error:
            for details in error.errors(include_url=False):
                problems += self.translate(details)
        return laid, problems + self.complaints

    def lay(self, node: Node, path: tuple[str, ...] = ()) -> object:
        """The node as lists, dicts and scalars; a broken part stays the ``Broken`` it is."""
        match node:
            case Scalar(_, _, value):
                return value
            case Sequence(_, items):
                return [self.lay(item, (*path, str(index))) for index, item in enumerate(items)]
            case Dictionary(place, entries):
                data = {key: self.lay(entry.value, (*path, key)) for key, entry in entries.items()}
                self.spots[id(data)] = _Spot(node, path, place)
                return data
            case Broken():
                return node

    def saw(self, model: type[Model], data: Mapping[str, object]) -> None:
        """Pydantic laid this model on this mapping."""
        spot = self.spots[id(data)]
        self.models[id(spot.node)] = model
        for complaint in model.complaints(data):
            at = spot
            for step in complaint.way:
                at = _below(at, step)
            said = _Said(at.node.place, complaint.problem, complaint.fix)
            self.complaints.append(_problem(said, at.path))

    def find(self, location: tuple[int | str, ...]) -> _Spot:
        """The deepest node on this way; names of union members on it are passed over."""
        spot = _Spot(self.root, (), self.root.place)
        for step in location:
            spot = _below(spot, step)
        return spot

    def translate(self, error: ErrorDetails) -> Iterator[Problem]:
        """One of pydantic's errors as ours; nothing where the reader spoke already."""
        if isinstance(error["input"], Broken):
            return
        location, kind = error["loc"], error["type"]
        spot = self.find(location)
        if kind == "missing":
            said = self._missing(spot, str(location[-1]))
        elif kind == "extra_forbidden":
            said = self._extra(spot, self.find(location[:-1]))
        elif kind in {"union_tag_not_found", "union_tag_invalid"}:
            said = _union(spot, error)
        else:
            said = [_value(spot, error)]
        for one in said:
            yield _problem(one, spot.path)

    def _missing(self, spot: _Spot, key: str) -> list[_Said]:
        model = self.models[id(spot.node)]
        written = spot.node.entries if isinstance(spot.node, Dictionary) else {}
        unknown = written.keys() - set(model.words())
        # Who wrote `descripton` is told about that and no more.
        if any(closest(word, model.words()) == key for word in unknown):
            return []
        problem = f"the key `{key}` is missing"
        return [_Said(spot.node.place, problem, f"add `{key}:`", Code.MISSING_KEY)]

    def _extra(self, spot: _Spot, parent: _Spot) -> list[_Said]:
        key, model = spot.path[-1], self.models[id(parent.node)]
        place = spot.key_place
        fix = model.misplaced.get(key) or meant(key, model.words())
        if ":" in key:
            fix = "write a space behind the colon"
        elif isinstance(spot.node, Scalar) and spot.node.is_absent:
            fix = f"put the value before it in single quotes if this is part of it; or {fix}"
        return [_Said(place, f"`{brief(key)}` is no key here", fix, Code.UNKNOWN_KEY)]


_Ground = Ground


def _below(spot: _Spot, step: int | str) -> _Spot:
    """The spot one step down, or the spot itself where the step leads nowhere."""
    node, path, _ = spot
    if isinstance(node, Sequence) and isinstance(step, int):
        item = node.items[step]
        return _Spot(item, (*path, str(step)), item.place)
    if isinstance(node, Dictionary) and isinstance(step, str) and step in node.entries:
        entry = node.entries[step]
        return _Spot(entry.value, (*path, step), entry.key_place)
    return spot


def _problem(said: _Said, path: tuple[str, ...]) -> Problem:
    return Problem(said.place, said.code, said.problem, said.fix, path="/".join(path))


_EXPECTED = {
    "string_type": ("a string", "put it in single quotes"),
    "bool_type": ("true or false", "write true or false"),
    "int_type": ("a whole number", "write a whole number"),
    "tuple_type": ("a list", "begin each entry with `- `"),
    "dict_type": ("a mapping", "write it as `key: value`"),
    "model_type": ("a mapping", "write it as `key: value`"),
}


def _value(spot: _Spot, error: ErrorDetails) -> _Said:
    kind, context = error["type"], error.get("ctx", {})
    place = spot.key_place if error["loc"][-1] == "[key]" else spot.node.place
    if kind == "wrong":
        return _Said(place, context["problem"], context["fix"])
    if kind == "not_built":
        return _Said(place, context["problem"], context["fix"], Code.NOT_BUILT)
    if error["input"] is None:
        return _Said(place, "the value is missing", "write it, or take the key out")
    what, fix = _EXPECTED[kind]
    if kind == "string_type" and isinstance(error["input"], dict | list | tuple):
        fix = "write one text"
    return _Said(place, f"{what} is expected here, not {spell(error['input'])}", fix)


def _union(spot: _Spot, error: ErrorDetails) -> list[_Said]:
    speak: dict[str, Callable[[_Spot], list[_Said]]] = {
        "_trigger_kind()": _which_trigger,
        "_wait_kind()": _which_wait,
        "_branch_kind()": _which_branch,
        "_verb()": _which_verb,
        "_arm_verb()": _which_arm,
        "_entry_kind()": _which_entry,
        "_effect_kind()": _which_effect,
    }
    return speak[error["ctx"]["discriminator"]](spot)


def _which_trigger(spot: _Spot) -> list[_Said]:
    node = spot.node
    if not isinstance(node, Dictionary):
        return [_Said(node.place, "a trigger is a mapping", "write it as `event: NAME`")]
    return _which(node, "trigger", KINDS, "make them two triggers")


def _which_wait(spot: _Spot) -> list[_Said]:
    node = spot.node
    if not isinstance(node, Dictionary):
        fix = "write `wait: {event: NAME}` or `wait: {until: CONDITION}`; for a fixed time `delay`"
        return [_Said(node.place, "a wait is a mapping", fix)]
    return _which(node, "wait", WAITS, "make them two steps")


def _which_branch(spot: _Spot) -> list[_Said]:
    node = spot.node
    if not isinstance(node, Dictionary):
        fix = "write it as `- when: CONDITION` with `steps:`"
        return [_Said(node.place, "a way of `choose` is a mapping", fix)]
    return _which(node, "way of `choose`", ("when", "default"), "make them two ways")


def _which_entry(spot: _Spot) -> list[_Said]:
    node = spot.node
    if not isinstance(node, Dictionary):
        fix = "write it as `{at: 5m, event: NAME, guest: NAME}`"
        return [_Said(node.place, "an entry of the timeline is a mapping", fix)]
    from reactor.policyfile.schema_timeline import ENTRIES

    known = {word for model in ENTRIES.values() for word in model.words()}
    return _which(node, "entry", tuple(ENTRIES), "make them two entries", known)


def _which_effect(spot: _Spot) -> list[_Said]:
    node = spot.node
    if not isinstance(node, Dictionary):
        return [_Said(node.place, "an expectation is a mapping", "write it as `- VERB: value`")]
    from reactor.policyfile.schema_expect import EXPECTATIONS, WITHOUT_EFFECT, Expected

    if "not" in node.entries:
        fix = "write what stands beside it inside: `not: {VERB: ..., at: ...}`"
        return [_Said(node.place, "`not` stands alone, around an expectation", fix)]
    for verb in WITHOUT_EFFECT:
        if verb in node.entries:
            problem = f"`{verb}` has no effect outside of its run"
            fix = "expect what follows from it, or `run: POLICY` with its `outcome`"
            return [_Said(node.entries[verb].key_place, problem, fix)]
    words = set(Expected.words())
    return _which(node, "expectation", tuple(EXPECTATIONS), "make them two expectations", words)


def _which(
    node: Dictionary,
    what: str,
    keys: tuple[str, ...],
    apart: str,
    others: Collection[str] = (),
) -> list[_Said]:
    """A mapping that has not exactly one of these keys, nor is mistaken in one of ``others``."""
    there = [f"`{key}`" for key in keys if key in node.entries]
    for unknown, entry in node.entries.items() if not there else ():
        if unknown not in others and (guess := closest(unknown, keys)):
            fix = f"did you mean `{guess}`?"
            problem = f"`{brief(unknown)}` is no key here"
            return [_Said(entry.key_place, problem, fix, Code.UNKNOWN_KEY)]
    known = f"{', '.join(f'`{key}`' for key in keys[:-1])} and `{keys[-1]}`"
    has = " and ".join(there) or "none of them"
    article = "an" if what[0] == "e" else "a"
    problem = f"{article} {what} has exactly one of {known}, this one has {has}"
    return [_Said(node.place, problem, apart if there else "write one of them")]


def _which_verb(spot: _Spot) -> list[_Said]:
    node = spot.node
    if not isinstance(node, Dictionary):
        return [_Said(node.place, "a step is a mapping with a verb", "write it as `- verb: value`")]
    verbs = verbs_of(node.entries)
    if verbs:
        several = " and ".join(f"`{verb}`" for verb in verbs)
        problem = f"a step has exactly one verb, this one has {several}"
        return [_Said(node.place, problem, "make them separate steps")]
    unknown = [key for key in node.entries if key not in Step.words()]
    for key in unknown:
        if verb := closest(key, VERBS):
            place = node.entries[key].key_place
            return [
                _Said(place, f"unknown step `{brief(key)}`", f"write `{verb}`", Code.UNKNOWN_KEY)
            ]
    fix = f"write one of: {', '.join(VERBS)}"
    if unknown:
        place = node.entries[unknown[0]].key_place
        return [_Said(place, f"unknown step `{brief(unknown[0])}`", fix, Code.UNKNOWN_KEY)]
    return [_Said(node.place, "the step has no verb", fix, Code.MISSING_KEY)]


def _which_arm(spot: _Spot) -> list[_Said]:
    node = spot.node
    if isinstance(node, Dictionary) and len(verbs := verbs_of(node.entries)) == 1:
        fix = "use `qmp` or `guest: preserve-on-panic`"
        return [_Said(node.place, f"`{verbs[0]}` cannot stand in `arm`", fix)]
    return _which_verb(spot)
