"""Expressions and templates of a document, compiled; an error stands at its very character."""

from dataclasses import dataclass, field

from reactor.core.expr import Expression, Names, compile_expression
from reactor.core.template import Tree, compile_tree
from reactor.errors import Code, ExpressionError, Place, Problem
from reactor.policyfile.nodes import Broken, Dictionary, Node, Scalar, Sequence


@dataclass(slots=True)
class Compiler:
    """Compiles nodes, keeps what came of them, and notes what is wrong.

    A node that cannot be an expression at all is passed over: the models have
    complained about it.
    """

    problems: list[Problem] = field(default_factory=list)
    expressions: dict[int, Expression] = field(default_factory=dict)
    trees: dict[int, Tree] = field(default_factory=dict)

    def condition(self, node: Node | None, names: Names, path: str) -> None:
        """Compile an expression that is true or false; YAML's own ``true`` is one."""
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            self._expression(node, str(node.value).lower(), names, path, condition=True)
        elif isinstance(node, Scalar) and isinstance(node.value, str):
            self._expression(node, node.value, names, path, condition=True)

    def value(self, node: Node | None, names: Names, path: str) -> None:
        """Compile an expression of any type."""
        if isinstance(node, Scalar) and isinstance(node.value, str):
            self._expression(node, node.value, names, path, condition=False)

    def _expression(
        self, node: Scalar, source: str, names: Names, path: str, *, condition: bool
    ) -> None:
        try:
            made = compile_expression(source, condition=condition, names=names)
        except ExpressionError as error:
            self._failed(node, error, path)
        else:
            self.expressions[id(node)] = made

    def tree(self, node: Node | None, names: Names, path: str) -> None:
        """Compile every ``${...}`` in the strings of this value."""
        if node is not None:
            self.trees[id(node)] = self._tree(node, names, path)

    def _tree(self, node: Node, names: Names, path: str) -> Tree:
        match node:
            case Scalar(_, _, str(text)):
                try:
                    return compile_tree(text, names)
                except ExpressionError as error:
                    self._failed(node, error, path)
                    return None
            case Scalar(_, _, value):
                return value
            case Sequence(_, items):
                return [
                    self._tree(item, names, f"{path}/{index}") for index, item in enumerate(items)
                ]
            case Dictionary(_, entries):
                return {
                    key: self._tree(entry.value, names, f"{path}/{key}")
                    for key, entry in entries.items()
                }
            case Broken():
                return None

    def _failed(self, node: Scalar, error: ExpressionError, path: str) -> None:
        code = Code.NOT_BUILT if "not built yet" in error.problem else Code.EXPRESSION
        self.note(node.place_of(error.column - 1), code, error.problem, error.fix, path)

    def note(self, place: Place, code: Code, problem: str, fix: str, path: str) -> None:
        """Note what is wrong."""
        self.problems.append(Problem(place, code, problem, fix, path=path))
