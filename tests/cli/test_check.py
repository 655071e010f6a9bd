"""``reactor check``: what it finds, how it shows it, how it ends."""

import json
import re
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from reactor.cli.exits import Exit
from reactor.errors import Code
from tests.cli.conftest import Call

SOUND = """\
policy: sound
description: It is right.
trigger: {event: GUEST_PANICKED}
steps:
  - log: it panicked
"""

WRONG = SOUND.replace("sound", "wrong").replace(
    "  - log: it", "  - log: it\n    retr: 3\n  - log: it"
)

QUITS = SOUND.replace("sound", "quits").replace("log: it panicked", "qmp: quit")


@pytest.fixture
def rules(here: Path) -> Path:
    """A folder with one sound policy."""
    folder = here / "rules"
    folder.mkdir()
    (folder / "sound.yaml").write_text(SOUND, encoding="utf-8")
    return folder


def test_sound_policies_are_counted(reactor: Call, rules: Path) -> None:
    """Exit code 0."""
    assert rules.is_dir()
    assert reactor("check", "rules") == (Exit.OK, "no problems; 1 sound policy in 1 file\n", "")


def test_a_problem_is_shown_with_its_line_and_a_caret(reactor: Call, rules: Path) -> None:
    """Then the fix, and a summary; exit code 1."""
    (rules / "wrong.yaml").write_text(WRONG, encoding="utf-8")
    assert reactor("check", "rules") == (
        Exit.FINDINGS,
        (
            "rules/wrong.yaml:6:5: R003 `retr` is no key here\n"
            "    6 |     retr: 3\n"
            "      |     ^\n"
            "  fix: did you mean `retry`?\n"
            "1 error; 1 sound policy in 2 files\n"
        ),
        "",
    )


def test_what_an_editor_has_counts_for_the_file(
    reactor: Call, rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its line is shown, its name is told; the text on the disk is not read."""
    (rules / "wrong.yaml").write_text(SOUND, encoding="utf-8")
    name = "rules/wrong.yaml"
    shown = f"{name}:6:5: R003 `retr` is no key here\n    6 |     retr: 3\n"
    for words in (["rules", "-"], ["-"]):
        monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(WRONG.encode())))
        code, out, _ = reactor("check", *words, "--stdin-filename", name)
        assert code == Exit.FINDINGS
        assert out.startswith(shown)
        sound = "1 sound policy in 2 files" if "rules" in words else "0 sound policies in 1 file"
        assert out.endswith(f"1 error; {sound}\n")
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(WRONG.encode())))
    _, out, _ = reactor("check", "-", "-o", "sarif")
    assert '"uri": "standard%20input"' in out


def test_json_is_a_list_of_problems(reactor: Call, rules: Path) -> None:
    """With everything that the text says, and the place in the policy."""
    (rules / "wrong.yaml").write_text(WRONG, encoding="utf-8")
    code, out, _ = reactor("check", "rules", "-o", "json")
    assert code == Exit.FINDINGS
    assert json.loads(out) == [
        {
            "file": "rules/wrong.yaml",
            "line": 6,
            "column": 5,
            "code": "R003",
            "severity": "error",
            "message": "`retr` is no key here",
            "fix": "did you mean `retry`?",
            "path": "steps/0/retr",
        }
    ]


def test_json_of_sound_policies_is_an_empty_list(reactor: Call, rules: Path) -> None:
    """And nothing else."""
    assert reactor("check", rules, "-o", "json") == (Exit.OK, "[]\n", "")


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        pytest.param([], Exit.OK, id="a warning is no error"),
        pytest.param(["--strict"], Exit.FINDINGS, id="but with --strict"),
    ],
)
def test_a_warning_is_called_so(reactor: Call, here: Path, flags: list[str], code: int) -> None:
    """It ends in an error with --strict only."""
    (here / "empty").mkdir()
    assert reactor("check", "empty", *flags) == (
        code,
        (
            "empty: R011 warning: the folder holds no policy file\n"
            "  fix: put a file that ends in .yaml into it\n"
            "1 warning; 0 sound policies in 0 files\n"
        ),
        "",
    )


def test_a_path_that_is_not_there_is_an_error(reactor: Call) -> None:
    """Not an empty success."""
    assert reactor("check", "none.yaml") == (
        Exit.FINDINGS,
        (
            "none.yaml: R011 there is no such file or folder\n"
            "  fix: name a policy file, or a folder of them\n"
            "1 error; 0 sound policies in 0 files\n"
        ),
        "",
    )


def test_with_settings_the_allow_list_is_checked(reactor: Call, rules: Path, here: Path) -> None:
    """What they do not allow is an error, what they allow is none."""
    (rules / "quits.yaml").write_text(QUITS, encoding="utf-8")
    settings = here / "reactor.yaml"
    settings.write_text("qmp: {allow: [memsave]}\n", encoding="utf-8")
    code, out, _ = reactor("check", "rules", "-c", "reactor.yaml")
    assert code == Exit.FINDINGS
    assert re.match(r"rules/quits.yaml:5:\d+: R010 .*quit", out)
    settings.write_text("qmp: {allow: [quit]}\n", encoding="utf-8")
    code, out, _ = reactor("check", "rules", "-c", "reactor.yaml")
    assert (code, out) == (Exit.OK, "no problems; 2 sound policies in 2 files\n")


def test_without_settings_a_note_names_the_setting(reactor: Call, rules: Path) -> None:
    """Once for each policy and command, since nobody knows what they permit."""
    twice = QUITS + "  - {if: guest.migrating, qmp: quit}\n"
    (rules / "quits.yaml").write_text(twice, encoding="utf-8")
    assert reactor("check", "rules") == (
        Exit.OK,
        (
            "rules/quits.yaml:5:5: R052 note: `quit` needs a permission: `qmp.allow` must name it\n"
            "    5 |   - qmp: quit\n"
            "      |     ^\n"
            "  fix: add it to `qmp.allow` of the settings; `reactor check -c FILE` looks there\n"
            "1 note; 2 sound policies in 2 files\n"
        ),
        "",
    )


def test_settings_alone_check_the_rules_that_they_name(
    reactor: Call, rules: Path, here: Path
) -> None:
    """The whole set-up with one command."""
    assert rules.is_dir()
    (here / "reactor.yaml").write_text("rules: [rules]\n", encoding="utf-8")
    assert reactor("check", "-c", "reactor.yaml") == (
        Exit.OK,
        "no problems; 1 sound policy in 1 file\n",
        "",
    )


def test_wrong_settings_are_told_first(reactor: Call, here: Path) -> None:
    """With exit code 2, whatever the policies are like."""
    (here / "reactor.yaml").write_text("rulse: []\n", encoding="utf-8")
    code, out, err = reactor("check", "-c", "reactor.yaml", "none.yaml")
    assert (code, out) == (Exit.USAGE, "")
    assert err.startswith("reactor.yaml:1:1: R003")


def test_problems_come_in_the_order_of_files_and_lines(reactor: Call, here: Path) -> None:
    """Also where an early file is named late."""
    for name in ("b", "a"):
        (here / f"{name}.yaml").write_text(f"policy: {name}\nx: 1\ny: 1\n", encoding="utf-8")
    _, out, _ = reactor("check", "b.yaml", "a.yaml")
    places = re.findall(r"^[ab]\.yaml:\d+", out, flags=re.MULTILINE)
    assert places == sorted(places)
    assert {place[0] for place in places} == {"a", "b"}


def test_a_code_is_explained(reactor: Call) -> None:
    """As the reference page does; nothing is checked."""
    code, out, _ = reactor("check", "--explain", "r003")
    assert code == Exit.OK
    assert out.startswith("## R003\n\n**A key is not known at its place.** Severity: error.\n\n")
    assert out.endswith("```\n")


@pytest.mark.parametrize(
    ("word", "fix"),
    [
        pytest.param("RO05", "did you mean `R005`?", id="misspelt"),
        pytest.param("panic", f"they go from R001 to {max(Code).value}", id="no code at all"),
    ],
)
def test_a_code_that_does_not_exist_is_not_explained(reactor: Call, word: str, fix: str) -> None:
    """With the code that was meant, or where they begin and end."""
    said = f"reactor check: there is no code `{word}`\n  fix: {fix}\n"
    assert reactor("check", "--explain", word) == (Exit.USAGE, "", said)


RESIZES = SOUND.replace("log: it panicked", "qmp: block-job-change\n    args: {id: 1}")


def test_policies_are_held_against_the_targets(reactor: Call, rules: Path) -> None:
    """Without `--target` against all, where what one of them lacks is a warning."""
    (rules / "sound.yaml").write_text(RESIZES, encoding="utf-8")
    code, out, _ = reactor("check", "rules", "--target", "7.2")
    assert code == Exit.FINDINGS
    assert "sound.yaml:5:10: R013 there is no command `block-job-change`\n" in out
    code, out, _ = reactor("check", "rules")
    assert code == Exit.FINDINGS
    assert "R013 QEMU 7.2: there is no command `block-job-change`\n" in out
    assert "sound.yaml:6:16: R013 QEMU 11.1: `id` is a text, and this is a whole number\n" in out


def test_a_target_that_nobody_knows(reactor: Call, rules: Path) -> None:
    """It is a mistake in the command line, or a QEMU that cannot be reached."""
    assert reactor("check", "rules", "--target", "9.9")[0] == Exit.USAGE
    assert reactor("check", "rules", "--live", str(rules / "none"))[0] == Exit.CANNOT_CONNECT


def test_what_is_told_of_targets_and_permissions_can_be_ignored_too(
    reactor: Call, rules: Path
) -> None:
    """By the same comments as all that the lints say."""
    text = SOUND.replace("sound", "old").replace("  - log: it panicked\n", "")
    text += "  - qmp: query-kvm\n  - qmp: quit\n"
    arguments = ["check", "rules", "--target", "11.1"]
    (rules / "old.yaml").write_text(text, encoding="utf-8")
    told = reactor(*arguments)[1]
    assert "old.yaml:5:10: R054 note: `query-kvm` is deprecated in QEMU 11.1" in told
    assert "old.yaml:6:5: R052 note: `quit` needs a permission" in told
    text = text.replace("-kvm", "-kvm  # reactor: ignore R054 ours is older")
    text = text.replace("quit", "quit  # reactor: ignore R052 it is given")
    (rules / "old.yaml").write_text(text, encoding="utf-8")
    assert reactor(*arguments)[1] == "no problems; 2 sound policies in 2 files\n"


def test_files_of_the_broker_are_warned_of(reactor: Call, here: Path, rules: Path) -> None:
    """The check may run elsewhere than the daemon: exit code 0, or 1 with --strict."""
    (rules / "sound.yaml").write_text(SOUND, encoding="utf-8")
    (here / "password").write_text("x", encoding="utf-8")
    (here / "password").chmod(0o644)
    settings = here / "reactor.yaml"
    text = "rules: [rules]\nmqtt: {url: 'mqtts://b', username: u, password_file: password"
    settings.write_text(f"{text}, ca_file: ca.pem}}\n", encoding="utf-8")
    code, out, _ = reactor("check", "-c", "reactor.yaml", "-o", "json")
    found = json.loads(out)
    assert code == Exit.OK
    assert [(one["code"], one["severity"], one["message"]) for one in found] == [
        (
            "R014",
            "warning",
            f"ca_file {here}/ca.pem cannot be used: No such file or directory",
        ),
        (
            "R014",
            "warning",
            f"password_file {here}/password can be read by everybody on this host",
        ),
    ]
    assert reactor("check", "-c", "reactor.yaml", "--strict")[0] == Exit.FINDINGS
