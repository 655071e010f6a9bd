"""Comments that ask for a finding not to be told."""

import pytest

from reactor.policyfile.check import load_text

HEAD = "policy: p\ndescription: d\ntrigger: {event: SUSPEND}\n"
RESET = "- qmp: system_reset"


def told(text: str) -> str:
    """What is said about a file."""
    loaded = load_text(text, "f")
    return "\n".join(map(str, (*loaded.problems, *loaded.test_problems)))


def wrong(place: str, problem: str, fix: str) -> str:
    """A warning about an ignore."""
    return f"f:{place}: R080 {problem}\n  fix: {fix}"


WHY = "R031 somebody else sends the cont"
STOPPED = (
    "f:5:3: R031 a guest that stood still does not run again after `system_reset` alone\n"
    "  fix: use `guest: reset`, or add `- qmp: cont` behind it"
)
NOTHING = "R031 is not told here: there is nothing to ignore"


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        pytest.param(RESET, STOPPED, id="nothing is ignored"),
        pytest.param(f"{RESET}  # reactor: ignore {WHY}", "", id="behind the line"),
        pytest.param(f"{RESET}  #reactor: ignore {WHY}", "", id="without a space"),
        pytest.param(f"{RESET} # why # reactor: ignore {WHY}", "", id="behind another comment"),
        pytest.param(
            f"{RESET}  # reactor: ignore R031",
            wrong(
                "5:22",
                "this ignore says no reason",
                "write it behind the code: `# reactor: ignore R031 REASON`",
            ),
            id="without a reason",
        ),
        pytest.param(
            f"{RESET}  # reactor: ignore R030 it is armed elsewhere", STOPPED, id="another code"
        ),
        pytest.param(
            f"{RESET}  # reactor: ignore R042 it is rare",
            STOPPED + "\n" + wrong("5:22", NOTHING.replace("31", "42"), "take the comment out"),
            id="a code that is not told",
        ),
        pytest.param(
            f"{RESET}  # reactor: ignore RR031 why",
            STOPPED + "\n" + wrong("5:22", "`RR031` is no code", "did you mean `R031`?"),
            id="no code, nearly one",
        ),
        pytest.param(
            f"{RESET}  # reactor: ignore everything",
            STOPPED
            + "\n"
            + wrong("5:22", "`everything` is no code", "write `# reactor: ignore CODE REASON`"),
            id="no code at all",
        ),
        pytest.param(
            f"{RESET}  # reactor: ignore",
            f"{STOPPED}\n"
            + wrong("5:22", "`` is no code", "write `# reactor: ignore CODE REASON`"),
            id="nothing behind it",
        ),
        pytest.param(
            f"{RESET}  # reactor: ignore R003 I like it",
            STOPPED + "\n" + wrong("5:22", "R003 cannot be ignored", "mend what it is about"),
            id="what is no lint",
        ),
        pytest.param(f"{RESET}  # reactor: ignored R031 x", STOPPED, id="another word"),
        pytest.param(f"{RESET}  # see reactor: ignore R031", STOPPED, id="a comment about it"),
        pytest.param(
            f"- log: '# reactor: ignore {WHY}'\n- log: x",
            "",
            id="a text is no comment",
        ),
        pytest.param(
            f"- log: |\n    # reactor: ignore {WHY}\n- log: x", "", id="nor is one of several lines"
        ),
    ],
)
def test_ignores(steps: str, message: str) -> None:
    """A finding of that code on that line is not told; an ignore of nothing is."""
    assert told(f"{HEAD}steps:\n{steps}\n") == message


@pytest.mark.parametrize(
    ("above", "is_told"),
    [
        pytest.param(f"# reactor: ignore {WHY}\n", False, id="on the line above"),
        pytest.param(f"# reactor: ignore {WHY}\n\n  # more of it\n", False, id="further above"),
        pytest.param(f"- log: x  # reactor: ignore {WHY}\n", True, id="behind another line"),
    ],
)
def test_a_comment_that_stands_alone(above: str, *, is_told: bool) -> None:
    """Is about the next line that is more than a comment."""
    said = told(f"{HEAD}steps:\n{above}{RESET}\n")
    assert ("R031 a guest" in said) is is_told
    assert (NOTHING in said) is is_told


def test_a_comment_at_the_end_of_a_file_is_about_nothing() -> None:
    """And is told."""
    text = f"{HEAD}steps: [{{log: x}}]\n# reactor: ignore {WHY}"
    assert told(text) == wrong("5:1", NOTHING, "take the comment out")


def test_nobody_knows_what_the_lints_would_say_of_an_unsound_file() -> None:
    """So its ignores are left alone."""
    text = f"{HEAD}steps:\n{RESET}  # reactor: ignore {WHY}\nif: *x\n"
    assert told(text) == (
        "f:6:5: R004 `*x` is a YAML alias, which is not allowed\n"
        "  fix: put it in single quotes: '*x'"
    )


def test_what_depends_on_the_other_policies_may_be_ignored_in_vain() -> None:
    """Checked beside another set of policies it may be told."""
    text = f"{HEAD}steps:\n- log: x  # reactor: ignore R070 they are never both there\n"
    assert told(text) == ""


def test_findings_about_tests_can_be_ignored_too() -> None:
    """In their own documents."""
    text = (
        f"{HEAD}steps: [{{log: x}}]\n---\ntest: t\npolicies: p\nguests: {{a: {{}}}}\ntimeline:\n"
        "# reactor: ignore R012 our own QEMU sends it\n- {at: 0s, event: ACME_X}\n"
        "expect: [{log: x, times: 0}]\n"
    )
    assert "R012" in told(text.replace("ignore R012", "ignore R020"))
    assert told(text) == ""
