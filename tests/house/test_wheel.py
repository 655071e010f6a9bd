"""What people install: the package with the shipped policies in it."""

import tarfile
import zipfile
from pathlib import Path

import hatchling.build
import pytest

from tests.house.checkout import ROOT, files, name_of


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build backend builds the folder that it is called in."""
    monkeypatch.chdir(ROOT)


def rules() -> set[str]:
    """The shipped policies, by their path below rules/."""
    return {
        name_of(path).removeprefix("rules/") for path in files() if ROOT / "rules" in path.parents
    }


def test_the_wheel_holds_the_package_and_the_shipped_policies(tmp_path: Path) -> None:
    """An installed reactor has its policies in reactor/_rules, QEMU's facts, and no tests."""
    wheel = tmp_path / hatchling.build.build_wheel(str(tmp_path))
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.removeprefix("reactor/_rules/") for name in names if "/_rules/" in name} == rules()
    assert "reactor/py.typed" in names
    assert {name for name in names if "/qapi/data/" in name} == {
        name_of(path) for path in files() if ROOT / "reactor/qapi/data" in path.parents
    }
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {
        "reactor",
        "qemu_reactor",
    }


def test_an_editable_install_copies_no_policy(tmp_path: Path) -> None:
    """In a checkout, an edited policy is the one that runs."""
    wheel = tmp_path / hatchling.build.build_editable(str(tmp_path))
    names = zipfile.ZipFile(wheel).namelist()
    assert [name for name in names if "dist-info" not in name] == ["_qemu_reactor.pth"]


def test_the_source_archive_can_build_the_same_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A packager needs the archive and nothing else."""
    archive = tmp_path / hatchling.build.build_sdist(str(tmp_path))
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    (source,) = (path for path in tmp_path.iterdir() if path.is_dir())
    from_checkout = zipfile.ZipFile(
        tmp_path / hatchling.build.build_wheel(str(tmp_path))
    ).namelist()
    monkeypatch.chdir(source)
    from_archive = zipfile.ZipFile(source / hatchling.build.build_wheel(str(source))).namelist()
    assert from_archive == from_checkout
