"""What is wrong in an expression behind the first mistake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.cel_mistakes import MISTAKES_MAX, mistakes
from reactor.core.expr import STATE, STEPS, Names, compile_expression
from reactor.errors import ExpressionError


def told(source: str, names: Names = STEPS) -> list[str]:
    """Where each mistake begins, in the author's own source."""
    try:
        compile_expression(source, condition=True, names=names)
    except ExpressionError as error:
        first = error
    else:
        return []
    found = list(mistakes(first, condition=True, names=names))
    assert {one.source for one in found} == {source}
    assert (found[0].column, found[0].problem) == (first.column, first.problem)
    return [source[one.column - 1 :] for one in found]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("data.x", [], id="none"),
        pytest.param("gest.x == 1", ["gest.x == 1"], id="one"),
        pytest.param(
            "guest.nme == 'x' && guest.stat == 'y'",
            ["nme == 'x' && guest.stat == 'y'", "stat == 'y'"],
            id="in both sides",
        ),
        pytest.param(
            "a.x == 1 && (data.y == 2 || guest.nme == 'x') && run.idd == ''",
            [
                "a.x == 1 && (data.y == 2 || guest.nme == 'x') && run.idd == ''",
                "nme == 'x') && run.idd == ''",
                "idd == ''",
            ],
            id="in brackets",
        ),
        pytest.param(
            "data.x.exists(i, i == a1 && i == b1) && c1.x",
            ["a1 && i == b1) && c1.x", "b1) && c1.x", "c1.x"],
            id="in a macro",
        ),
        pytest.param(
            "glob(gest.name, 'x') && size(hst.name) == 1",
            ["gest.name, 'x') && size(hst.name) == 1", "hst.name) == 1"],
            id="in what a function takes; the whole call is left out then",
        ),
        pytest.param(
            "data.x = 1 and guest.nme == 'x' or not gest.x",
            [
                "= 1 and guest.nme == 'x' or not gest.x",
                "and guest.nme == 'x' or not gest.x",
                "or not gest.x",
                "not gest.x",
                "gest.x",
            ],
            id="words and operators of others are mended first; five are told",
        ),
        pytest.param(
            "data.x == True && gest.x == None",
            ["True && gest.x == None", "gest.x == None"],
            id="values of Python",
        ),
        pytest.param(
            "guest.nme == paused",
            ["paused", "nme == paused"],
            id="a text without quotes does not hide the other side",
        ),
        pytest.param("data.x == y && gest.x", ["y && gest.x", "gest.x"], id="a short one"),
        pytest.param("a || b", ["a || b"], id="too short to be taken out"),
        pytest.param("data.x ? 'a && b' : gest.y", ["gest.y"], id="signs in texts are none"),
        pytest.param("gest.x[data.y", ["[data.y"], id="a bracket that is not closed"),
        pytest.param("x1)(y1 && data.z", [")(y1 && data.z"], id="brackets the wrong way round"),
        pytest.param("= :", ["= :"], id="mended, and still wrong in the same place"),
        pytest.param("guest.name", ["guest.name"], id="a condition that is a text"),
        pytest.param(
            "data.x.y() && gest.é && 'ü' + 1",
            ["é && 'ü' + 1", "y() && gest.é && 'ü' + 1", "+ 1"],
            id="letters that are not ASCII",
        ),
        pytest.param(
            " && ".join(f"data{i}.x" for i in range(9)),
            [" && ".join(f"data{i}.x" for i in range(first, 9)) for first in range(5)],
            id="five of nine",
        ),
    ],
)
def test_mistakes_that_do_not_follow_from_each_other_are_told(
    source: str, found: list[str]
) -> None:
    """Each where it stands, the first first."""
    assert told(source) == found


def test_a_name_for_anything_is_one_that_may_stand_there() -> None:
    """Else the name itself would be told."""
    assert told("guest.nme == pausedd", STATE) == ["pausedd", "nme == pausedd"]


PARTS = ["data.x", "gest.x", "guest.nme", "paused", "'a && b'", "(", ")", "[", "]", "&&", "||"]
PARTS += ["==", "=", "and", "not", "?", ":", ",", "size(", "1", "True", "é", "${", '"']


@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=14))
def test_it_ends_whatever_is_written(parts: list[str]) -> None:
    """At most five, each at another place."""
    found = told(" ".join(parts))
    assert len(found) <= MISTAKES_MAX
    assert len(set(found)) == len(found)
