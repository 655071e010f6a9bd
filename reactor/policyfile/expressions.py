"""Expressions and templates of a document, compiled; an error stands at its very character."""

from dataclasses import dataclass, field
from typing import NamedTuple

from reactor.core.cel_facts import NOTHING, Facts, where_computed, where_not_true, where_true
from reactor.core.cel_guards import never_null
from reactor.core.cel_mistakes import mistakes
from reactor.core.expr import Expression, Names, compile_expression
from reactor.core.template import Template, Tree, TreePath, compile_tree, templates
from reactor.errors import Code, ExpressionError, Place, Problem, Severity
from reactor.policyfile.calls import Ask, Call, Heard, Named, Read, To, value_of
from reactor.policyfile.nodes import Dictionary, Node, Scalar, find, items_of, plain


class Use(NamedTuple):
    """A step that runs a runbook: its name, where it stands, and the way there."""

    runbook: str
    place: Place
    path: str


COUNTS_AS_FALSE = "this counts as false"


def asked(path: str) -> str:
    """The path with its last member read as one that may be absent."""
    if path.endswith("]"):
        return "[?".join(path.rsplit("[", 1))
    return ".?".join(path.rsplit(".", 1))


@dataclass(slots=True)
class Compiler:
    """Compiles nodes, keeps what came of them, and notes what is wrong.

    A node that cannot be an expression at all is passed over: the models have
    complained about it. ``notes`` are what may be meant as it is. ``uses`` are the
    runbooks that steps run, ``asks`` the commands that they send and the events
    that are waited for; ``steps`` counts the steps.
    """

    problems: list[Problem] = field(default_factory=list)
    expressions: dict[int, Expression] = field(default_factory=dict)
    trees: dict[int, Tree] = field(default_factory=dict)
    notes: list[Problem] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    steps: int = 0

    def condition(
        self, node: Node | None, names: Names, path: str, otherwise: str = COUNTS_AS_FALSE
    ) -> None:
        """Compile an expression that is true or false; YAML's own ``true`` is one.

        Args:
            otherwise: what happens where it cannot be evaluated, for a note.
        """
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            self._expression(node, str(node.value).lower(), names, path, condition=True)
        elif isinstance(node, Scalar) and isinstance(node.value, str):
            self._expression(node, node.value, names, path, condition=True)
            made = self.expressions.get(id(node))
            self._risks(node, made, path, otherwise)
            for read, may_be_absent in never_null(made.tree, names.shapes) if made else ():
                problem = f"{read} is never null: this does not hold"
                fix = f"write !has({read})" if may_be_absent else "take it out: it is always there"
                warning = Severity.WARNING
                self.notes.append(
                    Problem(node.place, Code.NEVER_HOLDS, problem, fix, warning, path=path)
                )

    def holding(self, node: Node | None) -> Facts:
        """What is there for certain where this condition was true."""
        made = self.expressions.get(id(node))
        return NOTHING if made is None else where_true(made.tree)

    def failing(self, node: Node | None) -> Facts:
        """What is there for certain where this condition was not true."""
        made = self.expressions.get(id(node))
        return NOTHING if made is None else where_not_true(made.tree)

    def computed(self, node: Node | None) -> Facts:
        """What is there for certain where this expression had a value."""
        made = self.expressions.get(id(node))
        return NOTHING if made is None else where_computed(made.tree)

    def value(self, node: Node | None, names: Names, path: str) -> None:
        """Compile an expression of any type; a match for which it has none is refused."""
        if isinstance(node, Scalar) and isinstance(node.value, str):
            self._expression(node, node.value, names, path, condition=False)
            self._risks(node, self.expressions.get(id(node)), path, "the match is refused")

    def _expression(
        self, node: Scalar, source: str, names: Names, path: str, *, condition: bool
    ) -> None:
        try:
            made = compile_expression(source, condition=condition, names=names)
        except ExpressionError as error:
            for one in mistakes(error, condition=condition, names=names):
                self._failed(node, one, path)
        else:
            self.expressions[id(node)] = made

    def _risks(self, node: Node, made: Expression | None, path: str, otherwise: str) -> None:
        if made is None:
            return
        self.asks += [Read(seen, node.place, path) for seen in made.seen]
        for read in made.unguarded:
            problem = f"{read} may be absent: then {otherwise}"
            fix = f"write {asked(read)}.orValue(...), or ask with has() first"
            found = Problem(node.place, Code.EXPRESSION, problem, fix, Severity.NOTE, path=path)
            self.notes.append(found)

    def tree(self, node: Node, names: Names, path: str, *, lenient: bool = True) -> Tree:
        """Compile every ``${...}`` in the strings of this value; None where one is wrong.

        ``lenient``: one that fails stands as such in the text, and fails nothing.
        """

        def report(below: TreePath, error: ExpressionError) -> None:
            self._failed(find(node, below), error, "/".join([path, *map(str, below)]))

        tree = self.trees[id(node)] = compile_tree(plain(node), names, report)
        for template in () if lenient else templates(tree):
            for part in template.parts:
                if isinstance(part, Expression):
                    self._risks(node, part, path, "the step fails")
        return tree

    def _failed(self, node: Node, error: ExpressionError, path: str) -> None:
        if isinstance(node, Scalar) and node.comment and str(node.value).count('"') % 2:
            problem = "` #` begins a comment: the expression ends here, inside a text"
            self.note(node.end, Code.EXPRESSION, problem, "put it in single quotes", path)
            return
        place = node.place_of(error.column - 1) if isinstance(node, Scalar) else node.place
        self.note(place, Code.EXPRESSION, error.problem, error.fix, path)

    def send(self, to: To, step: Dictionary, path: str) -> None:
        """Keep the command that a step sends, if it is one and its templates are sound."""
        command, args = step.get(to.value), step.get("args")
        if not isinstance(command, Scalar) or not isinstance(command.value, str):
            return
        if args is None:
            self.asks.append(Call(to, command.value, command.place, None, {}, path))
        elif isinstance(args, Dictionary) and not self._is_wrong(f"{path}/args"):
            value = value_of(self.trees[id(args)])
            self.asks.append(Call(to, command.value, command.place, args, value, path))

    def _is_wrong(self, path: str) -> bool:
        return any(problem.path.startswith(path) for problem in self.problems)

    def hear(self, node: Dictionary, path: str) -> None:
        """Keep the events that a trigger, a second event or a wait names."""
        names = [
            Named(str(item.value), item.place, below)
            for item, below in items_of(node.get("event"), f"{path}/event")
            if isinstance(item, Scalar)
        ]
        self.asks.append(Heard.made(names))

    def note(self, place: Place, code: Code, problem: str, fix: str, path: str) -> None:
        """Note what is wrong."""
        self.problems.append(Problem(place, code, problem, fix, path=path))


def filled(tree: Tree, filler: str) -> Tree:
    """The text of a template with something in the place of each expression."""
    if not isinstance(tree, Template):
        return tree
    return "".join(part if isinstance(part, str) else filler for part in tree.parts)
