"""Texts with `${...}` in them: compiled once, rendered from a scope.

What is rendered is never looked at for `${` again, so nothing that a guest
says is ever evaluated.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from reactor.core.cel_mistakes import MISTAKES_MAX, mistakes
from reactor.core.cel_tokens import closing_brace
from reactor.core.expr import (
    EvaluationFailed,
    Expression,
    Names,
    Scope,
    compile_expression,
)
from reactor.core.text import render_text, slug
from reactor.errors import ExpressionError, TemplateError

TEXT_MAX = 1 << 20
"""Characters of the longest text that a template gives."""

_OPEN, _LITERAL = "${", "$${"


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A text and expressions in turn; ``source`` is what its author wrote."""

    source: str
    parts: tuple[str | Expression, ...]

    @property
    def static(self) -> bool:
        """Whether it gives the same text for every scope."""
        return not any(isinstance(part, Expression) for part in self.parts)

    @property
    def reads(self) -> frozenset[str]:
        """The paths that its expressions read."""
        found = [part.reads for part in self.parts if isinstance(part, Expression)]
        return frozenset().union(*found)

    def needs(self, path: str) -> bool:
        """Whether what it gives may depend on this path, such as ``guest.status``."""
        return any(part.needs(path) for part in self.parts if isinstance(part, Expression))

    def render(self, scope: Scope, *, lenient: bool = False) -> object:
        """The value of a single `${...}` with its type, else a text.

        A QMP value taken whole keeps QEMU's own names. ``lenient``: an
        expression that fails stands in the text as ``<error: REASON>``.

        Raises:
            EvaluationFailed: an expression fails, or the text is longer than 1 MiB.
        """
        if len(self.parts) == 1 and isinstance(self.parts[0], Expression):
            return _value(self.parts[0], scope, lenient)
        return _joined(
            part if isinstance(part, str) else _text(_value(part, scope, lenient))
            for part in self.parts
        )

    def render_slugged(self, scope: Scope) -> str:
        """A text whose expressions were made safe as parts of a file name.

        Raises:
            EvaluationFailed: an expression fails, or the text is longer than 1 MiB.
        """
        return _joined(
            part if isinstance(part, str) else slug(_text(part.value(scope))) for part in self.parts
        )


def _value(part: Expression, scope: Scope, lenient: bool) -> object:
    try:
        return part.value(scope)
    except EvaluationFailed as failure:
        if lenient:
            return f"<error: {failure.reason}>"
        raise


def _text(value: object) -> str:
    try:
        return render_text(value)
    except ValueError as problem:
        raise EvaluationFailed(str(problem)) from None


def _joined(parts: Iterator[str]) -> str:
    text = ""
    for part in parts:
        text += part
        if len(text) > TEXT_MAX:
            raise EvaluationFailed("the text is longer than 1 MiB")
    return text


def compile_template(text: str, names: Names) -> Template:
    """The template of a text; `$${` stands for a literal `${`.

    Raises:
        TemplateError: expressions in it are wrong; source and columns are those of the
            whole text.
    """
    parts: list[str | Expression] = []
    wrong: list[ExpressionError] = []
    plain = ""
    at = 0
    while (found := text.find(_OPEN, at)) >= 0:
        if found > at and text.startswith(_LITERAL, found - 1):
            plain += text[at : found - 1] + _OPEN
            at = found + len(_OPEN)
            continue
        plain += text[at:found]
        start = found + len(_OPEN)
        end = closing_brace(text, start)
        if end is None:
            fix = "close it with }, or write $${ for the characters themselves"
            wrong.append(ExpressionError(text, found + 1, "`${` is not closed", fix))
            break
        try:
            expression = compile_expression(text[start:end], condition=False, names=names)
        except ExpressionError as error:
            every = mistakes(error, condition=False, names=names)
            wrong += [_in_text(text, start, one) for one in every]
        else:
            parts += [plain, expression] if plain else [expression]
        plain, at = "", end + 1
    if wrong:
        raise TemplateError(wrong[:MISTAKES_MAX])
    plain += text[at:]
    if plain:
        parts.append(plain)
    return Template(text, tuple(parts))


def _in_text(text: str, start: int, error: ExpressionError) -> ExpressionError:
    return ExpressionError(text, start + error.column, error.problem, error.fix)


Tree: TypeAlias = Template | Mapping[str, "Tree"] | Sequence["Tree"] | str | int | float | None
"""Any value of a policy file in which texts may be templates; keys never are."""

TreePath = tuple[str | int, ...]
"""The keys and places that lead to a text inside a tree."""

Report = Callable[[TreePath, ExpressionError], None]
"""Takes what is wrong with one text of a tree, and where that text stands."""


def compile_tree(value: object, names: Names, report: Report, path: TreePath = ()) -> Tree:
    """The value with its texts compiled; texts without expressions stay texts.

    All that is wrong goes to ``report``, with the path of the text inside the
    value; the tree is of no use then.
    """
    match value:
        case str() if _OPEN not in value:
            return value
        case str():
            try:
                template = compile_template(value, names)
            except TemplateError as error:
                for one in error.errors:
                    report(path, one)
                return None
            return "".join(map(str, template.parts)) if template.static else template
        case Mapping():
            return {
                str(key): compile_tree(item, names, report, (*path, str(key)))
                for key, item in value.items()
            }
        case list() | tuple():
            return tuple(
                compile_tree(item, names, report, (*path, place))
                for place, item in enumerate(value)
            )
        case None | int() | float():
            return value
        case _:
            raise TypeError(value)


def render_tree(tree: Tree, scope: Scope, *, lenient: bool = False) -> object:
    """The value with its templates rendered, in dicts and lists of its own.

    Raises:
        EvaluationFailed: a template fails and is not rendered leniently.
    """
    match tree:
        case Template():
            return tree.render(scope, lenient=lenient)
        case None | str() | int() | float():
            return tree
        case Mapping():
            return {key: render_tree(item, scope, lenient=lenient) for key, item in tree.items()}
        case _:
            return [render_tree(item, scope, lenient=lenient) for item in tree]


def render_slugged(tree: Tree, scope: Scope) -> str:
    """The text with its expressions made safe as parts of a file name.

    Raises:
        EvaluationFailed: an expression fails.
    """
    if isinstance(tree, Template):
        return tree.render_slugged(scope)
    return _text(render_tree(tree, scope))


def templates(tree: Tree) -> Iterator[Template]:
    """The templates in a tree, in their order."""
    match tree:
        case Template():
            yield tree
        case None | str() | int() | float():
            return
        case Mapping():
            for item in tree.values():
                yield from templates(item)
        case _:
            for item in tree:
                yield from templates(item)


def tree_reads(tree: Tree) -> frozenset[str]:
    """The paths that the templates in a tree read."""
    return frozenset().union(*(template.reads for template in templates(tree)))


def tree_needs(tree: Tree, path: str) -> bool:
    """Whether what the tree gives may depend on this path, such as ``guest.status``."""
    return any(template.needs(path) for template in templates(tree))
