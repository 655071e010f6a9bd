"""The page that says what stands against whom is held to what is there."""

import re
import tomllib

import pytest

from tests.docs.pages import pages, section
from tests.docs.test_blocks import unit
from tests.house.checkout import ROOT

PAGE = "docs/explanation/threat-model.md"
HOLDERS = sorted(set(re.findall(r"`((?:tests|rules)/[\w/.-]+\.\w+)`", pages()[PAGE])))

NO_CODE_FROM_TEXT = ("S102", "S301", "S307", "S506", "S602", "S605")


def test_the_page_names_who_holds_what() -> None:
    """There is something to be looked at below."""
    assert len(HOLDERS) > 20


@pytest.mark.parametrize("name", HOLDERS)
def test_a_defence_names_a_test_that_is_there(name: str) -> None:
    """A file of tests that was renamed must not leave a promise behind."""
    assert (ROOT / name).is_file()


NAMED = [
    (row, name) for row in pages()[PAGE].splitlines() for name in re.findall(r"`(test_\w+)`", row)
]


@pytest.mark.parametrize(("row", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_rule_names_tests_that_are_there(row: str, name: str) -> None:
    """In a file that the same row names."""
    files = [ROOT / one for one in HOLDERS if f"`{one}`" in row]
    assert any(f"def {name}(" in one.read_text(encoding="utf-8") for one in files)


def test_there_are_eight_rules_for_bridges() -> None:
    """Each with a test."""
    rules = section(pages()[PAGE], "What bridges get wrong").splitlines()
    assert len([row for row in rules if "`tests/" in row and row.startswith("|")]) == 8


@pytest.mark.parametrize("rule", NO_CODE_FROM_TEXT)
def test_no_shell_and_no_code_from_text(rule: str) -> None:
    """The rule is in force for all of `reactor/`, and no line asks to be left out."""
    assert rule in pages()[PAGE]
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]["lint"]
    assert ruff["select"] == ["ALL"]
    for pattern, rules in [("*", ruff["ignore"]), *ruff["per-file-ignores"].items()]:
        if pattern == "*" or pattern.startswith("reactor"):
            assert not any(rule.startswith(one) for one in rules), pattern
    for file in (ROOT / "reactor").rglob("*.py"):
        assert rule not in file.read_text("utf-8"), file


HARDENED = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectControlGroups": "yes",
    "RestrictNamespaces": "yes",
    "RestrictSUIDSGID": "yes",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "SystemCallArchitectures": "native",
    "StateDirectoryMode": "0700",
    "UMask": "0077",
}


@pytest.mark.parametrize("key", sorted(HARDENED))
def test_the_unit_takes_away_what_is_not_needed(key: str) -> None:
    """The unit of the how-to, as systemd reads it."""
    service = unit()["Service"]
    assert service[key] == HARDENED[key]
    assert service["User"] == "reactor"
