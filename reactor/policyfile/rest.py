"""What is sound of a policy that is not: its other steps are looked at all the same.

Where something is wrong stands something else that says nothing, at the same place. The policy
that comes of it is never run: it is there to be judged.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from reactor.core.policy import Policy
from reactor.errors import Place, Problem
from reactor.policyfile import schema
from reactor.policyfile.builder import build
from reactor.policyfile.findings import fit
from reactor.policyfile.nodes import Broken, Dictionary, Entry, Node, Scalar, Sequence
from reactor.policyfile.papers import Paper
from reactor.policyfile.runbooks import Library
from reactor.policyfile.schema_triggers import KINDS
from reactor.policyfile.sites import compile_policy

_ROUNDS = 3
"""How often it is tried: what is taken out may be missed by what is left."""

Way = tuple[str, ...]

_SECTIONS = frozenset({"steps", "on_failure", "on_limit", "finally"})
_EVENT = "RESET"


def rest_of(paper: Paper, problems: Iterable[Problem], library: Library) -> Policy | None:
    """The policy without what these problems are about; None where nothing is left.

    Args:
        problems: what is wrong with it, beside what the reader has told.
    """
    document, root = paper
    ways = {*_broken(root, ()), *(tuple(one.path.split("/")) for one in problems if one.path)}
    ways |= {(key,) for key in root.entries.keys() - set(schema.Policy.words())}
    for tried in range(_ROUNDS):
        root = _complete(_without(root, ways, again=tried > 0))
        model, wrong = fit(root, schema.Policy)
        compiler = compile_policy(root, library.shelf)
        wrong = [*wrong, *compiler.problems, *library.problems(root, compiler)]
        if model is not None and not wrong:
            return build(document, root, model, compiler, library)
        ways = {tuple(one.path.split("/")) for one in wrong}
    return None


def _broken(node: Node, way: Way) -> Iterator[Way]:
    """The ways to what the reader has complained about."""
    match node:
        case Broken():
            yield way
        case Scalar():
            return
        case Sequence(_, items):
            for index, item in enumerate(items):
                yield from _broken(item, (*way, str(index)))
        case Dictionary(_, entries):
            for key, entry in entries.items():
                yield from _broken(entry.value, (*way, key))


class _Change(NamedTuple):
    """What stands at the end of a way instead; None: nothing."""

    way: Way
    kind: str | None


def _change(way: Way, *, again: bool) -> _Change:
    """What to do about something that is wrong, ``again`` or not, at the end of this way."""
    if way[0] in _SECTIONS and (step := _step_around(way)):
        return _Change(step, "step")
    if way[0] == "trigger":
        trigger = way[: 2 if way[1:] and way[1].isdecimal() else 1]
        below = way[len(trigger) :]
        if below and below[0] not in KINDS:
            return _Change((*trigger, below[0]), None)
        return _Change(trigger, "trigger")
    if way[0] == "vars" and way[1:] and not again:
        return _Change(way[:2], "text")
    return _Change(way[:1], None)


def _step_around(way: Way) -> Way:
    """The way to the innermost step on this one; empty where there is none."""
    found: Way = ()
    at = 1
    while at < len(way) and way[at].isdecimal():
        found = way[: at + 1]
        below = way[at + 1 :]
        match below:
            case ("choose", _, ("steps" | "default"), *_):
                at += 4
            case ("parallel", _, *_):
                at += 3
            case ("steps", *_):
                at += 2
            case _:
                break
    return found


def _without(root: Dictionary, ways: Collection[Way], *, again: bool) -> Dictionary:
    for change in {_change(way, again=again) for way in ways if way[0]}:
        changed = _changed(root, change.way, change.kind)
        root = changed if isinstance(changed, Dictionary) else root
    return root


def _changed(node: Node, way: Way, kind: str | None) -> Node | None:
    """The node with another one at the end of the way; None: the node itself goes."""
    if not way:
        return None if kind is None else _instead(kind, node.place)
    step, *rest = way
    match node:
        case Sequence(place, items) if step.isdecimal() and int(step) < len(items):
            index = int(step)
            new = _changed(items[index], tuple(rest), kind)
            return Sequence(place, (*items[:index], *([new] if new else ()), *items[index + 1 :]))
        case Dictionary(place, entries) if step in entries:
            new = _changed(entries[step].value, tuple(rest), kind)
            others = {key: one for key, one in entries.items() if key != step}
            if new is None:
                return Dictionary(place, others)
            entry = Entry(entries[step].key_place, new)
            return Dictionary(place, {k: entry if k == step else v for k, v in entries.items()})
        case Sequence() | Dictionary() | Scalar() | Broken():
            return node


def _text(text: str, place: Place) -> Scalar:
    return Scalar(place, place, text, "'")


def _instead(kind: str, place: Place) -> Node:
    """Something of this kind that says nothing."""
    match kind:
        case "step":
            return Dictionary(place, {"log": Entry(place, _text("", place))})
        case "trigger":
            return Dictionary(place, {"event": Entry(place, _text(_EVENT, place))})
        case _:
            return _text("x", place)


def _complete(root: Dictionary) -> Dictionary:
    """The document with all keys that it must have."""
    place = root.place
    needed: dict[str, Node] = {
        "policy": _text("x", place),
        "description": _text("x", place),
        "trigger": _instead("trigger", place),
        "steps": Sequence(place, (_instead("step", place),)),
    }
    return Dictionary(
        place, {key: Entry(place, node) for key, node in needed.items()} | dict(root.entries)
    )
