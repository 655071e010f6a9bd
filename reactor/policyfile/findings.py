"""A document's tree laid on the models; what does not fit, in our words and with its place.

The models of `test:` documents are imported when one is there: they are as many as all others.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from reactor.errors import Code, Problem
from reactor.policyfile.mistakes import brief, spell
from reactor.policyfile.nodes import Broken, Dictionary, Node, Scalar, Sequence
from reactor.policyfile.schema_base import Model
from reactor.policyfile.unions import Said, Spot, union
from reactor.policyfile.values import meant

_AnyModel = TypeVar("_AnyModel", bound=Model)


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
    spots: dict[int, Spot] = field(default_factory=dict)
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
                self.spots[id(data)] = Spot(node, path, place)
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
            said = Said(at.node.place, complaint.problem, complaint.fix)
            self.complaints.append(_problem(said, at.path))

    def find(self, location: tuple[int | str, ...]) -> Spot:
        """The deepest node on this way; names of union members on it are passed over."""
        spot = Spot(self.root, (), self.root.place)
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
            said = union(spot, error)
        else:
            said = [_value(spot, error)]
        for one in said:
            yield _problem(one, spot.path)

    def _missing(self, spot: Spot, key: str) -> list[Said]:
        model = self.models[id(spot.node)]
        written = spot.node.entries if isinstance(spot.node, Dictionary) else {}
        # Who wrote `descripton` is told about that and no more.
        if model.is_meant(key, written):
            return []
        problem = f"the key `{key}` is missing"
        return [Said(spot.node.place, problem, f"add `{key}:`", Code.MISSING_KEY)]

    def _extra(self, spot: Spot, parent: Spot) -> list[Said]:
        key, model = spot.path[-1], self.models[id(parent.node)]
        place = spot.key_place
        fix = model.fix_of(key) or meant(key, model.words())
        if ":" in key:
            fix = "write a space behind the colon"
        elif isinstance(spot.node, Scalar) and spot.node.is_absent:
            fix = f"put the value before it in single quotes if this is part of it; or {fix}"
        return [Said(place, f"`{brief(key)}` is no key here", fix, Code.UNKNOWN_KEY)]


_Ground = Ground


def _below(spot: Spot, step: int | str) -> Spot:
    """The spot one step down, or the spot itself where the step leads nowhere."""
    node, path, _ = spot
    if isinstance(node, Sequence) and isinstance(step, int):
        item = node.items[step]
        return Spot(item, (*path, str(step)), item.place)
    if isinstance(node, Dictionary) and isinstance(step, str) and step in node.entries:
        entry = node.entries[step]
        return Spot(entry.value, (*path, step), entry.key_place)
    return spot


def _problem(said: Said, path: tuple[str, ...]) -> Problem:
    return Problem(said.place, said.code, said.problem, said.fix, path="/".join(path))


_EXPECTED = {
    "string_type": ("a string", "put it in single quotes"),
    "bool_type": ("true or false", "write true or false"),
    "int_type": ("a whole number", "write a whole number"),
    "tuple_type": ("a list", "begin each entry with `- `"),
    "dict_type": ("a mapping", "write it as `key: value`"),
    "model_type": ("a mapping", "write it as `key: value`"),
}


_EXAMPLES = {
    "Approval": "write `approval: {ask: TEXT}`, or `approval: {}`",
    "ClearTarget": "write `clear: {disk: NODE}`, or `clear: {guest: self}`",
    "EventWait": "write `wait: {event: NAME, timeout: 5m}`",
    "Guests": "write `guests: {name: 'web-*'}`",
    "Inhibition": "write `inhibit: {policies: ['*'], for: 1h}`",
    "MarkTarget": "write `mark: {guest: self, as: WORD}`",
    "Request": "write `http: {url: 'https://...'}`",
    "Retry": "write `retry: {times: 3, backoff: 10s}`",
    "Rounds": "write `repeat: {times: 3, backoff: 10s}`",
}
"""What to write where a scalar stands in the place of one of these models."""

_TEXTS = {
    "publish": "write `publish: TOPIC`, and `payload:` beside it",
    "log": "write `log: TEXT`; what is to be read by programs goes out with `publish`",
}
"""What to write where a mapping stands in the place of one of these texts."""


def _instead(error: ErrorDetails) -> str:
    """What to write in the place of a value of another kind, where more can be told than that."""
    given, where = error["input"], error["loc"]
    match error["type"]:
        case "model_type":
            return _EXAMPLES.get(error["ctx"]["class_name"], "")
        case "string_type" if isinstance(given, dict | list | tuple):
            return _TEXTS.get(str(where[-1]), "write one text")
        case "tuple_type" if where[-1] == "exec" and isinstance(given, str):
            return f"write it as a list: [{', '.join(given.split())}]"
        case "tuple_type" if "parallel" in where[-2:-1]:
            return "write it as `- - VERB: VALUE`: each branch is a list of steps"
        case "tuple_type" if where == ("limits",):
            return "write `limits: [3 per 1h per guest]`"
        case _:
            return ""


def _value(spot: Spot, error: ErrorDetails) -> Said:
    kind, context = error["type"], error.get("ctx", {})
    place = spot.key_place if error["loc"][-1] == "[key]" else spot.node.place
    if kind == "wrong":
        return Said(place, context["problem"], context["fix"])
    if kind == "not_built":
        return Said(place, context["problem"], context["fix"], Code.NOT_BUILT)
    if error["input"] is None:
        return Said(place, "the value is missing", "write it, or take the key out")
    what, fix = _EXPECTED[kind]
    fix = _instead(error) or fix
    return Said(place, f"{what} is expected here, not {spell(error['input'])}", fix)
