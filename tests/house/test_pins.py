"""What is installed is what was tested: every library pinned, with hashes, from anywhere."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.house.checkout import ROOT

CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WANTED = [
    Requirement(line)
    for line in (
        *PROJECT["project"]["dependencies"],
        *PROJECT["dependency-groups"]["dev"],
        *PROJECT["build-system"]["requires"],
    )
]


def pins() -> dict[str, tuple[Requirement, int]]:
    """By name: what is pinned, and how many hashes it has."""
    found: dict[str, tuple[Requirement, int]] = {}
    for entry in re.split(r"\n(?=\S)", CONSTRAINTS):
        first, _, rest = entry.partition("\\\n")
        requirement = Requirement(first)
        found[canonicalize_name(requirement.name)] = (requirement, rest.count("--hash=sha256:"))
    return found


@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: f"{wanted.name}{wanted.specifier}")
def test_a_dependency_is_pinned_to_a_version_that_is_allowed(wanted: Requirement) -> None:
    """The pin exists, names one version, and pyproject.toml accepts it."""
    pinned, _ = pins()[canonicalize_name(wanted.name)]
    (version,) = pinned.specifier
    assert version.operator == "=="
    assert version.version in wanted.specifier


def test_every_pin_has_hashes() -> None:
    """A file that is not the one which was tested is refused."""
    assert [name for name, (_, hashes) in pins().items() if not hashes] == []


def test_pins_name_no_address() -> None:
    """The constraints work with every mirror and every index."""
    assert re.findall(r"\S*://\S*|--(?:extra-)?index-url|--find-links", CONSTRAINTS) == []


def test_every_supported_python_is_named() -> None:
    """The classifiers begin with the oldest Python that may be installed."""
    prefix = "Programming Language :: Python :: "
    names = [c.removeprefix(prefix) for c in PROJECT["project"]["classifiers"] if prefix in c]
    accepted = SpecifierSet(PROJECT["project"]["requires-python"])
    assert names == ["3.11", "3.12", "3.13", "3.14"]
    assert all(name in accepted for name in names)
    assert "3.10" not in accepted
