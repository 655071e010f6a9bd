"""A mapping that may be one of several things, and is none of them, or more than one."""

from collections.abc import Callable, Collection
from types import MappingProxyType
from typing import NamedTuple

from pydantic_core import ErrorDetails

from reactor.core import catalog
from reactor.core.steps import GuestAction
from reactor.core.text import closest
from reactor.errors import Code, Place
from reactor.policyfile import foreign
from reactor.policyfile.mistakes import brief
from reactor.policyfile.nodes import Dictionary, Node, Scalar
from reactor.policyfile.schema_step import Step
from reactor.policyfile.schema_steps import VERBS, verbs_of
from reactor.policyfile.schema_triggers import KINDS
from reactor.policyfile.schema_waits import WAITS


class Spot(NamedTuple):
    """A node and the way to it from the root; ``key_place`` is its key's, if it has one."""

    node: Node
    path: tuple[str, ...]
    key_place: Place


class Said(NamedTuple):
    """A finding before it has its path."""

    place: Place
    problem: str
    fix: str
    code: Code = Code.WRONG_VALUE


def union(spot: Spot, error: ErrorDetails) -> list[Said]:
    """What is wrong with the mapping of which nobody knows what it is to be."""
    speak: dict[str, Callable[[Spot], list[Said]]] = {
        "_trigger_kind()": _which_trigger,
        "_wait_kind()": _which_wait,
        "_branch_kind()": _which_branch,
        "_verb()": _which_verb,
        "_arm_verb()": _which_arm,
        "_entry_kind()": _which_entry,
        "_effect_kind()": _which_effect,
    }
    return speak[error["ctx"]["discriminator"]](spot)


def _which_trigger(spot: Spot) -> list[Said]:
    node = spot.node
    if not isinstance(node, Dictionary):
        name = text_of(node) or "NAME"
        return [Said(node.place, "a trigger is a mapping", f"write it as `event: {name}`")]
    return _which(node, "trigger", KINDS, foreign.TRIGGER)


def _which_wait(spot: Spot) -> list[Said]:
    node = spot.node
    if not isinstance(node, Dictionary):
        return [Said(node.place, "a wait is a mapping", _wait_fix(text_of(node)))]
    return _which(node, "wait", WAITS, foreign.WAIT)


def _wait_fix(text: str) -> str:
    if text[:1].isdecimal():
        return f"write `delay: {text}` for a fixed time"
    if text.isupper():
        return f"write `wait: {{event: {text}, timeout: 5m}}`"
    return "write `wait: {event: NAME}` or `wait: {until: CONDITION}`; for a fixed time `delay`"


def _which_branch(spot: Spot) -> list[Said]:
    node = spot.node
    if not isinstance(node, Dictionary):
        fix = "write it as `- when: CONDITION` with `steps:`"
        return [Said(node.place, "a way of `choose` is a mapping", fix)]
    return _which(node, "way of `choose`", ("when", "default"), foreign.WAY)


def _which_entry(spot: Spot) -> list[Said]:
    node = spot.node
    if not isinstance(node, Dictionary):
        fix = "write it as `{at: 5m, event: NAME, guest: NAME}`"
        return [Said(node.place, "an entry of the timeline is a mapping", fix)]
    from reactor.policyfile.schema_timeline import ENTRIES

    known = {word for model in ENTRIES.values() for word in model.words()}
    return _which(node, "entry", tuple(ENTRIES), others=known)


def _which_effect(spot: Spot) -> list[Said]:
    node = spot.node
    if not isinstance(node, Dictionary):
        return [Said(node.place, "an expectation is a mapping", "write it as `- VERB: value`")]
    from reactor.policyfile.schema_expect import EXPECTATIONS, WITHOUT_EFFECT, Expected

    if "not" in node.entries:
        fix = "write what stands beside it inside: `not: {VERB: ..., at: ...}`"
        return [Said(node.place, "`not` stands alone, around an expectation", fix)]
    for verb in WITHOUT_EFFECT:
        if verb in node.entries:
            problem = f"`{verb}` has no effect outside of its run"
            fix = "expect what follows from it, or `run: POLICY` with its `outcome`"
            return [Said(node.entries[verb].key_place, problem, fix)]
    words = set(Expected.words())
    return _which(node, "expectation", tuple(EXPECTATIONS), others=words)


def _which(
    node: Dictionary,
    what: str,
    keys: tuple[str, ...],
    words: foreign.Foreign = MappingProxyType({}),
    others: Collection[str] = (),
) -> list[Said]:
    """A mapping that has not exactly one of these keys, nor is mistaken in one of ``others``.

    ``words`` are those that people from elsewhere have for ``keys``.
    """
    there = [f"`{key}`" for key in keys if key in node.entries]
    unknown = [key for key in node.entries if key not in others and not there]
    meant = [(key, foreign.fix_of(key, words)) for key in unknown]
    meant += [(key, _near(key, keys)) for key in unknown]
    for key, fix in meant:
        if fix:
            problem = f"`{brief(key)}` is no key here"
            return [Said(node.entries[key].key_place, problem, fix, Code.UNKNOWN_KEY)]
    known = f"{', '.join(f'`{key}`' for key in keys[:-1])} and `{keys[-1]}`"
    has = " and ".join(there) or "none of them"
    kind = what.partition(" ")[0]
    article = "an" if what[0] == "e" else "a"
    kinds = {"entry": "entries", "wait": "steps"}.get(kind, f"{kind}s")
    problem = f"{article} {what} has exactly one of {known}, this one has {has}"
    return [Said(node.place, problem, f"make them two {kinds}" if there else "write one of them")]


def _near(key: str, keys: tuple[str, ...]) -> str:
    guess = closest(key, keys)
    return f"did you mean `{guess}`?" if guess else ""


def text_of(node: Node) -> str:
    """The text of a scalar, such as stands where a mapping should; empty for all else."""
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else ""


def _which_verb(spot: Spot) -> list[Said]:
    node = spot.node
    if not isinstance(node, Dictionary):
        word = text_of(node)
        meant = f"{word}: VALUE" if word in VERBS else _known_to_qemu(word)
        fix = f"write it as `- {meant or 'VERB: VALUE'}`"
        return [Said(node.place, "a step is a mapping with a verb", fix)]
    verbs = verbs_of(node.entries)
    if verbs:
        several = " and ".join(f"`{verb}`" for verb in verbs)
        problem = f"a step has exactly one verb, this one has {several}"
        return [Said(node.place, problem, "make them separate steps")]
    unknown = [key for key in node.entries if key not in Step.words()]
    fix = f"write one of: {', '.join(VERBS)}"
    if not unknown:
        return [Said(node.place, "the step has no verb", fix, Code.MISSING_KEY)]
    # An option of others beside the verb of others says less.
    unknown.sort(key=lambda key: bool(foreign.fix_of(key, foreign.OPTIONS)))
    key, fix = next(((key, fix) for key in unknown if (fix := _verb_fix(key))), (unknown[0], fix))
    place = node.entries[key].key_place
    return [Said(place, f"unknown step `{brief(key)}`", fix, Code.UNKNOWN_KEY)]


def _verb_fix(key: str) -> str:
    if fix := foreign.fix_of(key, foreign.VERBS):
        return fix
    ours = _known_to_qemu(key) or closest(key, VERBS)
    return f"write `{ours}`" if ours else ""


_ACTIONS = frozenset(action.value for action in GuestAction)


def _known_to_qemu(word: str) -> str:
    """The verb and value for what is an action of `guest`, or a command, without its verb."""
    if word == "dump" or word in _ACTIONS:
        return f"guest: {word}"
    if catalog.is_known(word):
        return f"qmp: {word}"
    return f"agent: {word}" if word in catalog.agent_commands() else ""


def _which_arm(spot: Spot) -> list[Said]:
    node = spot.node
    if isinstance(node, Dictionary) and len(verbs := verbs_of(node.entries)) == 1:
        fix = "use `qmp` or `guest: preserve-on-panic`"
        return [Said(node.place, f"`{verbs[0]}` cannot stand in `arm`", fix)]
    return _which_verb(spot)
