"""Where a document holds expressions and templates, and which names stand at each place.

The walk follows the tree, not the models: so it finds its problems also in a
policy whose models found some.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from reactor.core.cel_facts import NOTHING, Facts
from reactor.core.cel_shapes import Member, Shape
from reactor.core.expr import (
    ARM,
    ASK,
    CONDITION,
    HANDLERS,
    MESSAGE,
    MESSAGE_GUEST,
    PARAM_DEFAULT,
    RUNBOOK,
    SEQUEL,
    STATE,
    STEPS,
    TRIGGER,
    Names,
)
from reactor.policyfile.calls import member_of
from reactor.policyfile.event_shapes import data_of, data_of_trigger, either
from reactor.policyfile.expressions import Compiler
from reactor.policyfile.nodes import Dictionary, items_of, mappings_of
from reactor.policyfile.qemu_shapes import guest_shape
from reactor.policyfile.runbook_params import Shelf, params_shape
from reactor.policyfile.sites_steps import Saved, StepWalk

SEQUELS = frozenset({"followed_by", "not_followed_by", "cancel_on"})
CONDITIONS = frozenset({"if", "inhibit_if"})


def _guest(names: Names) -> Names:
    """The names, with what is known of a guest."""
    return names.seeing({"guest": guest_shape()})


def compile_runbook(root: Dictionary, shelf: Shelf) -> Compiler:
    """Everything in a runbook that is an expression or a template, compiled."""
    params = root.inner("params")
    compiler = Compiler()
    for name, entry in params.entries.items():
        node = entry.value
        if isinstance(node, Dictionary) and (default := node.get("default")):
            compiler.tree(default, _guest(PARAM_DEFAULT), f"params/{name}/default")
    names = _guest(RUNBOOK).knowing(params=params.entries)
    names = names.seeing({"params": params_shape(params)})
    StepWalk(compiler, shelf).steps(root.get("steps"), names, "steps")
    return compiler


def compile_policy(root: Dictionary, shelf: Shelf) -> Compiler:
    """Everything in a policy that is an expression or a template, compiled."""
    walk = _Walk(root, StepWalk(Compiler(), shelf))
    walk.triggers()
    walk.admission()
    walk.sections()
    return walk.compiler


@dataclass(slots=True)
class _Walk:
    root: Dictionary
    below: StepWalk
    written: list[Dictionary] = field(init=False)
    brings: dict[str, Shape | None] = field(init=False)
    variables: dict[str, Member] = field(default_factory=dict)
    selected: Facts = NOTHING
    fired: Facts = NOTHING
    started: Facts = NOTHING

    def __post_init__(self) -> None:
        self.written = [node for node, _ in mappings_of(self.root.get("trigger"), "")]
        # A guest without these labels is not selected.
        labels = self.root.inner("guests").inner("labels").entries
        self.selected = frozenset(("guest", "labels", name) for name in labels)
        first = either(map(data_of_trigger, self.written))
        self.brings = {"guest": guest_shape(), "data": first, "trigger.data": first}
        if seconds := self._seconds():
            self.brings["trigger.next.data"] = either(map(data_of, seconds))

    def _seconds(self) -> list[Dictionary]:
        return [node.inner("followed_by") for node in self.written if "followed_by" in node.entries]

    @property
    def compiler(self) -> Compiler:
        """What is made, and what is wrong."""
        return self.below.compiler

    def _guest(self, names: Names) -> Names:
        """The names, with what is known of a guest that the policy selects."""
        return _guest(names).where(self.selected)

    def _behind(self, names: Names) -> Names:
        """The names behind the triggers of this policy: what they bring along is known."""
        names = names.seeing(self.brings).where(self.fired)
        if any("mqtt" in node.entries for node in self.written):
            names = names.with_message()
        return names.with_second() if "trigger.next.data" in self.brings else names

    def triggers(self) -> None:
        """The expressions of each trigger; what all of them ask for is certain behind them."""
        found = []
        for trigger, path in mappings_of(self.root.get("trigger"), "trigger"):
            self._trigger(trigger, path)
            second = self._certain(trigger.inner("followed_by"))
            of_second = {("trigger", "next", *one) for one in second if one[0] == "data"}
            found.append(self._certain(trigger) | of_second)
        self.fired = self.selected.union(frozenset.intersection(*found) if found else NOTHING)

    def _certain(self, match: Dictionary) -> Facts:
        """What an event has that has matched."""
        where, by = match.get("where"), match.get("by")
        return self.compiler.holding(where) | self.compiler.computed(by)

    def _trigger(self, trigger: Dictionary, path: str) -> None:
        if "mqtt" in trigger.entries:
            self._message(trigger, path)
        else:
            self.compiler.hear(trigger, path)
            names = TRIGGER.seeing({"guest": guest_shape(), "data": data_of(trigger)})
            names = names.where(self.selected)
            self.compiler.condition(trigger.get("where"), names, f"{path}/where")
            by = names.at("a trigger's `by`").where(self.compiler.holding(trigger.get("where")))
            self.compiler.value(trigger.get("by"), by, f"{path}/by")
            if state := trigger.get("state"):
                self.compiler.condition(state, self._guest(STATE), f"{path}/state")
            if not SEQUELS.isdisjoint(trigger.entries):
                self._sequels(trigger, path)

    def _sequels(self, trigger: Dictionary, path: str) -> None:
        names = SEQUEL.seeing({"guest": guest_shape(), "trigger.data": data_of(trigger)})
        names = names.where(self.selected | self._certain(trigger)).unsure("data")
        for key in ("followed_by", "not_followed_by"):
            self.compiler.hear(trigger.inner(key), f"{path}/{key}")
            self._sequel(trigger.inner(key), names, key, f"{path}/{key}")
        for cancel, below in mappings_of(trigger.get("cancel_on"), f"{path}/cancel_on"):
            self._sequel(cancel, names, "cancel_on", below)

    def _sequel(self, node: Dictionary, names: Names, key: str, path: str) -> None:
        if not node.entries:
            return
        names = names.seeing({"data": data_of(node)})
        where, by = names.at(f"the `where` of `{key}`"), names.at(f"the `by` of `{key}`")
        self.compiler.condition(node.get("where"), where, f"{path}/where")
        held = self.compiler.holding(node.get("where"))
        self.compiler.value(node.get("by"), by.where(held), f"{path}/by")

    def _message(self, trigger: Dictionary, path: str) -> None:
        self.compiler.condition(trigger.get("where"), self._guest(MESSAGE), f"{path}/where")
        if guest := trigger.get("guest"):
            self.compiler.tree(guest, MESSAGE_GUEST, f"{path}/guest")

    def admission(self) -> None:
        """What is asked before a run starts, and what is computed when it does."""
        if not CONDITIONS.isdisjoint(self.root.entries):
            names = self._behind(CONDITION)
            for condition, path in items_of(self.root.get("inhibit_if"), "inhibit_if"):
                at = names.at("`inhibit_if`")
                self.compiler.condition(condition, at, path, "this counts as true")
            for condition, path in items_of(self.root.get("if"), "if"):
                asking = names.where(self.started).asking()
                self.compiler.condition(condition, asking, path)
                self.started |= self.compiler.holding(condition)
        if ask := self.root.inner("approval").get("ask"):
            self.compiler.tree(ask, self._behind(ASK), "approval/ask")
        variables = self.root.inner("vars").entries
        known: list[str] = []
        steps = self._behind(STEPS).at("`vars`").where(self.started) if variables else STEPS
        for name, entry in variables.items():
            here = steps.knowing(variables=known, steps=()).seeing(self._known())
            tree = self.compiler.tree(entry.value, here, f"vars/{name}", lenient=False)
            known.append(name)
            self.variables[name] = member_of(tree)

    def _known(self) -> dict[str, Shape | None]:
        """What the `vars` are that were compiled before."""
        return {"vars": Shape("the `vars`", dict(self.variables))}

    def sections(self) -> None:
        """The steps of every section; a step knows what was saved before it."""
        variables = tuple(self.root.inner("vars").entries)
        self._section("arm", lambda: self._guest(ARM))
        # The run that a limit refused never started, so its `vars` were never computed.
        self._section("on_limit", lambda: self._behind(HANDLERS).at("`on_limit`").without("vars"))

        def inside(names: Names) -> Names:
            names = self._behind(names).where(self.started)
            return names.knowing(variables=variables).seeing(self._known())

        done = self._section("steps", lambda: inside(STEPS))
        done = self._section("on_failure", lambda: inside(HANDLERS), done)
        self._section("finally", lambda: inside(HANDLERS), done)

    def _section(self, section: str, names: Callable[[], Names], known: Saved = ()) -> Saved:
        if section not in self.root.entries:
            return known
        self.below.lenient = section in {"on_limit", "on_failure", "finally"}
        return self.below.steps(self.root.get(section), names(), section, known)
