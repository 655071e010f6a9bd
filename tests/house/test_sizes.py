"""Sizes that keep the house liveable."""

import ast

import pytest

from tests.house.checkout import modules

MODULE_LINES = 400
FUNCTION_LINES = 40


def long_functions(text: str) -> list[str]:
    """Name and length of each function with more lines than are allowed."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                found.append(f"{node.name}: {length} lines")
    return found


def test_a_module_has_at_most_400_lines() -> None:
    """Every module of reactor is short enough to be read in one go."""
    lengths = {name: text.count("\n") for name, text in modules("reactor")}
    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > MODULE_LINES} == {}


def test_a_function_has_at_most_40_lines() -> None:
    """Every function of reactor fits on a screen, docstring included."""
    found = {name: long_functions(text) for name, text in modules("reactor")}
    assert {name: functions for name, functions in found.items() if functions} == {}


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        pytest.param(39, [], id="one line less than the bound"),
        pytest.param(40, [], id="as long as the bound"),
        pytest.param(41, ["f: 41 lines"], id="one line more than the bound"),
    ],
)
def test_the_length_of_a_function_is_counted_from_def_to_its_last_line(
    lines: int, found: list[str]
) -> None:
    """The bound itself is allowed and one line more is not."""
    assert long_functions("def f():\n" + "    pass\n" * (lines - 1)) == found
