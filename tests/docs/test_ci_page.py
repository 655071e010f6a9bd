"""The page about CI: its pipelines are such, and its hooks run where pre-commit runs them."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import blocks, page
from tests.house.checkout import ROOT

BIN = Path(sys.executable).parent
PAGE = "docs/how-to/check-in-ci.md"
BLOCKS = [block for block in blocks("yaml", "sh") if block.page == PAGE]
WORKFLOWS = [block for block in BLOCKS if "\njobs:\n" in block.text]
GITLAB = [block for block in BLOCKS if "\n  script:\n" in block.text]
CONFIGS = [block for block in BLOCKS if block.text.startswith("repos:\n")]
HOOKS: dict[str, dict[str, Any]] = {
    hook["id"]: hook for hook in yaml.safe_load(page(".pre-commit-hooks.yaml"))
}
POLICY = "policy: a\ndescription: b\ntrigger: {event: RESET}\nsteps: [{run: c}]\n"
BOOK = "runbook: c\ndescription: d\nsteps: [{log: e}]\n"


@pytest.mark.parametrize(
    ("schema", "count"), [("vendor.github-workflows", 2), ("vendor.gitlab-ci", 1)]
)
def test_pipelines_are_such_as_their_servers_take(tmp_path: Path, schema: str, count: int) -> None:
    """Held against the schemas that check-jsonschema brings along."""
    found = WORKFLOWS if "github" in schema else GITLAB
    assert len(found) == count
    for block in found:
        (tmp_path / f"{block.line}.yaml").write_text(block.text, encoding="utf-8")
    files = sorted(tmp_path.iterdir())
    command: list[str | Path] = [BIN / "check-jsonschema", "--builtin-schema", schema, *files]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_hooks_of_the_page_are_those_that_there_are() -> None:
    """Named as they are called, with keys that pre-commit knows."""
    used = [hook for block in CONFIGS for hook in yaml.safe_load(block.text)["repos"][0]["hooks"]]
    assert {hook["id"] for hook in used} == set(HOOKS)
    known = {"id", "name", "description", "entry", "args", "language", "files", "pass_filenames"}
    assert [set(hook) - known for hook in [*used, *HOOKS.values()]] == [set()] * 5
    assert {hook["language"] for hook in HOOKS.values()} == {"python"}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository of sound policies with one commit; it is the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "policy.yaml").write_text(POLICY, encoding="utf-8")
    (tmp_path / "rules" / "book.yaml").write_text(BOOK, encoding="utf-8")
    (tmp_path / "README.md").write_text("Policies.\n", encoding="utf-8")
    git("init", "-q")
    git("add", ".")
    commit = ("commit", "-q", "-m", "Policies")
    git("-c", "user.name=a", "-c", "user.email=a@example.org", *commit)
    return tmp_path


def git(*words: str) -> list[str]:
    """The lines that git prints."""
    done = subprocess.run(["git", *words], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def hook_runs(name: str) -> int | None:
    """The exit code of a hook, started as pre-commit starts it; None when no file is its own."""
    hook = HOOKS[name]
    staged = git("diff", "--cached", "--name-only", "--no-ext-diff", "--diff-filter=ACMRTUXB")
    mine = [file for file in staged if re.search(hook["files"], file)]
    if not mine:
        return None
    words = [*hook["entry"].split(), *hook["args"], *(mine if hook["pass_filenames"] else ())]
    return subprocess.run(words, check=False, capture_output=True).returncode


def test_a_hook_looks_at_a_commit_that_changes_policies(repository: Path) -> None:
    """With everything that they need from files which did not change; at no other commit."""
    (repository / "README.md").write_text("More.\n", encoding="utf-8")
    git("add", ".")
    assert hook_runs("reactor-check") is None
    (repository / "rules" / "policy.yaml").write_text(POLICY + "max: 2\n", encoding="utf-8")
    git("add", ".")
    assert hook_runs("reactor-check") == 0
    # What broke stands in a file that is no part of this commit.
    (repository / "rules" / "book.yaml").write_text(BOOK.replace("c", "x"), encoding="utf-8")
    git("add", ".")
    assert hook_runs("reactor-check") == 1


def test_the_hook_of_tests_plays_them(repository: Path) -> None:
    """And fails with one that fails."""
    times = "policies: [a]\nguests: {g: {}}\ntimeline: [{at: 1s, event: RESET, guest: g}]\n"
    test = f"test: a guest is reset\n{times}expect:\n  - {{run: a, outcome: succeeded, times: 1}}\n"
    file = repository / "rules" / "policy.test.yaml"
    file.write_text(test, encoding="utf-8")
    git("add", ".")
    assert hook_runs("reactor-test") == 0
    file.write_text(test.replace("times: 1", "times: 2"), encoding="utf-8")
    git("add", ".")
    assert hook_runs("reactor-test") == 1


def test_the_hook_without_pre_commit_does_the_same(repository: Path) -> None:
    """As the page writes it, carried out by git itself."""
    script = next(block.text for block in BLOCKS if block.text.startswith("#!/bin/sh\n"))
    hook = repository / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(script, encoding="utf-8")
    hook.chmod(0o755)
    (repository / "rules" / "policy.yaml").write_text("policy: a\n", encoding="utf-8")
    git("add", ".")
    words = ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-m", "Worse"]
    done = subprocess.run(["git", *words], check=False, capture_output=True, text=True)
    assert done.returncode != 0
    assert "R006" in done.stdout + done.stderr
