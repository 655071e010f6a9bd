"""What of an event, a message or a reply somebody outside chooses: a guest, a client of MQTT."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from reactor.core.cel_access import show
from reactor.core.cel_shapes import Kind
from reactor.core.cel_tree import Call, Node, Path, children, static_path
from reactor.core.expr import Expression
from reactor.core.policy import EventTrigger, Policy
from reactor.core.steps import AgentStep, RunbookStep
from reactor.core.template import Tree, templates
from reactor.errors import Place
from reactor.policyfile.event_shapes import either, shape_of
from reactor.policyfile.walking import Located, Steps, every, lists_of, sections

_IDS = frozenset("device device_id id netdev_id node_name reference".split())
"""Members that hold ids of QEMU: letters, digits and `-._`. Source: QEMU util/id.c."""

_TEXTS = frozenset({Kind.TEXT, Kind.LIST, Kind.MAP, Kind.ANY})
"""What may hold a text of any kind; numbers and truths are harmless."""

_NONE: Mapping[str, str] = MappingProxyType({})


class Risks:
    """What others may choose among the names that a policy's expressions know.

    Args:
        params: of each param of the runbook around, what others may choose in it.
        steps: those whose replies are known under their names; None: the policy's.
    """

    def __init__(
        self, policy: Policy, params: Mapping[str, str] = _NONE, steps: Steps | None = None
    ) -> None:
        self._policy = policy
        lists = sections(policy) if steps is None else (steps,)
        self._told = frozenset(
            located.step.options.save
            for one in lists
            for located in every(one)
            if isinstance(located.step, AgentStep)
        )
        named = [one.events for one in policy.triggers if isinstance(one, EventTrigger)]
        self._shape = either(map(shape_of, named))
        self._is_own = any(event.startswith("REACTOR") for events in named for event in events)
        self._vars = dict(policy.vars)
        self._params = params

    def inside(self, step: RunbookStep) -> "Risks":
        """Those inside the runbook that a step runs: what it is given may hold some."""
        known = step.arguments if isinstance(step.arguments, Mapping) else {}
        given = {name: self._in_tree(tree) for name, tree in known.items()}
        return Risks(self._policy, given, step.steps)

    def in_expression(self, part: Expression) -> str:
        """The first path that it reads and that others may choose; empty when there is none."""
        gives = part.gives
        if gives.values is not None or gives.kinds.isdisjoint(_TEXTS):
            return ""
        return self._in(part.tree)

    def _in_tree(self, tree: Tree) -> str:
        parts = (part for template in templates(tree) for part in template.parts)
        reads = (self.in_expression(one) for one in parts if isinstance(one, Expression))
        return next(filter(None, reads), "")

    def _in(self, node: Node) -> str:
        if isinstance(node, Call) and node.function == "slug":
            return ""
        path = static_path(node, frozenset(), maybe=True)
        if path is not None:
            return show(path) if self._is_open(path) else ""
        return next(filter(None, map(self._in, children(node))), "")

    def _is_open(self, path: Path) -> bool:
        match path:
            case ("message" | "topic", *_):
                return True
            case ("trigger", "data", *names) | ("data", *names):
                return bool(names) and self._is_text(".".join(map(str, names)))
            case ("steps", name, "result", *_):
                return name in self._told
            case ("vars", str(name)):
                return bool(self._in_tree(self._vars.get(name)))
            case ("params", str(name)):
                return bool(self._params.get(name))
            case _:
                return False

    def _is_text(self, member: str) -> bool:
        """Whether the member of the data may be any text."""
        known = None if self._shape is None else self._shape.members.get(member)
        if known is None or known.values is not None or Kind.TEXT not in known.kinds:
            return False
        return self._is_own or member.rpartition(".")[2] not in _IDS


def exposed(policy: Policy) -> Iterator[tuple[Located, Risks]]:
    """Each step of a policy before those inside of it, with what others may choose there."""
    risks = Risks(policy)
    for section in sections(policy):
        yield from _exposed(section, risks, None)


def _exposed(steps: Steps, risks: Risks, place: Place | None) -> Iterator[tuple[Located, Risks]]:
    for step in steps:
        here = place or step.options.place
        yield Located(step, here), risks
        inner, below = risks, place
        if isinstance(step, RunbookStep):
            inner, below = risks.inside(step), here
        for inside in lists_of(step):
            yield from _exposed(inside, inner, below)
