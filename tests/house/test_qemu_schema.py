"""A new QEMU is one command: its schema and facts are written, and what changed is said."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reactor.qapi.facts import Facts
from reactor.qapi.shipped import versions
from scripts.qemu_schema import DATA, SchemaError, ask_program, facts_text, main, version_of

LAST = versions()[-1]
NEW = "99.0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the package's data."""
    return Path(shutil.copytree(DATA, tmp_path / "data"))


def facts_in(folder: Path) -> dict[str, Any]:
    """The facts in that folder, which are sound facts."""
    text = (folder / "facts.json").read_bytes()
    msgspec.json.decode(text, type=Facts)
    return dict(json.loads(text))


def reply(tmp_path: Path, **changes: list[dict[str, object]] | None) -> list[str]:
    """Arguments for a new QEMU that tells what the last one told, but for these entities."""
    told = {one["name"]: one for one in json.loads((DATA / f"qemu-{LAST}.json").read_bytes())}
    for name, entity in changes.items():
        del told[name]
        if entity:
            told |= {one["name"]: one for one in entity}
    path = tmp_path / "reply.json"
    path.write_text(json.dumps(list(told.values())), encoding="utf-8")
    return ["--file", str(path), "--version", NEW]


STOP_WITH_REASON: list[dict[str, object]] = [
    {"meta-type": "event", "name": "STOP", "arg-type": "7", "features": ["deprecated"]},
    {"meta-type": "object", "name": "7", "members": [{"name": "why", "type": "str"}]},
    {"meta-type": "event", "name": "NEWS", "arg-type": "7", "features": ["unstable"]},
    {
        "meta-type": "command",
        "name": "tell-news",
        "arg-type": "7",
        "ret-type": "0",
        "allow-oob": True,
    },
    {"meta-type": "object", "name": "0", "members": []},
]


def test_a_new_qemu_is_taken_in(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files are written, the changes are told, and what no schema says is left empty."""
    arguments = reply(tmp_path, STOP=STOP_WITH_REASON, QUORUM_FAILURE=None, balloon=None)
    assert main([*arguments, "--check"], folder) == 1
    assert not (folder / f"qemu-{NEW}.json").exists()
    assert main(arguments, folder) == 0
    changes = [
        "+ event NEWS",
        "- event QUORUM_FAILURE",
        "~ event STOP is deprecated",
        "+ command tell-news",
        "- command balloon",
        "+ event STOP why: string",
    ]
    last = f"qemu-{NEW}.json is written, with 6 changes since {LAST}"
    assert capsys.readouterr().out.splitlines() == [*changes, *changes, last]
    known = facts_in(folder)
    assert known["versions"][-1] == NEW
    empty = {"since": NEW, "present": [NEW]}
    assert known["commands"]["tell-news"] == {**empty, "meaning": "", "oob": True}
    news = {"class": "", "severity": "", "meaning": "", "trace": {"kept": "none"}}
    assert known["events"]["NEWS"] == {**empty, **news, "unstable": True}
    assert known["events"]["STOP"]["deprecated"] == NEW
    assert known["events"]["STOP"]["changes"] == [
        {"between": [LAST, NEW], "path": "why", "after": "string"}
    ]
    assert known["events"]["QUORUM_FAILURE"]["removed"] == NEW
    assert known["commands"]["balloon"]["removed"] == NEW
    assert NEW not in known["commands"]["balloon"]["present"]
    assert known["events"]["WATCHDOG"]["rate_limit"]["present"][-1] == NEW
    assert known["events"]["QUORUM_FAILURE"]["rate_limit"]["present"][-1] == LAST


def test_to_take_in_the_same_again_changes_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither that of a new QEMU nor one that is shipped."""
    arguments = reply(tmp_path, STOP=STOP_WITH_REASON)
    assert main(arguments, folder) == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main(arguments, folder) == 0
    assert main([*arguments, "--check"], folder) == 0
    for version in versions():
        file = str(DATA / f"qemu-{version}.json")
        assert main(["--file", file, "--version", version], folder) == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert f"qemu-{NEW}.json is what this QEMU says" in capsys.readouterr().out


def test_one_between_two_that_are_known_changes_no_history(folder: Path, tmp_path: Path) -> None:
    """Its own schema is written; what it left out is not taken for removed."""
    arguments = [*reply(tmp_path, QUORUM_FAILURE=None)[:-1], "9.2"]
    assert main(arguments, folder) == 0
    known = facts_in(folder)
    assert known["versions"][:4] == ["5.2", "7.2", "9.2", "10.0"]
    assert "removed" not in known["events"]["QUORUM_FAILURE"]
    assert known["events"]["STOP"]["present"] == known["versions"]
    assert "changes" not in known["events"]["STOP"]
    assert known["events"]["BLOCK_IO_ERROR"]["rate_limit"]["present"][0] == "10.0"


def test_commands_of_other_machines_go_on(folder: Path, tmp_path: Path) -> None:
    """What the build before left out was not removed in the next."""
    before = folder / f"qemu-{LAST}.json"
    lines = before.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if '"name":"dump-skeys"' not in line]
    before.write_text("\n".join(kept), encoding="utf-8")
    arguments = reply(tmp_path, **{"dump-skeys": None})
    assert main(arguments, folder) == 0
    known = facts_in(folder)
    assert known["commands"]["dump-skeys"]["present"][-1] == NEW
    assert "removed" not in known["commands"]["dump-skeys"]


def test_the_first_schema_has_nothing_before_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is written, and no change is told."""
    for path in folder.glob("qemu-*.json"):
        path.unlink()
    assert main(reply(tmp_path), folder) == 0
    assert capsys.readouterr().out == f"qemu-{NEW}.json is written, with 0 changes\n"


def test_the_shipped_facts_are_as_the_tool_would_write_them() -> None:
    """So that a change to them is a change of a line."""
    text = (DATA / "facts.json").read_text(encoding="utf-8")
    assert facts_text(json.loads(text)) == text


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        pytest.param({"major": 11, "minor": 1, "micro": 0}, "11.1", id="a release"),
        pytest.param({"major": 7, "minor": 2, "micro": 49}, "7.2", id="a late fix of it"),
        pytest.param({"major": 11, "minor": 1, "micro": 50}, None, id="development"),
        pytest.param({"major": 11, "minor": 1, "micro": 90}, None, id="a candidate"),
    ],
)
def test_only_releases_are_taken_in(told: dict[str, int], wanted: str | None) -> None:
    """The schema of what comes later may still change."""
    if wanted is None:
        with pytest.raises(SchemaError, match="is no release: its schema may change"):
            version_of(told)
    else:
        assert version_of(told) == wanted


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--socket", "/nowhere"], "/nowhere: [Errno 2]", id="no socket"),
        pytest.param(["--qemu", "/nowhere"], "/nowhere: [Errno 2]", id="no program"),
        pytest.param(["--qemu", "false"], "false: Command", id="a program that fails"),
        pytest.param(["--qemu", "true"], "true: it did not answer 'query-version'", id="no QEMU"),
        pytest.param(["--file", "/nowhere", "--version", "1.0"], "[Errno 2]", id="no file"),
    ],
)
def test_what_cannot_be_had_is_said(
    arguments: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what was tried, and nothing is written."""
    before = sorted(folder.iterdir())
    assert main(arguments, folder) == 2
    assert capsys.readouterr().err.startswith(f"qemu_schema: {said}")
    assert sorted(folder.iterdir()) == before


def test_a_file_says_nothing_of_its_version(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It must be given."""
    with pytest.raises(SystemExit):
        main(["--file", "x"], folder)
    assert "--file and --version belong together" in capsys.readouterr().err


def test_a_program_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody waits for ever."""
    program = tmp_path / "qemu"
    program.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(600)\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr("scripts.qemu_schema.LIMIT", 0.1)
    with pytest.raises(SchemaError, match="timed out after"):
        ask_program(str(program))
