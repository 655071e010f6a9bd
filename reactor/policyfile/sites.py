"""Where a document holds expressions and templates, and which names stand at each place.

The walk follows the tree, not the models: so it finds its problems also in a
policy whose models found some.
"""

from dataclasses import dataclass, field

from reactor.core.expr import ARM, CONDITION, HANDLERS, STEPS, TRIGGER, Names
from reactor.core.template import Tree
from reactor.core.topics import topic_problem
from reactor.errors import Code, Place
from reactor.policyfile.expressions import Compiler, filled
from reactor.policyfile.nodes import Dictionary, Node, Scalar, items_of, mappings_of
from reactor.policyfile.schema_steps import DUMP_FORMATS
from reactor.policyfile.values import meant

ON_LIMIT = Names(
    "`on_limit`", tuple(name for name in HANDLERS.allowed if name != "vars"), HANDLERS.members
)
"""``on_limit``: its run never started, so its `vars` were never computed."""

STEP_CONDITIONS = ("if", "check")
STEP_TEMPLATES = ("to", "format", "args", "publish", "payload", "properties", "log", "fail", "stop")
WAIT_CONDITIONS = ("where", "fail_when", "until")
MARK_TEMPLATES = ("guest", "host", "disk", "memory", "port", "migration", "as", "reason")


def compile_sites(root: Dictionary) -> Compiler:
    """Everything in the document that is an expression or a template, compiled."""
    walk = _Walk(root)
    walk.triggers()
    walk.variables()
    walk.sections()
    return walk.compiler


@dataclass(slots=True)
class _Walk:
    root: Dictionary
    compiler: Compiler = field(default_factory=Compiler)
    saved: dict[str, Place] = field(default_factory=dict)

    def triggers(self) -> None:
        """The conditions before a run: ``where`` and ``by`` of each trigger, and ``if``."""
        for trigger, path in mappings_of(self.root.get("trigger"), "trigger"):
            self.compiler.condition(trigger.get("where"), TRIGGER, f"{path}/where")
            self.compiler.value(trigger.get("by"), TRIGGER.at("a trigger's `by`"), f"{path}/by")
        for condition, path in items_of(self.root.get("if"), "if"):
            self.compiler.condition(condition, CONDITION, path)

    def variables(self) -> None:
        """The ``vars``, each of which knows those before it."""
        known: list[str] = []
        for name, entry in self.root.inner("vars").entries.items():
            names = STEPS.at("`vars`").knowing(variables=known, steps=())
            self.compiler.tree(entry.value, names, f"vars/{name}")
            known.append(name)

    def sections(self) -> None:
        """The steps of every section; a step knows what was saved before it."""
        variables = tuple(self.root.inner("vars").entries)
        self._section("arm", ARM, ())
        self._section("on_limit", ON_LIMIT, ())
        done = self._section("steps", STEPS.knowing(variables=variables), ())
        handlers = HANDLERS.knowing(variables=variables)
        done = self._section("on_failure", handlers, done)
        self._section("finally", handlers, done)

    def _section(self, section: str, names: Names, saved: tuple[str, ...]) -> tuple[str, ...]:
        for step, path in mappings_of(self.root.get(section), section):
            self._step(step, names.knowing(steps=saved), path)
            saved += self._save(step.get("save"), path)
        return saved

    def _save(self, node: Node | None, path: str) -> tuple[str, ...]:
        """The name under which a step saves, if it does; two with one name are a problem."""
        if not isinstance(node, Scalar):
            return ()
        name = str(node.value)
        first = self.saved.setdefault(name, node.place)
        if first != node.place:
            problem = f"`save: {name}` stands twice, first in line {first.line}"
            self.compiler.note(
                node.place, Code.DUPLICATE_NAME, problem, "choose another name", f"{path}/save"
            )
        return (name,)

    def _step(self, step: Dictionary, names: Names, path: str) -> None:
        for key in STEP_CONDITIONS:
            self.compiler.condition(step.get(key), names, f"{path}/{key}")
        for key in STEP_TEMPLATES:
            if node := step.get(key):
                tree = self.compiler.tree(node, names, f"{path}/{key}")
                self._known(key, node, tree, f"{path}/{key}")
        for key in WAIT_CONDITIONS:
            self.compiler.condition(step.inner("wait").get(key), names, f"{path}/wait/{key}")
        for verb in ("mark", "clear"):
            for key in MARK_TEMPLATES:
                if node := step.inner(verb).get(key):
                    self.compiler.tree(node, names, f"{path}/{verb}/{key}")

    def _known(self, key: str, node: Node, tree: Tree, path: str) -> None:
        """Note what is wrong with a text whatever its templates will give."""
        text = filled(tree, "…")
        if not isinstance(text, str):
            return
        if key == "publish" and (problem := topic_problem(text)):
            fix = "write a topic such as alert/critical"
            self.compiler.note(node.place, Code.WRONG_VALUE, problem, fix, path)
        if key == "format" and text == tree and text not in DUMP_FORMATS:
            fix = meant(text, DUMP_FORMATS)
            problem = f"`{text}` is no dump format"
            self.compiler.note(node.place, Code.WRONG_VALUE, problem, fix, path)
