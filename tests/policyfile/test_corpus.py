"""Whole files as operators write them: the good ones load, the bad ones are told all at once."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.program import compile_program
from reactor.errors import Severity
from reactor.policyfile.check import build_policy, load_text

CORPUS = Path(__file__).with_name("corpus")
GOOD = sorted(CORPUS.glob("good/*.yaml"))
BAD = sorted(CORPUS.glob("bad/*.yaml"))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_file_loads(path: Path) -> None:
    """Without an error or a warning; each policy is a program, and is what its source says."""
    loaded = load_text(path.read_text(encoding="utf-8"), path.name)
    told = [str(one) for one in loaded.problems if one.severity is not Severity.NOTE]
    assert told == []
    assert loaded.policies
    for policy in loaded.policies:
        assert compile_program(policy).ops
        again = build_policy(policy.source, policy.place)
        assert (again.source, again.revision) == (policy.source, policy.revision)
        assert compile_program(again).starts == compile_program(policy).starts


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_file_is_told_everything_in_one_pass(path: Path) -> None:
    """Word for word what stands beside it."""
    loaded = load_text(path.read_text(encoding="utf-8"), path.name)
    assert loaded.policies == ()
    told = "".join(f"{one}\n" for one in loaded.problems)
    assert told == path.with_suffix(".txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_no_problem_depends_on_another_file(path: Path) -> None:
    """A bad file beside good ones is told the same, and the good ones load."""
    good = [one.read_text(encoding="utf-8") for one in GOOD]
    alone = load_text(path.read_text(encoding="utf-8"), "f")
    together = load_text("\n---\n".join([path.read_text(encoding="utf-8"), *good]), "f")
    errors = [one for one in together.problems if one.severity is Severity.ERROR]
    assert [str(one) for one in errors] == [str(one) for one in alone.problems]
    assert len(together.policies) > 10


TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in GOOD}
LINES = sorted({line for text in TEXTS.values() for line in text.splitlines()})
WORDS = sorted({word for line in LINES for word in line.replace(":", " : ").split()})


@given(
    st.sampled_from(sorted(TEXTS)),
    st.lists(st.tuples(st.integers(0, 200), st.sampled_from(WORDS), st.sampled_from(WORDS))),
    st.lists(st.tuples(st.integers(0, 200), st.sampled_from([*LINES, ""]))),
)
def test_a_file_in_which_words_and_lines_were_mixed_up(
    name: str, words: list[tuple[int, str, str]], lines: list[tuple[int, str]]
) -> None:
    """Nothing raises: a policy is built, or somebody is told why not."""
    written = TEXTS[name].splitlines()
    for at, old, new in words:
        line = written[at % len(written)]
        written[at % len(written)] = line.replace(old, new) if old in line else f"{line} {new}"
    for at, line in lines:
        written[at % len(written)] = line
    loaded = load_text("\n".join(written), name)
    assert loaded.policies or loaded.problems
    for policy in loaded.policies:
        assert build_policy(policy.source, policy.place).revision == policy.revision
