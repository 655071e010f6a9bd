"""Where steps hold expressions and templates, and what the step before has saved for them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from reactor.core.cel_shapes import Shape
from reactor.core.expr import Names
from reactor.core.template import Tree
from reactor.core.topics import topic_problem
from reactor.errors import Code, Place
from reactor.policyfile.calls import To, member_of
from reactor.policyfile.event_shapes import data_of
from reactor.policyfile.expressions import COUNTS_AS_FALSE, Compiler, Use, filled
from reactor.policyfile.mistakes import brief
from reactor.policyfile.nodes import Dictionary, Node, Scalar, Sequence, items_of, mappings_of
from reactor.policyfile.qemu_shapes import shape_of_reply
from reactor.policyfile.runbook_params import Shelf
from reactor.policyfile.schema_verbs import DUMP_FORMATS
from reactor.policyfile.values import meant

STEP_TEMPLATES = (
    *("to", "format", "args"),
    *("publish", "payload", "properties", "log", "fail", "stop"),
)
MARK_TEMPLATES = ("guest", "host", "disk", "memory", "port", "migration", "as", "reason")
INNER_TEMPLATES = {
    "mark": MARK_TEMPLATES,
    "clear": MARK_TEMPLATES,
    "http": ("url", "json", "headers"),
}
STRICT_TEMPLATES = ("to", "format", "args")
FRESH_WAITS = ("until", "stays")
EVENT_WAITS = ("where", "fail_when")

_SCHEMES = ("http://", "https://")

Saved = tuple[str, ...]
"""The names under which earlier steps have saved."""


@dataclass(slots=True)
class StepWalk:
    """Compiles the steps of one document; ``saved`` are all its names with their places.

    ``replies`` are what QEMU has answered to the saved ones, as far as that is known.
    ``unset`` are the names that only some ways of a `choose` save under, the others going on.
    ``lenient``: where templates that fail do not fail their step.
    """

    compiler: Compiler
    shelf: Shelf
    saved: dict[str, Place] = field(default_factory=dict)
    replies: dict[str, Shape | None] = field(default_factory=dict)
    unset: set[str] = field(default_factory=set)
    lenient: bool = False

    def steps(self, node: Node | None, names: Names, path: str, known: Saved = ()) -> Saved:
        """Compile a list of steps; what is known behind them.

        ``names`` are those of the place; each step knows what was saved before it.
        """
        here = names
        before: Saved | None = None
        for step, below in mappings_of(node, path):
            if known is not before:
                here, before = self._knowing(names, known), known
            inner, given = names, step.get("if")
            if given is not None:
                at = f"{below}/if"
                self.compiler.condition(given, here.asking(), at, COUNTS_AS_FALSE)
                inner = names.where(self.compiler.holding(given))
            self._at_step(step, here if inner is names else self._knowing(inner, known), below)
            saved = self._nested(step, inner, below, known) + self._saved(step, below)
            after = self._behind(step, names)
            if saved is not known or after is not names:
                known, names, before = saved, after, None
        return known

    def _behind(self, step: Dictionary, names: Names) -> Names:
        """The names behind a step: a `check` held, an `if` that ends the run did not."""
        for name in _saves_of(step):
            # In a `repeat` it is saved anew.
            names = names.unsure("steps", name)
        on_error = step.get("on_error")
        # In a handler the steps behind one that fails are done all the same.
        if self.lenient or (isinstance(on_error, Scalar) and on_error.value == "continue"):
            return names
        if "check" in step.entries and "if" not in step.entries:
            return names.where(self.compiler.holding(step.get("check")))
        if "stop" in step.entries or "fail" in step.entries:
            return names.where(self.compiler.failing(step.get("if")))
        return names

    def _at_step(self, step: Dictionary, here: Names, path: str) -> None:
        self.compiler.steps += 1
        self._own(step, here, path)
        for to in To:
            self.compiler.send(to, step, path)
        self._wait(step.inner("wait"), here, f"{path}/wait")
        for verb in (one for one in INNER_TEMPLATES if one in step.entries):
            inside = step.inner(verb)
            for key in INNER_TEMPLATES[verb]:
                if node := inside.get(key):
                    self._tree(key, node, here, f"{path}/{verb}/{key}")
        for place, (word, below) in enumerate(items_of(step.get("exec"), f"{path}/exec")):
            if place:
                self.compiler.tree(word, here, below, lenient=self.lenient)
        self._run(step, here, path)

    def _saved(self, step: Dictionary, path: str) -> Saved:
        """The name under which the step saves, if it does, and what then is kept there."""
        saved = self._save(step.get("save"), path)
        for name in saved:
            # Two ways of a `choose` may save under one name.
            shape = _reply_of(step)
            self.replies[name] = shape if self.replies.get(name, shape) is shape else None
        return saved

    def _wait(self, wait: Dictionary, names: Names, path: str) -> None:
        if not wait.entries:
            return
        for key in FRESH_WAITS:
            self.compiler.condition(wait.get(key), names.asking(), f"{path}/{key}")
        self.compiler.hear(wait, path)
        candidate = names.unsure("data").seeing({"data": data_of(wait)})
        for key in EVENT_WAITS:
            self.compiler.condition(wait.get(key), candidate, f"{path}/{key}")

    def _knowing(self, names: Names, known: Saved) -> Names:
        """The names at a step: what was saved before, and what commands have answered."""
        shapes = {
            f"steps.{name}.result": shape for name in known if (shape := self.replies.get(name))
        }
        names = names.knowing(steps=known, unset=self.unset.intersection(known))
        return names.seeing(shapes) if shapes else names

    def _run(self, step: Dictionary, names: Names, path: str) -> None:
        """The runbook that the step runs, and what it is given."""
        given = {
            key: member_of(
                self.compiler.tree(entry.value, names, f"{path}/with/{key}", lenient=self.lenient)
            )
            for key, entry in step.inner("with").entries.items()
        }
        name = step.get("run")
        if not isinstance(name, Scalar) or not isinstance(name.value, str):
            return
        self.compiler.uses.append(Use(name.value, name.place, f"{path}/run"))
        for finding in self.shelf.findings(name, name.value, step.inner("with"), given):
            below = "/".join((f"{path}/with", *finding.way)) if finding.way else f"{path}/run"
            self.compiler.note(finding.place, finding.code, finding.problem, finding.fix, below)

    def _own(self, step: Dictionary, names: Names, path: str) -> None:
        if node := step.get("check"):
            self.compiler.condition(node, names.asking(), f"{path}/check", "the run fails")
        for key in (one for one in STEP_TEMPLATES if one in step.entries):
            self._tree(key, step.entries[key].value, names, f"{path}/{key}")

    def _nested(self, step: Dictionary, names: Names, path: str, known: Saved) -> Saved:
        """The steps inside a step; what they save is known behind it."""
        behind = known + self._ways(step.get("choose"), names, f"{path}/choose", known)
        for branch, below in items_of(step.get("parallel"), f"{path}/parallel"):
            behind += self.steps(branch, names, below, known)
        if "repeat" in step.entries:
            # From the second round on the steps know what those behind them saved.
            earlier = known + tuple(_saves(step.get("steps")))
            behind = self.steps(step.get("steps"), names, f"{path}/steps", earlier)
            until = step.inner("repeat").get("until")
            asked = self._knowing(names, behind).asking()
            self.compiler.condition(until, asked, f"{path}/repeat/until")
        return behind

    def _ways(self, choose: Node | None, names: Names, path: str, known: Saved) -> Saved:
        """The ways of a ``choose``: of two only one is gone, they may save under one name."""
        behind: Saved = ()
        if choose is None:
            return behind
        before, after = dict(self.saved), dict(self.saved)
        ways = list(mappings_of(choose, path))
        for way, below in ways:
            when = way.get("when")
            asked = self._knowing(names, known).asking()
            self.compiler.condition(when, asked, f"{below}/when")
            self.saved = dict(before)
            inside = names.where(self.compiler.holding(when))
            for key in ("steps", "default"):
                behind += self.steps(way.get(key), inside, f"{below}/{key}", known)
            names = names.where(self.compiler.failing(when))
            after = self.saved | after
        self.saved = after
        self.unset |= {*behind} - {*known} - _saved_by_all([way for way, _ in ways])
        return behind

    def _save(self, node: Node | None, path: str) -> Saved:
        """The name under which a step saves, if it does; two with one name are a problem."""
        if not isinstance(node, Scalar):
            return ()
        name = str(node.value)
        first = self.saved.setdefault(name, node.place)
        if first != node.place:
            problem = f"`save: {name}` stands twice, first in line {first.line}"
            fix = "choose another name"
            self.compiler.note(node.place, Code.DUPLICATE_NAME, problem, fix, f"{path}/save")
        return (name,)

    def _tree(self, key: str, node: Node, names: Names, path: str) -> None:
        lenient = self.lenient or key not in STRICT_TEMPLATES
        tree = self.compiler.tree(node, names, path, lenient=lenient)
        if found := _mistake(key, tree):
            problem, fix = found
            self.compiler.note(node.place, Code.WRONG_VALUE, problem, fix, path)


def _reply_of(step: Dictionary) -> Shape | None:
    """What a step saves: the reply of its command, if that is known."""
    command = step.get(To.QEMU.value)
    return shape_of_reply(str(command.value)) if isinstance(command, Scalar) else None


def _saves(node: Node | None) -> Iterator[str]:
    """The names under which the steps of this list save, those inside them too."""
    for item, _ in items_of(node, ""):
        if isinstance(item, Sequence):
            yield from _saves(item)
        elif isinstance(item, Dictionary):
            yield from _saves_of(item)


def _saves_of(step: Dictionary) -> Iterator[str]:
    """The names under which the step saves, and those inside it."""
    if isinstance(name := step.get("save"), Scalar):
        yield str(name.value)
    for key in ("steps", "choose", "default", "parallel"):
        yield from _saves(step.get(key))


def _saved_by_all(ways: Iterable[Dictionary]) -> set[str]:
    """The names under which every way that goes on has saved, and one is gone for certain."""
    found = [set(_saves_of(way)) for way in ways if not _ends(way)]
    if not any("default" in way.entries for way in ways):
        found.append(set())
    return set.intersection(*found) if found else set()


def _ends(way: Dictionary) -> bool:
    """Whether the run ends in this way of a `choose`."""
    steps = [one for key in ("steps", "default") for one, _ in mappings_of(way.get(key), "")]
    return any(
        not one.entries.keys().isdisjoint(("stop", "fail")) and "if" not in one.entries
        for one in steps
    )


def _mistake(key: str, tree: Tree) -> tuple[str, str] | None:
    """What is wrong with a text whatever its templates will give, and how to mend it."""
    text = filled(tree, "…")
    if not isinstance(text, str):
        return None
    if key == "publish" and (problem := topic_problem(text)):
        return problem, "write a topic such as alert/critical"
    if key == "format" and text == tree and text not in DUMP_FORMATS:
        return f"`{text}` is no dump format", meant(text, DUMP_FORMATS)
    if key == "url" and not text.startswith(("…", *_SCHEMES)):
        return f"`{brief(text)}` is no URL of HTTP", "begin it with http:// or https://"
    return None
