"""The results of policy tests as JUnit XML, as servers of continuous integration read it."""

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reactor.app.printable import printable
from reactor.app.scenario.runner import Result


def junit(results: Iterable[tuple[Result, float]]) -> str:
    """One suite for each file, one case for each test.

    Args:
        results: each with the seconds that it took.
    """
    files: dict[str, list[tuple[Result, float]]] = {}
    for result, seconds in results:
        files.setdefault(result.test.place.file, []).append((result, seconds))
    root = Element("testsuites", name="reactor test")
    for file, cases in files.items():
        _suite(root, file, cases)
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(root: Element, file: str, cases: Sequence[tuple[Result, float]]) -> None:
    suite = SubElement(
        root,
        "testsuite",
        name=_text(file),
        tests=str(len(cases)),
        failures=str(sum(not result.passed for result, _ in cases)),
        errors="0",
        time=f"{sum(seconds for _, seconds in cases):.3f}",
    )
    for result, seconds in cases:
        place = result.test.place
        case = SubElement(
            suite,
            "testcase",
            name=_text(result.test.name),
            classname=_text(file),
            file=_text(place.file),
            line=str(place.line),
            time=f"{seconds:.3f}",
        )
        if not result.passed:
            failure = SubElement(case, "failure", message=_text(result.failings[0].problem))
            failure.text = "\n".join(map(_text, lines_of(result)))


def lines_of(result: Result) -> list[str]:
    """Everything that is told of a failed test, line by line."""
    failings = [f"{failing.place}: {failing.problem}" for failing in result.failings]
    why = ["why:", *(f"  {line}" for line in result.reasons)] if result.reasons else []
    return [*failings, *result.diff, *why, *(f"note: {note}" for note in result.notes)]


def _text(text: str) -> str:
    """The text without the characters that XML cannot hold at all."""
    return printable(text)
