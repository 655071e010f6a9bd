"""Problems as SARIF 2.1.0, the format in which tools of others take findings.

Source: OASIS, Static Analysis Results Interchange Format 2.1.0, by section.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from reactor import __version__
from reactor.app.printable import printable
from reactor.cli.files_shown import Texts, uri_of, utf16_column
from reactor.errors import Code, Place, Problem
from reactor.policyfile.codes.entry import Entry, explained
from reactor.policyfile.codes.table import ENTRIES

_ROOT = "SRCROOT"
_CODES = tuple(Code)
_FINGERPRINT = "reactorFinding/v1"
_MEANS_MORE = re.compile(r"\{(\d+)\}|\[(?=[^][]*\]\()")


def sarif(problems: Iterable[Problem], texts: Texts | None = None) -> dict[str, Any]:
    """The log of one run; its files are named from the current folder.

    Each result has a fingerprint that stays the same when lines are put above it, so that
    what was dismissed once stays so.
    """
    run = {
        "tool": {"driver": _driver()},
        # Where the folder is, is no business of who reads this (3.14.14 lets it be left out).
        "originalUriBaseIds": {
            _ROOT: {"description": {"text": "The folder in which reactor was started."}}
        },
        "columnKind": "utf16CodeUnits",
        "results": _results(problems, texts or Texts()),
    }
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }


def _driver() -> dict[str, object]:
    return {
        "name": "reactor",
        "version": __version__,
        "rules": [_rule(ENTRIES[code]) for code in _CODES],
    }


def _rule(entry: Entry) -> dict[str, object]:
    help_text = explained(entry)
    return {
        "id": entry.code.value,
        "shortDescription": {"text": f"{entry.title}."},
        "fullDescription": {"text": f"{entry.title}. {entry.why}"},
        "help": {"text": help_text, "markdown": help_text},
        "defaultConfiguration": {"level": entry.severity.value},
    }


def _results(problems: Iterable[Problem], texts: Texts) -> list[dict[str, Any]]:
    seen = Counter[tuple[str, str]]()
    results: list[dict[str, Any]] = []
    for problem in problems:
        line = texts.line(problem.place)
        print_ = _fingerprint(problem, line)
        same = problem.place.file, print_
        seen[same] += 1
        results.append(
            {
                "ruleId": problem.code.value,
                "ruleIndex": _CODES.index(problem.code),
                "level": problem.severity.value,
                "message": {"text": _plain(f"{problem.problem}\nfix: {problem.fix}")},
                "locations": [_location(problem, line)],
                "partialFingerprints": {_FINGERPRINT: f"{print_}:{seen[same]}"},
            }
        )
    return results


def _plain(text: str) -> str:
    """The text, with nothing in it that a viewer takes for a placeholder or a link.

    By 3.11.5 every brace would be doubled. What people read this with shows it as it
    stands, and a fix such as `{event: NAME}` is there to be copied; so only `{0}` is.
    """
    shown = "\n".join(printable(line) for line in text.split("\n"))
    return _MEANS_MORE.sub(lambda found: f"{{{found[0]}}}" if found[1] else "\\[", shown)


def _location(problem: Problem, line: str) -> dict[str, object]:
    uri = uri_of(problem.place.file)
    artifact = {"uri": uri} if uri.startswith("file:") else {"uri": uri, "uriBaseId": _ROOT}
    location: dict[str, object] = {
        "physicalLocation": {"artifactLocation": artifact, "region": _region(problem.place, line)}
    }
    if problem.path:
        location["logicalLocations"] = [{"fullyQualifiedName": problem.path}]
    return location


def _region(place: Place, line: str) -> dict[str, int]:
    if not place.line:
        # GitHub drops what has no line; what is wrong with a whole file is seen at its head.
        return {"startLine": 1}
    column = {"startColumn": utf16_column(line, place.column)} if place.column else {}
    return {"startLine": place.line, **column}


def _fingerprint(problem: Problem, line: str) -> str:
    # Numbers in a sentence may be those of lines, which move.
    sentence = re.sub(r"\d+", "", problem.problem)
    parts = (problem.code.value, problem.path, line.strip(), sentence)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
