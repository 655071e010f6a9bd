"""``reactor test``: what it runs, how it shows it, how it ends."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from reactor.cli.exits import Exit
from tests.cli.conftest import Call

POLICY = """\
policy: told
description: A guest stopped.
trigger: {event: STOP}
cooldown: 5m
steps:
  - publish: alert/info
  - choose:
      - {when: guest.name == 'd', steps: [{publish: alert/critical}]}
"""

GOOD = """\
test: a stop is told
policies: told
guests: {web-1: {}}
timeline: [{at: 1m, event: STOP}]
expect: [{publish: alert/info, at: 1m}]
"""

BAD = """\
test: every stop is told
policies: told
guests: {web-1: {}}
timeline: [{at: 1m, event: STOP}, {at: 2m, event: STOP}]
expect:
  - {publish: alert/info, times: 2}
"""


@pytest.fixture
def rules(here: Path) -> Path:
    """A folder with a policy and a test that holds."""
    folder = here / "rules"
    folder.mkdir()
    (folder / "told.yaml").write_text(POLICY, encoding="utf-8")
    (folder / "told.test.yaml").write_text(GOOD, encoding="utf-8")
    return folder


def _without_seconds(text: str) -> str:
    """The text without how long it took."""
    head, _, seconds = text.rpartition(" in ")
    assert seconds.endswith(" s\n")
    return head


def test_a_misspelt_name_in_a_test_is_told(reactor: Call, rules: Path) -> None:
    """The test holds, and proves nothing: no warning of its own is left out."""
    (rules / "told.test.yaml").write_text(
        GOOD.replace("event: STOP", "event: STPO").replace(
            "[{publish: alert/info, at: 1m}]",
            "[{not: {qmp: systm_reset}}, {not: {agent: guest-pong}}]",
        ),
        encoding="utf-8",
    )
    code, out, err = reactor("test", "rules")
    assert (code, err, _without_seconds(out).splitlines()[-1]) == (0, "", "1 passed, 3 warnings")
    for text, fix in (
        ("no QEMU from 5.2 to 11.1 sends `STPO`", "did you mean `STOP`?"),
        ("no QEMU up to 11.1 has the command `systm_reset`", "did you mean `system_reset`?"),
        ("no guest agent up to 11.1 has the command `guest-pong`", "did you mean `guest-ping`?"),
    ):
        assert f"warning: {text}\n" in out
        assert f"  fix: {fix}\n" in out
    data = json.loads(reactor("test", "rules", "-o", "json")[1])
    assert [one["severity"] for one in data["problems"]] == ["warning"] * 3


def test_tests_that_hold_are_counted(reactor: Call, rules: Path) -> None:
    """Exit code 0."""
    assert rules.is_dir()
    code, out, err = reactor("test", "rules")
    assert (code, _without_seconds(out), err) == (Exit.OK, "1 passed", "")


def test_a_failed_test_shows_what_happened_and_why(reactor: Call, rules: Path) -> None:
    """Its name, the places, a unified diff, the reasons; exit code 1."""
    (rules / "bad.test.yaml").write_text(BAD, encoding="utf-8")
    code, out, _ = reactor("test", "rules")
    assert code == Exit.FINDINGS
    assert _without_seconds(out) == (
        "FAILED every stop is told\n"
        "rules/bad.test.yaml:6:5: publish: alert/info: expected 2 times, it happened once\n"
        "--- expected\n"
        "+++ happened\n"
        "@@ -1,3 +1,2 @@\n"
        " 00:01:00.001  web-1  publish: alert/info\n"
        " 00:01:00.001  web-1  run: told  outcome: succeeded\n"
        "-              *  publish: alert/info\n"
        "why:\n"
        "  00:01:00.001  web-1  told steps/1/choose/0  not taken: `guest.name == 'd'` is false:"
        ' guest.name is "web-1"\n'
        "  00:01:00.001  web-1  told steps/1  nothing to do: no branch holds\n"
        "  00:02:00.001  web-1  told trigger  cooling down: 240.0 s left\n"
        "\n"
        "1 passed, 1 failed"
    )


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        pytest.param("A STOP", 1, id="a part of the name, in any case"),
        pytest.param("stop is told", 2, id="of several"),
        pytest.param("told", 2, id="the name of a policy"),
    ],
)
def test_a_part_of_the_tests(reactor: Call, rules: Path, text: str, passed: int) -> None:
    """Only those that are meant are run."""
    again = GOOD.replace("a stop", "once more a thing; a pause, and a stop")
    (rules / "more.test.yaml").write_text(
        again.replace("A stop", "x").replace("a stop", "the stop"), encoding="utf-8"
    )
    code, out, _ = reactor("test", "rules", "-k", text)
    assert (code, _without_seconds(out)) == (Exit.OK, f"{passed} passed")


def test_no_test_is_a_mistake(reactor: Call, rules: Path) -> None:
    """A pipeline that proves nothing must not look well; exit code 2."""
    code, _, err = reactor("test", "rules", "-k", "nonsense")
    assert (code, err) == (
        Exit.USAGE,
        (
            "reactor test: no test is called like 'nonsense'\n"
            "  fix: write a part of a test's name, or the name of a policy\n"
        ),
    )
    (rules / "told.test.yaml").unlink()
    code, _, err = reactor("test", "rules")
    assert (code, err) == (
        Exit.USAGE,
        (
            "reactor test: there is no test below these paths\n"
            "  fix: write a `test:` document beside a policy: docs/how-to/test-a-policy.md\n"
        ),
    )


def test_what_cannot_be_loaded_is_told_and_the_rest_is_run(reactor: Call, rules: Path) -> None:
    """Problems of tests and of policies; warnings are `check`'s business. Exit code 1."""
    (rules / "wrong.test.yaml").write_text(
        GOOD.replace("a stop", "another").replace("publish:", "publsh:"), encoding="utf-8"
    )
    (rules / "wrong.yaml").write_text(POLICY.replace("told", "wrong").replace("steps", "stps"))
    (rules / "warned.yaml").write_text(
        POLICY.replace("told", "warned").replace("STOP", "STPO"), encoding="utf-8"
    )
    code, out, _ = reactor("test", "rules")
    assert code == Exit.FINDINGS
    assert "rules/wrong.test.yaml:5:11: R003 `publsh` is no key here" in out
    assert "R003 `stps` is no key here" in out
    assert "STPO" not in out
    assert _without_seconds(out).splitlines()[-1] == "1 passed, 2 problems"


def test_one_problem(reactor: Call, rules: Path) -> None:
    """Is one."""
    (rules / "wrong.test.yaml").write_text(
        GOOD.replace("a stop", "another").replace("publish:", "publsh:"), encoding="utf-8"
    )
    assert _without_seconds(reactor("test", "rules")[1]).endswith("1 passed, 1 problem")


def test_coverage_names_what_was_not_reached(reactor: Call, rules: Path) -> None:
    """With its place; policies that no test names are said so."""
    (rules / "other.yaml").write_text(POLICY.replace("told", "other"), encoding="utf-8")
    code, out, _ = reactor("test", "rules", "--coverage")
    assert code == Exit.OK
    assert _without_seconds(out) == (
        "   0 of   4  other: no test names it\n"
        "             not reached: rules/other.yaml:6:5: steps/0  publish\n"
        "             not reached: rules/other.yaml:7:5: steps/1  choose\n"
        "             not reached: rules/other.yaml:7:5: steps/1/choose/0  when guest.name == 'd'\n"
        "             not reached: rules/other.yaml:8:43: steps/1/choose/0/steps/0  publish\n"
        "   2 of   4  told\n"
        "             not reached: rules/told.yaml:7:5: steps/1/choose/0  when guest.name == 'd'\n"
        "             not reached: rules/told.yaml:8:43: steps/1/choose/0/steps/0  publish\n"
        "coverage: 25.0 %\n"
        "1 passed"
    )


@pytest.mark.parametrize(
    ("least", "code"),
    [
        pytest.param("49.9", Exit.OK, id="less is asked for"),
        pytest.param("50", Exit.OK, id="just as much"),
        pytest.param("50.1", Exit.FINDINGS, id="more is asked for"),
    ],
)
def test_too_little_coverage_is_a_failure(
    reactor: Call, rules: Path, least: str, code: int
) -> None:
    """`--fail-under` shows the coverage, too."""
    assert rules.is_dir()
    ended, out, _ = reactor("test", "rules", "--fail-under", least)
    assert ended == code
    assert "coverage: 50.0 %" in out


def test_json(reactor: Call, rules: Path) -> None:
    """Everything that the text says."""
    (rules / "bad.test.yaml").write_text(BAD, encoding="utf-8")
    (rules / "wrong.test.yaml").write_text(GOOD.replace("a stop", "x") + "x: 1\n", encoding="utf-8")
    code, out, _ = reactor("test", "rules", "-o", "json", "--coverage")
    told = json.loads(out)
    assert code == Exit.FINDINGS
    assert [problem["message"] for problem in told["problems"]] == ["`x` is no key here"]
    bad, good = told["tests"]
    assert good.pop("seconds") >= 0
    assert good == {
        "name": "a stop is told",
        "file": "rules/told.test.yaml",
        "line": 1,
        "column": 1,
        "passed": True,
        "failings": [],
        "diff": [],
        "reasons": [],
        "notes": [],
    }
    assert bad["failings"] == [
        {
            "file": "rules/bad.test.yaml",
            "line": 6,
            "column": 5,
            "message": "publish: alert/info: expected 2 times, it happened once",
        }
    ]
    assert bad["diff"][:2] == ["--- expected", "+++ happened"]
    assert told["coverage"]["percent"] == 50.0
    assert told["coverage"]["owners"] == [
        {
            "name": "told",
            "tested": True,
            "reached": 2,
            "steps": 4,
            "missed": [
                {
                    "path": "steps/1/choose/0",
                    "verb": "when guest.name == 'd'",
                    "file": "rules/told.yaml",
                    "line": 7,
                    "column": 5,
                },
                {
                    "path": "steps/1/choose/0/steps/0",
                    "verb": "publish",
                    "file": "rules/told.yaml",
                    "line": 8,
                    "column": 43,
                },
            ],
        }
    ]


def test_json_without_coverage(reactor: Call, rules: Path) -> None:
    """It stands there only when it was asked for."""
    assert rules.is_dir()
    assert json.loads(reactor("test", "rules", "-o", "json")[1]).keys() == {"problems", "tests"}


def test_junit_is_written_beside_the_text(reactor: Call, rules: Path) -> None:
    """The same results, for servers."""
    (rules / "bad.test.yaml").write_text(BAD, encoding="utf-8")
    code, out, _ = reactor("test", "rules", "--junit", "results.xml")
    assert code == Exit.FINDINGS
    assert out.startswith("FAILED")
    root = ET.parse("results.xml").getroot()  # noqa: S314 - it was written just now
    assert [case.attrib["name"] for case in root.iter("testcase")] == [
        "every stop is told",
        "a stop is told",
    ]
    assert len(list(root.iter("failure"))) == 1


def test_junit_that_cannot_be_written(reactor: Call, rules: Path) -> None:
    """The operator is told which file, and why."""
    assert rules.is_dir()
    code, _, err = reactor("test", "rules", "--junit", "none/results.xml")
    assert code == Exit.FINDINGS
    assert err == (
        "none/results.xml: it cannot be written: No such file or directory\n"
        "  fix: name another file\n"
    )


def test_a_note_is_shown(reactor: Call, rules: Path) -> None:
    """That a test ended before everything was over may explain it."""
    slow = POLICY.replace("steps:\n", "timeout: 5d\nsteps:\n  - delay: 3d\n", 1)
    (rules / "told.yaml").write_text(slow, encoding="utf-8")
    assert (
        "note: something was still open a day after the last entry" in reactor("test", "rules")[1]
    )
