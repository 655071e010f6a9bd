"""Figures in the text format that Prometheus and node_exporter read.

Source: the Prometheus text-based exposition format, version 0.0.4.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a figure is: a counter only grows while the daemon runs."""

    COUNTER = "counter"
    GAUGE = "gauge"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class Family:
    """Figures of one name; ``labels`` are what tells them apart, ``about`` says what they are."""

    name: str
    kind: Kind
    about: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure; ``suffix`` is ``_sum`` or ``_count`` of a summary."""

    value: float
    labels: Mapping[str, str]
    suffix: str = ""


Found = Iterable[tuple[Family, Iterable[Sample]]]


def render(found: Found) -> str:
    """The whole text; a family without a figure is left out."""
    return "".join(line for family, samples in found for line in _lines(family, list(samples)))


def _lines(family: Family, samples: list[Sample]) -> Iterable[str]:
    if not samples:
        return
    yield f"# HELP {family.name} {_escaped(family.about)}\n"
    yield f"# TYPE {family.name} {family.kind}\n"
    for sample in samples:
        labels = ",".join(f'{name}="{_quoted(sample.labels[name])}"' for name in family.labels)
        shown = f"{{{labels}}}" if labels else ""
        yield f"{family.name}{sample.suffix}{shown} {_number(sample.value)}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(text: str) -> str:
    # A lone surrogate, such as of a file name, cannot be written as UTF-8.
    return _escaped(text).replace('"', r"\"").encode("utf-8", "replace").decode()


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    return str(int(value)) if value == int(value) else repr(float(value))
