"""What people copy from the documents works: YAML, commands, SQL, and what they print."""

import configparser
import re
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from reactor.adapters.journal import Journal
from reactor.app.scenario.coverage import Coverage
from reactor.app.scenario.runner import run_tests
from reactor.app.settings_layers import Flags
from reactor.app.settings_load import load_settings
from reactor.cli.program import VERBS, program_with
from reactor.errors import Severity
from reactor.policyfile import schema
from reactor.policyfile.check import Loaded, load
from tests.docs.pages import Block, blocks, page
from tests.house.checkout import ROOT

SKELETON = {
    "policy": "policy: a-fragment",
    "description": "description: a part of a policy",
    "trigger": "trigger: {event: __ACME_ANY}",
    "steps": "steps:\n  - log: nothing",
}


def whole(fragment: str) -> str:
    """The policy that a fragment of one is part of."""
    keys = re.findall(r"^(\w+):", fragment, re.MULTILINE)
    return "\n".join([*(line for key, line in SKELETON.items() if key not in keys), fragment])


def is_of_policies(block: Block) -> bool:
    """Whether all its keys are keys of a policy."""
    keys = re.findall(r"^([\w-]+):", block.text, re.MULTILINE)
    return bool(keys) and set(keys) <= set(schema.Policy.words())


def is_a_runbook(block: Block) -> bool:
    """Whether it begins a runbook of its own."""
    return block.text.startswith("runbook:")


def is_of_tests(block: Block) -> bool:
    """Whether it holds a policy test, or a part of one."""
    keys = re.findall(r"^([\w-]+):", block.text, re.MULTILINE)
    parts = {"simulate", "timeline", "expect"}
    return "test" in keys or (bool(keys) and parts.issuperset(keys))


TESTS = [block for block in blocks("yaml") if is_of_tests(block)]
POLICIES = [b for b in blocks("yaml") if is_of_policies(b) and b not in TESTS]
RUNBOOKS = [block for block in blocks("yaml") if is_a_runbook(block)]
PIPELINES = [block for block in blocks("yaml") if block.page == "docs/how-to/check-in-ci.md"]
SETTINGS = [b for b in blocks("yaml") if b not in [*POLICIES, *RUNBOOKS, *TESTS, *PIPELINES]]


def told(loaded: Loaded) -> list[str]:
    """The errors and warnings; a note is about what may be meant as it is."""
    return [str(one) for one in loaded.problems if one.severity is not Severity.NOTE]


@pytest.mark.parametrize("block", POLICIES, ids=str)
def test_every_policy_and_every_part_of_one_is_accepted(block: Block, tmp_path: Path) -> None:
    """Without an error and without a warning."""
    file = tmp_path / "fragment.yaml"
    file.write_text(whole(block.text), encoding="utf-8")
    loaded = load([file])
    assert told(loaded) == []
    assert loaded.policies


@pytest.mark.parametrize("block", RUNBOOKS, ids=str)
def test_every_runbook_is_accepted(block: Block, tmp_path: Path) -> None:
    """As it stands, without a policy that runs it."""
    file = tmp_path / "runbook.yaml"
    file.write_text(block.text, encoding="utf-8")
    assert told(load([file])) == []


TEST_SKELETON = {
    "test": "test: a part of a test",
    "policies": "policies: panic-dump-reset",
    "guests": "guests: {web-1: {}}",
    "expect": "only: true",
}


def whole_test(fragment: str) -> str:
    """The test that a fragment of one is part of; it holds whatever else happens."""
    keys = re.findall(r"^(\w+):", fragment, re.MULTILINE)
    if "test" in keys:
        return fragment
    missing = (line for key, line in TEST_SKELETON.items() if key not in keys)
    return "\n".join([*missing, fragment])


@pytest.mark.parametrize("block", TESTS, ids=str)
def test_every_policy_test_holds(block: Block, tmp_path: Path) -> None:
    """With the policies that its page showed last, and the shipped ones; parts are accepted."""
    shown = {}
    for number, policy in enumerate(POLICIES):
        if policy.page == block.page:
            name = re.search(r"^policy: (\S+)", policy.text, flags=re.MULTILINE)
            key = name[1] if name else str(number)
            if policy.line < block.line or key not in shown:
                shown[key] = whole(policy.text)
    for key, text in shown.items():
        (tmp_path / f"{key}.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "test.yaml").write_text(whole_test(block.text), encoding="utf-8")
    shipped = [
        file
        for file in (ROOT / "rules").iterdir()
        if ".test" not in file.suffixes
        and not any(f"policy: {name}\n" in file.read_text(encoding="utf-8") for name in shown)
    ]
    loaded = load([tmp_path, *shipped])
    problems = [*loaded.problems, *loaded.test_problems]
    assert [str(one) for one in problems if one.severity is not Severity.NOTE] == []
    policies = {policy.name: policy for policy in loaded.policies}
    assert loaded.tests
    if "test:" in block.text:
        results = run_tests(loaded.tests, policies, Coverage(()))
        assert [result.failings for result in results if not result.passed] == []


def test_the_how_to_shows_what_a_failed_test_prints(tmp_path: Path) -> None:
    """The last test of the page, with the time that it says."""
    mine = [block.text for block in blocks("yaml") if block.page.endswith("test-a-policy.md")]
    shown = next(block.text for block in blocks("") if block.page.endswith("test-a-policy.md"))
    (tmp_path / "resume-once.yaml").write_text(mine[0], encoding="utf-8")
    wrong = mine[3].replace("at: 1m, times", "at: 2m, times")
    (tmp_path / "resume-once.test.yaml").write_text(wrong, encoding="utf-8")
    tested = subprocess.run(
        [sys.executable, "-m", "reactor", "test", tmp_path],
        check=False,
        capture_output=True,
        text=True,
    )
    printed = tested.stdout.replace(str(tmp_path), "rules").partition("\n\n")[0]
    assert f"{printed}\n" == shown
    assert tested.returncode == 1


@pytest.mark.parametrize("block", SETTINGS, ids=str)
def test_all_other_yaml_is_settings_that_are_accepted(block: Block, tmp_path: Path) -> None:
    """Nobody copies a settings file that reactor refuses."""
    file = tmp_path / "reactor.yaml"
    file.write_text(block.text, encoding="utf-8")
    assert load_settings(Flags(config=file), {}).sources == (file,)


def test_the_fragments_are_found() -> None:
    """The two tests above have rows, of the reference and of the how-to guides."""
    assert {"docs/reference/policies.md", "README.md"} <= {block.page for block in POLICIES}
    assert "docs/reference/policies.md" in {block.page for block in RUNBOOKS}
    assert "docs/how-to/run-as-a-service.md" in {block.page for block in SETTINGS}
    assert "docs/reference/policy-tests.md" in {block.page for block in TESTS}


def commands() -> list[tuple[str, list[str]]]:
    """Every call of reactor in a shell block or a pipeline: where it stands, and its words."""
    found = []
    for block in [*blocks("sh"), *PIPELINES]:
        text = re.sub(r"\\\n\s*", "", block.text)
        for line in text.splitlines():
            call = re.match(r"(?:\s+- (?:run: )?)?(?:\w+=\S+ +)*(\S*/)?reactor ([^|]+)", line)
            words = ["reactor", *shlex.split(call[2], comments=True)] if call else []
            if len(words) > 1:
                found.append((f"{block}: {' '.join(words[1:3])}", words[1:]))
    return found


@pytest.mark.parametrize("words", [pytest.param(words, id=where) for where, words in commands()])
def test_every_command_has_a_verb_and_options_that_exist(words: list[str]) -> None:
    """The program knows them; nothing is run."""
    command = typer.main.get_command(program_with(VERBS))
    if not words[0].startswith("-"):
        assert words[0] in VERBS
        command = command.commands[words[0]]  # type: ignore[attr-defined]
    if len(words) > 1:
        # Of a family such as `runs` the second word may be a verb.
        command = getattr(command, "commands", {}).get(words[1], command)
    used = {word for word in words if re.fullmatch(r"--?[a-z][a-z-]*", word)}
    assert used - {name for parameter in command.params for name in parameter.opts} == set()


def test_the_commands_are_found() -> None:
    """The test above has rows."""
    verbs = {words[0] for _, words in commands()}
    assert {"run", "check", "events", "init"} <= verbs


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> sqlite3.Connection:
    """A journal's file, empty, opened as the page says."""
    path = tmp_path_factory.mktemp("journal") / "journal.db"
    Journal.open(path, now=lambda: 1.0).close_now()
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


@pytest.mark.parametrize("block", blocks("sql"), ids=str)
def test_every_query_fits_the_journals_tables(block: Block, tables: sqlite3.Connection) -> None:
    """No table or column is misspelt."""
    tables.execute(block.text).fetchall()


def test_every_table_of_the_journal_is_explained(tables: sqlite3.Connection) -> None:
    """And no other is."""
    rows = tables.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    names = {name for (name,) in rows if not name.startswith("sqlite_")}
    text = page("docs/how-to/read-what-it-did.md").partition("| table | holds |")[2]
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == names


def test_the_tutorial_shows_what_check_prints(tmp_path: Path) -> None:
    """The policy with two mistakes, checked beside the sound one that `init` writes."""
    plain = [block.text for block in blocks("") if block.page.endswith("first-policy.md")]
    wrong, shown = plain[:2]
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "paused.yaml").write_text(wrong, encoding="utf-8")
    (rules / "first-policy.yaml").write_text(whole(""), encoding="utf-8")
    checked = subprocess.run(
        [sys.executable, "-m", "reactor", "check", rules],
        check=False,
        capture_output=True,
        text=True,
    )
    assert checked.stdout.replace(str(rules), "/tmp/first/rules") == shown  # noqa: S108
    assert checked.returncode == 1


def unit() -> configparser.ConfigParser:
    """The systemd unit of the how-to; keys may stand more than once."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(next(block.text for block in blocks("ini")))
    return parser


def test_the_unit_starts_what_exists_and_may_write_where_it_must() -> None:
    """Its verb and settings file are those of the page, and its folders those of the settings."""
    service = unit()["Service"]
    start = shlex.split(service["ExecStart"])
    assert start[1:] == ["run", "-c", "/etc/reactor/reactor.yaml"]
    assert service["RestartPreventExitStatus"] == "2"
    settings = next(b.text for b in SETTINGS if b.page.endswith("run-as-a-service.md"))
    assert f"folder: {service['ReadWritePaths']}" in settings
    assert f"path: /var/lib/{service['StateDirectory']}/journal.db" in settings
