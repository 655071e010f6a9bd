"""What is the same for every verb: help, mistakes, ends."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from reactor import __version__
from reactor.cli import program, schema
from reactor.cli.exits import Exit, NotRunningError, RefusedError, UsageError, exit_of
from reactor.cli.main import main
from reactor.cli.program import VERBS
from reactor.errors import (
    BrokerError,
    Code,
    ExpressionError,
    GuestError,
    JournalError,
    LostReply,
    MonitorError,
    Place,
    PolicyError,
    Problem,
    ReactorError,
    SettingsError,
)
from tests.cli.conftest import Call


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """By the short way and by the long one."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"reactor {__version__}\n"
    assert main(["--debug", "--version"]) == 0
    assert capsys.readouterr().out == f"reactor {__version__}\n"


_IMPORTED = """\
import sys
from reactor.cli.main import main
assert main(sys.argv[1:]) == 0
print(*sys.modules)
"""


def test_a_verb_is_imported_alone(tmp_path: Path) -> None:
    """Policies are checked without what speaks to monitors, and without the models of tests."""
    file = tmp_path / "policy.yaml"
    steps = "steps: [{log: x}]"
    file.write_text(f"policy: a\ndescription: d\ntrigger: {{event: STOP}}\n{steps}\n")
    words = [sys.executable, "-c", _IMPORTED, "--debug", "check", str(file)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    modules = set(done.stdout.splitlines()[-1].split())
    others = {f"reactor.cli.{verb}" for verb in VERBS} - {"reactor.cli.check"}
    assert not modules & others
    assert not modules & {"asyncio", "reactor.core.engine", "reactor.policyfile.schema_tests"}


def test_help_lists_every_verb_with_a_sentence(reactor: Call) -> None:
    """In whole sentences, none cut off."""
    code, out, err = reactor("--help")
    assert (code, err) == (0, "")
    listed = re.findall(r"^  (\w+) +([A-Z].*\.)$", out, flags=re.MULTILINE)
    assert [verb for verb, _ in listed] == list(VERBS)
    assert "..." not in out.partition("Commands:")[2]


def test_no_words_at_all_show_the_help_and_are_wrong(reactor: Call) -> None:
    """A script that lost its verb notices."""
    _, helped, _ = reactor("--help")
    assert reactor() == (Exit.USAGE, helped, "")


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(reactor: Call, verb: str, flag: str) -> None:
    """The example is a command line of that verb."""
    code, out, err = reactor(verb, flag)
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: reactor {verb} [OPTIONS]")
    assert f"\n    reactor {verb}" in out.partition("Examples:\n")[2].join(["\n", ""])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(
            ["chexk"],
            "reactor: there is no verb `chexk`\n  fix: did you mean `check`?\n",
            id="a verb with a near one",
        ),
        pytest.param(
            ["frobnicate"],
            "reactor: there is no verb `frobnicate`\n  fix: `reactor --help` lists the verbs\n",
            id="an unknown verb",
        ),
        pytest.param(
            ["--verion"],
            "reactor: there is no option `--verion`\n  fix: did you mean `--version`?\n",
            id="an option with a near one",
        ),
        pytest.param(
            ["check", "--stict", "x"],
            "reactor check: there is no option `--stict`\n  fix: did you mean `--strict`?\n",
            id="an option of a verb with a near one",
        ),
        pytest.param(
            ["check", "-z"],
            "reactor check: no such option: -z\n"
            "  fix: `reactor check --help` shows how it is written\n",
            id="an unknown option",
        ),
        pytest.param(
            ["check", "-o", "xml", "x"],
            "reactor check: invalid value for '-o' / '--output': 'xml' is not one of 'text', "
            "'json', 'sarif', 'github'\n  fix: `reactor check --help` shows how it is written\n",
            id="an unknown output",
        ),
        pytest.param(
            ["events", "-n", "-1"],
            "reactor events: invalid value for '-n' / '--lines': Input should be greater than or "
            "equal to 0\n"
            "  fix: `reactor events --help` shows how it is written\n",
            id="a number out of range",
        ),
        pytest.param(
            ["schema", "extra"],
            "reactor schema: got unexpected extra argument(s) (extra)\n"
            "  fix: `reactor schema --help` shows how it is written\n",
            id="a word too many",
        ),
        pytest.param(
            ["demo", "--keep"],
            "reactor demo: option '--keep' requires an argument\n"
            "  fix: `reactor demo --help` shows how it is written\n",
            id="an option without its value",
        ),
        pytest.param(
            ["check"],
            "reactor check: nothing is named to be checked\n"
            "  fix: name a policy file, a folder, or settings with -c\n",
            id="nothing to check",
        ),
    ],
)
def test_a_wrong_command_line_is_told_with_place_problem_and_fix(
    reactor: Call, words: list[str], told: str
) -> None:
    """On standard error, with exit code 2."""
    assert reactor(*words) == (Exit.USAGE, "", told)


def fail_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the verb `schema` end in this error."""

    def fail() -> str:
        raise error

    monkeypatch.setattr(schema, "schema_text", fail)


PROBLEM = Problem(Place("a.yaml", 1, 2), Code.YAML, "it is wrong", "mend it")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(UsageError("a", "b", "c"), 2, id="usage"),
        pytest.param(SettingsError("a", "b", "c"), 2, id="settings"),
        pytest.param(RefusedError("a", "b", "c"), 3, id="refused"),
        pytest.param(GuestError("a", "b", "c", "d"), 3, id="QEMU says no"),
        pytest.param(JournalError("a", "b", "c"), 4, id="journal"),
        pytest.param(MonitorError("a", "b", "c"), 4, id="monitor"),
        pytest.param(BrokerError("a", "b", "c"), 4, id="broker"),
        pytest.param(LostReply("a", "b", "c"), 4, id="lost reply"),
        pytest.param(NotRunningError("a", "b", "c"), 5, id="not running"),
        pytest.param(PolicyError([PROBLEM]), 1, id="policy"),
        pytest.param(ExpressionError("a", 1, "b", "c"), 1, id="expression"),
        pytest.param(ReactorError("a", "b", "c"), 1, id="any other"),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: ReactorError, code: int) -> None:
    """Those that the reference page lists."""
    assert exit_of(error) == code


def test_an_error_is_told_in_its_own_words(reactor: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Place, problem and fix, without a trace."""
    fail_with(RefusedError("here", "it is so", "do this"), monkeypatch)
    assert reactor("schema") == (Exit.REFUSED, "", "here: it is so\n  fix: do this\n")


def test_errors_of_a_group_of_tasks_are_all_told(
    reactor: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first decides on the exit code."""
    inner = ExceptionGroup("x", [JournalError("a", "b", "c")])
    fail_with(ExceptionGroup("x", [inner, RefusedError("d", "e", "f")]), monkeypatch)
    told = "a: b\n  fix: c\nd: e\n  fix: f\n"
    assert reactor("schema") == (Exit.CANNOT_CONNECT, "", told)


REPORT = "\n  fix: run it again as `reactor --debug ...`, and report what it prints\n"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        pytest.param(KeyError("x"), "KeyError: 'x'", id="with a text"),
        pytest.param(ValueError(), "ValueError", id="without one"),
        pytest.param(
            OSError(28, "No space left on device", "f"),
            "OSError: [Errno 28] No space left on device: 'f'",
            id="of a file",
        ),
        pytest.param(ValueError("a\n  b\x1b"), "ValueError: a b\\x1b", id="with lines"),
        pytest.param(
            ExceptionGroup("x", [RefusedError("a", "b", "c"), KeyError("y")]),
            "RefusedError: a: b fix: c",
            id="in a group with one of ours",
        ),
    ],
)
def test_an_error_of_ours_is_one_sentence(
    reactor: Call, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    """With exit code 70."""
    fail_with(error, monkeypatch)
    assert reactor("schema") == (70, "", f"reactor: internal error: {told}{REPORT}")


@pytest.mark.parametrize("by", ["flag", "variable"])
def test_debug_shows_the_trace(reactor: Call, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    """Then the sentence."""
    fail_with(KeyError("x"), monkeypatch)
    if by == "variable":
        monkeypatch.setenv("REACTOR_DEBUG", "1")
    code, _, err = reactor(*(["--debug"] if by == "flag" else []), "schema")
    assert code == Exit.INTERNAL
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.endswith(f"reactor: internal error: KeyError: 'x'{REPORT}")


def test_an_interrupt_is_quiet(reactor: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """With exit code 130."""
    fail_with(KeyboardInterrupt(), monkeypatch)
    code, out, err = reactor("schema")
    assert (code, out, err) == (Exit.INTERRUPTED, "", "")


def test_an_interrupt_outside_of_the_verb_is_as_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the program still imports, for one."""

    def interrupted(_words: Sequence[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "run_program", interrupted)
    assert main(["schema"]) == Exit.INTERRUPTED


def test_wrong_settings_are_shown_with_their_lines(reactor: Call, here: Path) -> None:
    """Every problem with the source and a caret; exit code 2."""
    (here / "a.yaml").write_text("rulse: []\nhost: {nme: x}\n", encoding="utf-8")
    code, out, err = reactor("run", "-c", "a.yaml")
    assert (code, out) == (Exit.USAGE, "")
    assert err == (
        "a.yaml:1:1: R003 `rulse` is no key here\n"
        "    1 | rulse: []\n"
        "      | ^\n"
        "  fix: did you mean `rules`?\n"
        "a.yaml:2:8: R003 `nme` is no key here\n"
        "    2 | host: {nme: x}\n"
        "      |        ^\n"
        "  fix: did you mean `name`?\n"
    )
