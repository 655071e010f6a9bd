"""Which files are read, and what is said of those that cannot be."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from reactor.policyfile.files import Typed, read_all


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(*names: str) -> None:
    """Files whose text is their name."""
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")


def result(*paths: str) -> tuple[list[str], str]:
    """The names of what was read, and the problems as people read them."""
    sources, problems = read_all(map(Path, paths))
    assert all(source.text == source.file for source in sources)
    return [source.file for source in sources], "\n".join(map(str, problems))


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        pytest.param("r/pnaic.yaml", "did you mean r/panic.yaml?", id="in a folder"),
        pytest.param("rr", "did you mean r?", id="here"),
        pytest.param("r/x", "name a policy file, or a folder of them", id="nothing is near"),
        pytest.param("s/x", "name a policy file, or a folder of them", id="no folder either"),
    ],
)
def test_what_is_near_to_a_path_that_is_not_there(name: str, fix: str) -> None:
    """It may be misspelt."""
    write("r/panic.yaml")
    assert result(name) == ([], f"{name}: R011 there is no such file or folder\n  fix: {fix}")


def test_what_is_typed_counts_for_the_file() -> None:
    """It comes first, and what is wrong with it is told like that of a file."""
    write("r/a.yaml", "r/b.yaml")
    typed = Typed("r/../r/b.yaml", b"x")
    sources, problems = read_all([Path("r")], typed)
    assert [(one.file, one.text) for one in sources] == [
        ("r/../r/b.yaml", "x"),
        ("r/a.yaml", "r/a.yaml"),
    ]
    assert problems == []
    sources, problems = read_all([], Typed("b", b"\xff"))
    assert (sources, [str(one.place) for one in problems]) == ([], ["b:1:1"])


def test_a_folder_gives_its_yaml_files_in_order() -> None:
    """Also those in folders below; nothing that is hidden, or of another kind."""
    write(
        "r/b.yaml",
        "r/a.yml",
        "r/c.txt",
        "r/.hidden.yaml",
        "r/.git/x.yaml",
        "r/sub/d.yaml",
        "r/B.YAML",
    )
    assert result("r") == (["r/a.yml", "r/b.yaml", "r/sub/d.yaml"], "")


def test_a_file_is_read_whatever_its_name_and_only_once() -> None:
    """Named twice, or by a link, it is the same file."""
    write("r/a.yaml", "policy.txt")
    Path("link.yaml").symlink_to("r/a.yaml")
    assert result("policy.txt", "r", "r/a.yaml", "link.yaml") == (["policy.txt", "r/a.yaml"], "")


def test_what_is_not_there() -> None:
    """The others are read all the same."""
    write("a.yaml")
    assert result("gone", "a.yaml") == (
        ["a.yaml"],
        (
            "gone: R011 there is no such file or folder\n"
            "  fix: name a policy file, or a folder of them"
        ),
    )


def test_a_folder_without_policies() -> None:
    """A warning: it may be meant so."""
    write("r/readme.txt")
    _, problems = read_all([Path("r")])
    assert [(str(problem), problem.severity.value) for problem in problems] == [
        (
            "r: R011 the folder holds no policy file\n  fix: put a file that ends in .yaml into it",
            "warning",
        )
    ]


def test_what_is_neither_a_file_nor_a_folder() -> None:
    """A FIFO is not waited for."""
    os.mkfifo("pipe.yaml")
    assert result(".") == (
        [],
        "pipe.yaml: R011 this is neither a file nor a folder\n  fix: name a policy file",
    )


def test_a_file_that_is_not_text() -> None:
    """Its place is the byte's."""
    Path("a.yaml").write_bytes(b"a: \xff\n")
    assert result("a.yaml") == (
        [],
        "a.yaml:1:4: R011 byte 0xff is not UTF-8\n  fix: save the file as UTF-8",
    )


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(
            PermissionError(13, "Permission denied"),
            "a.yaml: R011 it must not be read\n  fix: let the user of reactor read it",
            id="not permitted",
        ),
        pytest.param(
            OSError(5, "Input/output error"),
            "a.yaml: R011 it cannot be read (Input/output error)\n  fix: check the file system",
            id="a broken disk",
        ),
    ],
)
def test_a_file_that_cannot_be_opened(
    error: OSError, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests may run as root, who may read everything: the kernel's answer is given here."""
    write("a.yaml")

    def refuse(*_: object) -> int:
        raise error

    monkeypatch.setattr(os, "open", refuse)
    assert result("a.yaml") == ([], message)


def test_a_folder_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named once, and not called empty."""
    write("r/a.yaml")

    def refuse(top: str) -> Iterator[os.DirEntry[str]]:
        raise PermissionError(13, "Permission denied", str(top))

    monkeypatch.setattr(os, "scandir", refuse)
    assert result("r") == (
        [],
        "r: R011 it must not be read\n  fix: let the user of reactor read it",
    )
