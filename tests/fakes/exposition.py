"""Reads the text format of Prometheus as its page of the format says, and refuses anything else.

Source: the Prometheus text-based exposition format, version 0.0.4.
"""

import re
from dataclasses import dataclass, field

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
_HELP = re.compile(rf"# HELP ({_NAME}) ((?:[^\\]|\\[\\n])*)")
_TYPE = re.compile(rf"# TYPE ({_NAME}) (counter|gauge|summary|histogram|untyped)")
_SAMPLE = re.compile(rf"({_NAME})(?:\{{({_LABEL}(?:,{_LABEL})*)\}})? (\S+)")
_PART = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_VALUE = re.compile(r"[+-]?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|Inf)|NaN")
_ESCAPES = {r"\\": "\\", r"\n": "\n", r"\"": '"'}

Labels = tuple[tuple[str, str], ...]


@dataclass
class Family:
    """One name with its figures, by the samples' whole names and labels."""

    kind: str
    about: str
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)


def read(text: str) -> dict[str, Family]:
    """What is told, by name.

    Raises:
        AssertionError: a line that the format does not know, a family that is told twice or in
            pieces, the same figure twice.
    """
    assert text.endswith("\n"), "the last line has no end"
    found: dict[str, Family] = {}
    about = ""
    for line in text[:-1].split("\n"):
        if (told := _HELP.fullmatch(line)) is not None:
            about = told[2]
        elif (told := _TYPE.fullmatch(line)) is not None:
            assert told[1] not in found, f"told twice: {line}"
            found[told[1]] = Family(told[2], about)
        else:
            _take(line, *list(found.items())[-1])
    return found


def _take(line: str, name: str, family: Family) -> None:
    told = _SAMPLE.fullmatch(line)
    assert told is not None, f"no line of the format: {line!r}"
    whole, labels, value = told.groups()
    suffixes = ("_sum", "_count") if family.kind == "summary" else ("",)
    assert whole in {name + suffix for suffix in suffixes}, f"not of {name}: {line}"
    assert _VALUE.fullmatch(value), f"no number: {line}"
    parts = tuple((key, _plain(word)) for key, word in _PART.findall(labels or ""))
    assert len(dict(parts)) == len(parts), f"a label twice: {line}"
    assert (whole, parts) not in family.samples, f"a figure twice: {line}"
    family.samples[whole, parts] = float(value)


def _plain(text: str) -> str:
    return re.sub(r"\\.", lambda found: _ESCAPES[found[0]], text)
