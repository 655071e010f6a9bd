"""What a step gives to the runbook that it runs, held against what the runbook takes."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from reactor.core.cel_shapes import Kind, Member, Shape, named
from reactor.core.steps import ParamKind
from reactor.core.text import closest
from reactor.errors import Code, Place
from reactor.policyfile.mistakes import brief
from reactor.policyfile.nodes import Broken, Dictionary, Node, Scalar, plain
from reactor.policyfile.schema_runbook import AnyParam, Param, kind_of, value_problem

_ANY = frozenset({Kind.ANY})
_KINDS: dict[str, frozenset[Kind]] = {
    ParamKind.STRING: frozenset({Kind.TEXT}),
    ParamKind.INTEGER: frozenset({Kind.WHOLE}),
    ParamKind.NUMBER: frozenset({Kind.WHOLE, Kind.FRACTION}),
    ParamKind.BOOLEAN: frozenset({Kind.TRUTH}),
}
"""What is known of a param of a type; in a list or map there may be anything."""

_TAKEN = _KINDS | {
    ParamKind.LIST: frozenset({Kind.LIST}),
    ParamKind.MAP: frozenset({Kind.MAP}),
}


class Finding(NamedTuple):
    """What is wrong about a ``run:`` step; ``way`` leads from its ``with``, empty elsewhere."""

    place: Place
    code: Code
    problem: str
    fix: str
    way: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shelf:
    """The runbooks there are, with their params; of the ``broken`` ones they are not known."""

    params: Mapping[str, Mapping[str, AnyParam]] = field(default_factory=dict)
    broken: Collection[str] = ()

    def findings(
        self, name: Scalar, runbook: str, given: Dictionary, kinds: Mapping[str, Member]
    ) -> Iterator[Finding]:
        """What is wrong about running this runbook with these values.

        Args:
            kinds: what each of the values gives, templates included.
        """
        if runbook in self.params:
            params = self.params[runbook]
            found = list(_misfits(name.place, runbook, params, given))
            yield from found
            told = {finding.way for finding in found}
            yield from (one for one in _kinds(runbook, params, given, kinds) if one.way not in told)
        elif runbook not in self.broken:
            guess = closest(runbook, self.params)
            fix = "write a document that begins with `runbook:` and this name"
            problem = f"there is no runbook `{brief(runbook)}`"
            fix = f"did you mean `{guess}`?" if guess else fix
            yield Finding(name.place, Code.WRONG_VALUE, problem, fix)


def _misfits(
    place: Place, runbook: str, params: Mapping[str, AnyParam], given: Dictionary
) -> Iterator[Finding]:
    for key, entry in given.entries.items():
        if key not in params:
            guess = closest(key, params)
            known = ", ".join(params) or "none"
            fix = f"did you mean `{guess}`?" if guess else f"its params are: {known}"
            problem = f"the runbook `{runbook}` has no param `{brief(key)}`"
            yield Finding(entry.key_place, Code.UNKNOWN_KEY, problem, fix, (key,))
        elif not isinstance(entry.value, Broken):
            param = params[key]
            choices = list(param.enum) if isinstance(param, Param) and param.enum else None
            found = value_problem(kind_of(param), choices, plain(entry.value))
            if found:
                problem = f"`{key}` of the runbook `{runbook}`: {found[0]}"
                yield Finding(entry.value.place, Code.WRONG_VALUE, problem, found[1], (key,))
    for key, param in params.items():
        if key not in given.entries and not has_default(param):
            problem = f"the runbook `{runbook}` needs the param `{key}`"
            yield Finding(place, Code.MISSING_KEY, problem, f"add `with: {{{key}: ...}}`")


def _kinds(
    runbook: str,
    params: Mapping[str, AnyParam],
    given: Dictionary,
    kinds: Mapping[str, Member],
) -> Iterator[Finding]:
    """The values whose templates give another kind than is taken."""
    for key in (one for one in given.entries if one in params):
        kind, gives = kind_of(params[key]), kinds[key].kinds
        taken = _TAKEN.get(kind)
        if taken is not None and Kind.ANY not in gives and taken.isdisjoint(gives):
            a = "an" if kind == ParamKind.INTEGER else "a"
            problem = f"`{key}` of the runbook `{runbook}`: it takes {a} {kind}"
            place = given.entries[key].value.place
            fix = f"let the template give {a} {kind}"
            problem = f"{problem}, and this gives {named(gives)}"
            yield Finding(place, Code.WRONG_VALUE, problem, fix, (key,))


def has_default(param: AnyParam) -> bool:
    """Whether a value need not be given."""
    return isinstance(param, Param) and "default" in param.model_fields_set


def params_shape(params: Dictionary) -> Shape:
    """What the params of a runbook are, by the types that are written."""
    members = {name: _param(entry.value) for name, entry in params.entries.items()}
    return Shape("the `params`", members)


def _param(node: Node) -> Member:
    kind = node.get("type") if isinstance(node, Dictionary) else node
    kinds = _KINDS.get(str(kind.value), _ANY) if isinstance(kind, Scalar) else _ANY
    enum = node.get("enum") if isinstance(node, Dictionary) else None
    choices = plain(enum) if enum is not None else None
    texts = [one for one in choices if isinstance(one, str)] if isinstance(choices, list) else []
    return Member(kinds, frozenset(texts) or None)
