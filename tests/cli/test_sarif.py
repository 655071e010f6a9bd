"""``reactor check -o sarif``: what SARIF demands, and where a tool would show a finding."""

import json
import os
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from reactor.cli.exits import Exit
from reactor.cli.files_shown import uri_of, utf16_column
from reactor.cli.sarif import sarif
from reactor.errors import Code, Place, Problem, Severity
from reactor.policyfile.codes.table import ENTRIES
from tests.cli.conftest import Call
from tests.cli.sarif_rules import LOG

HEAD = "policy: a\ndescription: d\ntrigger: {event: STOP}\n"
VALIDATOR = jsonschema.Draft202012Validator(
    LOG, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)


def checked(log: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON
    """The results of a log that fits the rules, each with the rule that it says it has."""
    VALIDATOR.validate(log)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    results: list[dict[str, Any]] = run["results"]
    assert [rules[one["ruleIndex"]]["id"] for one in results] == [one["ruleId"] for one in results]
    return results


def physical(result: dict[str, Any]) -> dict[str, Any]:
    """Where it is, in a file."""
    found: dict[str, Any] = result["locations"][0]["physicalLocation"]
    return found


def results_of(*problems: Problem) -> list[dict[str, Any]]:
    """What these are in SARIF."""
    return checked(sarif(problems))


def problem(**more: Any) -> Problem:  # noqa: ANN401 - whatever a problem has
    """One in a file that is not there."""
    whole: dict[str, Any] = {
        "place": Place("a.yaml", 1, 1),
        "code": Code.YAML,
        "problem": "it is wrong",
    }
    return Problem(**(whole | {"fix": "mend it"} | more))


def test_the_rules_are_a_schema() -> None:
    """What every other test here is held against."""
    jsonschema.Draft202012Validator.check_schema(LOG)


def test_what_was_found_is_told_with_its_place(reactor: Call, here: Path) -> None:
    """Rule, level, sentence with fix, file, line, column and the place in the policy."""
    (here / "rules").mkdir()
    (here / "rules" / "a.yaml").write_text(HEAD + "steps:\n  - lgo: x\n", encoding="utf-8")
    code, out, _ = reactor("check", "rules", "-o", "sarif")
    assert code == Exit.FINDINGS
    (result,) = checked(json.loads(out))
    del result["partialFingerprints"]
    assert result == {
        "ruleId": "R003",
        "ruleIndex": 2,
        "level": "error",
        "message": {"text": "unknown step `lgo`\nfix: write `log`"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "rules/a.yaml", "uriBaseId": "SRCROOT"},
                    "region": {"startLine": 5, "startColumn": 5},
                },
                "logicalLocations": [{"fullyQualifiedName": "steps/0"}],
            }
        ],
    }


def test_nothing_found_is_a_log_without_results(reactor: Call, here: Path) -> None:
    """A tool that collects them learns that what it knew is mended."""
    (here / "a.yaml").write_text(HEAD + "steps: [{log: x}]\n", encoding="utf-8")
    code, out, _ = reactor("check", "a.yaml", "-o", "sarif")
    assert (code, checked(json.loads(out))) == (Exit.OK, [])


def test_every_code_is_a_rule_with_its_page() -> None:
    """Whether or not it was found, so that numbers of rules never move between two runs."""
    (run,) = sarif([])["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [code.value for code in Code]
    for rule, entry in zip(rules, ENTRIES.values(), strict=True):
        assert rule["shortDescription"]["text"] == f"{entry.title}."
        assert entry.why in rule["fullDescription"]["text"]
        assert entry.good in rule["help"]["markdown"]


@pytest.mark.parametrize("severity", Severity)
def test_levels_are_our_severities(severity: Severity) -> None:
    """By the same names."""
    assert results_of(problem(severity=severity))[0]["level"] == severity.value


def test_what_is_wrong_with_a_whole_file_is_at_its_head(reactor: Call) -> None:
    """A finding without a line is dropped by who shows them."""
    code, out, _ = reactor("check", "none.yaml", "-o", "sarif")
    assert code == Exit.FINDINGS
    (result,) = checked(json.loads(out))
    assert (result["ruleId"], physical(result)["region"]) == ("R011", {"startLine": 1})
    assert "logicalLocations" not in result["locations"][0]


def test_a_line_without_a_column_is_one_without_it_here() -> None:
    """Not one in column 0, which there is not."""
    (result,) = results_of(problem(place=Place("a.yaml", 3)))
    assert physical(result)["region"] == {"startLine": 3}


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        pytest.param("rules/a.yaml", "rules/a.yaml", id="below this folder"),
        pytest.param("./rules//a.yaml", "rules/a.yaml", id="written in another way"),
        pytest.param("{here}/rules/a.yaml", "rules/a.yaml", id="by its whole path"),
        pytest.param("{here}er/a.yaml", "file://{here}er/a.yaml", id="beside this folder"),
        pytest.param("/etc/a b.yaml", "file:///etc/a%20b.yaml", id="elsewhere"),
        pytest.param("../a.yaml", "../a.yaml", id="above"),
        pytest.param("a:b.yaml", "a%3Ab.yaml", id="a colon is no scheme"),
        pytest.param("50%#?.yaml", "50%25%23%3F.yaml", id="signs that mean something"),
        pytest.param("größe.yaml", "gr%C3%B6%C3%9Fe.yaml", id="UTF-8"),
        pytest.param(os.fsdecode(b"\xff.yaml"), "%FF.yaml", id="no UTF-8"),
        pytest.param("a\n\x1b[31m.yaml", "a%0A%1B%5B31m.yaml", id="controls"),
    ],
)
def test_files_are_uris(here: Path, file: str, uri: str) -> None:
    """Relative to the folder where it was started, as far as they lie below it."""
    file, uri = file.replace("{here}", str(here)), uri.replace("{here}", str(here))
    assert uri_of(file) == uri
    (result,) = results_of(problem(place=Place(file, 1, 1)))
    assert physical(result)["artifactLocation"]["uri"] == uri


def test_a_folder_that_is_gone_costs_only_the_short_paths(here: Path) -> None:
    """The findings are told all the same."""
    here.rmdir()
    assert uri_of("/etc/a.yaml") == "file:///etc/a.yaml"


@pytest.mark.parametrize(
    ("column", "counted"),
    [
        pytest.param(1, 1, id="first"),
        pytest.param(3, 3, id="at an emoji"),
        pytest.param(4, 5, id="behind it"),
        pytest.param(5, 6, id="behind a letter that is one unit"),
        pytest.param(9, 10, id="behind the line"),
    ],
)
def test_columns_count_units_of_utf_16(column: int, counted: int) -> None:
    """As editors do: an emoji is two."""
    assert utf16_column("ab😀ß", column) == counted


def test_the_column_in_the_log_is_that_of_an_editor(reactor: Call, here: Path) -> None:
    """In a file with a byte order mark and the line ends of Windows, too."""
    text = "\ufeffpolicy: a\r\ndescription: d\r\ntrigger: {event: A, by: '😀', lgo: 1}\r\n"
    (here / "a.yaml").write_bytes(text.encode())
    _, out, _ = reactor("check", "a.yaml", "-o", "json")
    columns = [found["column"] for found in json.loads(out)]
    _, out, _ = reactor("check", "a.yaml", "-o", "sarif")
    counted = [physical(found)["region"]["startColumn"] for found in checked(json.loads(out))]
    assert dict(zip(columns, counted, strict=True)) == {1: 1, 18: 18, 26: 26, 30: 31}


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        pytest.param("`{event: A}`", "`{event: A}`", id="braces are to be copied"),
        pytest.param("`a{0}b{12}`", "`a{{0}}b{{12}}`", id="but are no placeholder"),
        pytest.param("`x[0]` [a]", "`x[0]` [a]", id="brackets as well"),
        pytest.param("`[a](b)[c]`", "`\\[a](b)[c]`", id="but are no link"),
        pytest.param("`\x1b[2J`", "`\\x1b[2J`", id="nothing steers a terminal"),
        pytest.param("\udcff", "\\udcff", id="no half character"),
    ],
)
def test_a_sentence_is_shown_as_it_is(said: str, shown: str) -> None:
    """Viewers put arguments and links into it, where they find their marks."""
    (result,) = results_of(problem(problem=said))
    assert result["message"]["text"] == f"{shown}\nfix: mend it"


def prints(reactor: Call, path: Path, text: str) -> list[str]:
    """The fingerprints of what is wrong with a file of this text."""
    path.write_text(text, encoding="utf-8")
    _, out, _ = reactor("check", path.name, "-o", "sarif")
    found = checked(json.loads(out))
    return [result["partialFingerprints"]["reactorFinding/v1"] for result in found]


def test_a_fingerprint_stays_when_lines_move(reactor: Call, here: Path) -> None:
    """Also where the sentence itself names a line; each finding has its own."""
    text = "policy: a\nx: 1\nx: 2\nx: 3\n"
    before = prints(reactor, here / "a.yaml", text)
    assert len(set(before)) == len(before) > 3
    moved = "# one\n" * 12 + "policy: b\n---\n" + text.replace("x: 2", "  # two\nx: 2")
    after = prints(reactor, here / "a.yaml", moved)
    assert set(before) < set(after)
    assert len(set(after)) == len(after)


def test_equal_findings_are_counted() -> None:
    """File by file: a copy of a file has what the first one has."""
    one, other = problem(), problem(place=Place("b.yaml", 1, 1))
    results = results_of(one, one, other)
    found = [result["partialFingerprints"]["reactorFinding/v1"] for result in results]
    assert [each.partition(":")[2] for each in found] == ["1", "2", "1"]
    assert len({each.partition(":")[0] for each in found}) == 1
