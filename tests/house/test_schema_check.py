"""The schema is checked against each policy of a stream of documents."""

import pytest

from scripts.schema_check import main, policies


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("policy: a\n", [(1, "policy: a\n")], id="one policy"),
        pytest.param(
            "# why\npolicy: a\n---\npolicy: b\n",
            [(1, "# why\npolicy: a\n"), (4, "policy: b\n")],
            id="two policies, each with the number of its first line",
        ),
        pytest.param(
            "---\npolicy: a\n--- # next\ntest: t\npolicies: x\n",
            [(2, "policy: a\n")],
            id="a test is no policy",
        ),
        pytest.param("rules: [x]\n", [], id="settings are no policy"),
        pytest.param("steps:\n  policy: a\n", [], id="a key further in"),
    ],
)
def test_policies_of_a_stream(text: str, found: list[tuple[int, str]]) -> None:
    """Only documents with `policy` at the top are held against the schema."""
    assert list(policies(text)) == found


def test_folders_without_a_policy_fail(capfd: pytest.CaptureFixture[str]) -> None:
    """A check that found nothing to check has not passed."""
    assert main(["scripts"]) == 1
    assert capfd.readouterr().out == "no policy found below scripts\n"
