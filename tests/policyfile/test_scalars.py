"""Plain scalars mean what YAML 1.2 says, and nothing that YAML 1.1 said."""

import pytest

from reactor.policyfile.scalars import NumberError, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("", None, id="nothing is null"),
        pytest.param("~", None, id="tilde is null"),
        pytest.param("null", None, id="null"),
        pytest.param("NULL", None, id="NULL"),
        pytest.param("nUll", "nUll", id="odd capitals are text"),
        pytest.param("true", True, id="true"),
        pytest.param("False", False, id="False"),
        pytest.param("TRUE", True, id="TRUE"),
        pytest.param("on", "on", id="on is text"),
        pytest.param("Off", "Off", id="off is text"),
        pytest.param("yes", "yes", id="yes is text"),
        pytest.param("n", "n", id="n is text"),
        pytest.param("1:30", "1:30", id="no base 60"),
        pytest.param("2026-01-31", "2026-01-31", id="a date is text"),
        pytest.param("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z", id="a time is text"),
        pytest.param("1_000", "1_000", id="no underscores in numbers"),
        pytest.param("0b11", "0b11", id="no binary"),
        pytest.param("010", 10, id="no octal by a leading zero"),
        pytest.param("0o17", 15, id="octal"),
        pytest.param("0o18", "0o18", id="no digit of base 8"),
        pytest.param("-0o17", "-0o17", id="octal has no sign"),
        pytest.param("0x1F", 31, id="hex"),
        pytest.param("-0", 0, id="minus zero"),
        pytest.param("+12", 12, id="plus"),
        pytest.param("-9223372036854775808", -(2**63), id="the least"),
        pytest.param("18446744073709551615", 2**64 - 1, id="the most"),
        pytest.param(".5", 0.5, id="no digit before the point"),
        pytest.param("5.", 5.0, id="no digit behind the point"),
        pytest.param("-1.5e3", -1500.0, id="exponent"),
        pytest.param("1e3", 1000.0, id="exponent without a point"),
        pytest.param("1.2.3", "1.2.3", id="a version is text"),
        pytest.param(".", ".", id="a dot is text"),
        pytest.param("-", "-", id="a dash is text"),
        pytest.param("30s", "30s", id="a duration is text"),
        pytest.param("\u0661", "\u0661", id="digits of other scripts are text"),
    ],
)
def test_resolve(text: str, value: object) -> None:
    """The value, and its very type."""
    assert (type(resolve(text)), resolve(text)) == (type(value), value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(".inf", id="infinite"),
        pytest.param("-.Inf", id="less than anything"),
        pytest.param(".NaN", id="not a number"),
        pytest.param("1e400", id="infinite by its exponent"),
        pytest.param("-9223372036854775809", id="below the least"),
        pytest.param("18446744073709551616", id="above the most"),
        pytest.param("9" * 5000, id="more digits than Python takes"),
        pytest.param("0x" + "f" * 5000, id="more hex digits"),
    ],
)
def test_numbers_that_nobody_can_take(text: str) -> None:
    """What neither JSON nor 64 bits can hold is refused, never rounded."""
    with pytest.raises(NumberError):
        resolve(text)
