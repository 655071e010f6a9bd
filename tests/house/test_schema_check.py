"""The schema is checked against each document of a stream."""

import pytest

from scripts.schema_check import documents, main


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
            [(2, "policy: a\n"), (4, "test: t\npolicies: x\n")],
            id="a test",
        ),
        pytest.param("runbook: r\n", [(1, "runbook: r\n")], id="a runbook"),
        pytest.param("rules: [x]\n", [], id="settings are no policy"),
        pytest.param("steps:\n  policy: a\n", [], id="a key further in"),
    ],
)
def test_documents_of_a_stream(text: str, found: list[tuple[int, str]]) -> None:
    """Only documents of a known kind are held against the schema."""
    assert list(documents(text)) == found


def test_folders_without_a_policy_fail(capfd: pytest.CaptureFixture[str]) -> None:
    """A check that found nothing to check has not passed."""
    assert main(["scripts"]) == 1
    assert capfd.readouterr().out == "no policy found below scripts\n"
