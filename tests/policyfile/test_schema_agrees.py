"""The JSON Schema and our reader over documents by chance: where they differ, and why."""

import json
import re
from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.errors import Code, Problem, Severity
from reactor.policyfile.check import load_text
from reactor.policyfile.json_schema import json_schema
from reactor.policyfile.nodes import plain
from reactor.policyfile.reader import read
from tests.policyfile.made_documents import Json, Maker, damaged
from tests.policyfile.test_schema import VALIDATOR

SCHEMA = json_schema()
ROOT = Path(__file__).resolve().parents[2]
FILES = [*ROOT.glob("rules/*.yaml"), *ROOT.glob("tests/policyfile/corpus/good/*.yaml")]
SHIPPED = [
    plain(document.root)
    for path in sorted(FILES)
    for document in read(path.read_text(encoding="utf-8"), path.name).documents
]

ONLY_THE_READER = {
    "expressions and templates have a grammar and types of their own": "R008 ",
    "names are compared with each other": "R009 |.* stands twice",
    "another document, or another part of this one, decides": "there is no (policy|guest|runbook)"
    "|the test has several guests|the runbook .* runs itself"
    "|.* is none of this test's|the runbook .* (has|needs)|no way behind|the test expects nothing",
    "numbers with units are compared": ".* is (longer|shorter) than|this duration cannot be zero",
    "cron has a grammar of its own": "a schedule|.* is no (minute|hour|day|month|schedule)"
    "|.* is out of range|no date",
    "this machine knows the time zones and the calendar": ".* is no time( zone)?\\b",
    "a text that may be a template is looked at where it is none": ".* is no (URL|dump format)"
    "|the topic |a topic filter |in the topic filter |a step's name",
    "the kind of a thing says what its name may be": "a mark on the",
    "what a simulated QEMU can do": ".* (is nothing that could be answered|cannot be one answer)"
    "|.* says nothing of|.* is reactor's own",
    "what a runbook is given is held against its params": "it takes ",
    "a mapping whose entries say nothing": "an empty `except`|nothing is changed",
}
"""Why the reader refuses what the schema takes, and how its sentences then begin."""


def refusals(document: Json) -> list[Problem]:
    """The errors that the reader finds in the document, written as JSON, which is YAML."""
    loaded = load_text(json.dumps(document, ensure_ascii=False), "f")
    problems = (*loaded.problems, *loaded.test_problems)
    return [one for one in problems if one.severity is Severity.ERROR]


def is_listed(problem: Problem) -> bool:
    """Whether one of the reasons is that of this problem."""
    said = f"{problem.code.value} {problem.problem}"
    sentence = problem.problem
    return any(
        re.match(begins, said) or re.match(begins, sentence) for begins in ONLY_THE_READER.values()
    )


def agree(document: Json) -> None:
    """The schema takes what the reader takes, and refuses what it refuses for no listed reason."""
    refused = refusals(document)
    if not refused:
        assert VALIDATOR.is_valid(document), list(VALIDATOR.iter_errors(document))
    elif unlisted := [str(one) for one in refused if not is_listed(one)]:
        assert not VALIDATOR.is_valid(document), unlisted


@given(st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_documents_that_fit_the_schema(random: Random) -> None:
    """The reader takes them, or says why not for a reason that no schema can know."""
    agree(Maker(SCHEMA, random).document())


@given(st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_documents_that_nearly_fit(random: Random) -> None:
    """Damage that one of them sees the other sees, too."""
    agree(damaged(Maker(SCHEMA, random).document(), random))


@given(st.sampled_from(SHIPPED), st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_what_people_wrote_with_a_few_things_wrong(document: Json, random: Random) -> None:
    """An editor never marks what would be loaded."""
    agree(damaged(document, random))


def test_reasons_name_codes_that_there_are() -> None:
    """The table does not outlive what it is about."""
    codes = {code.value for code in Code}
    assert set(re.findall(r"R\d+", " ".join(ONLY_THE_READER.values()))) <= codes
