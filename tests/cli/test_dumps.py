"""``reactor dumps``: what is in the folder, and what may be."""

import json
import re
from pathlib import Path

import pytest

from reactor.adapters.dump_folder import Card, write_card
from reactor.cli.exits import Exit
from tests.cli.conftest import Call

TAKEN = 1_800_000_000.25


@pytest.fixture
def settings(here: Path) -> Path:
    """A host with bounds, whose folder holds a whole dump, half a one, and somebody's notes."""
    folder = here / "dumps"
    folder.mkdir()
    (folder / "web-1.kdump").write_bytes(b"makedumpfile".ljust(8192, b"\0"))
    write_card(folder / "web-1.kdump", Card("web-1", "k3v9a1-1", "panic", 1.0, 9000, TAKEN))
    (folder / "db-1.elf").write_bytes(b"\x7fELF".ljust(4096, b"\0"))
    write_card(folder / "db-1.elf", Card("db-1", "k3v9a1-2", "panic", TAKEN + 60, 9000))
    write_card(folder / "gone.elf", Card("db-1", "k3v9a1-3", "panic", TAKEN + 60, 9000))
    (folder / "notes.txt").write_text("call Anna", encoding="utf-8")
    file = here / "r.yaml"
    file.write_text(
        "dumps: {folder: dumps, quota: 1GiB, keep: 14d, keep_last: 3, free: 1MiB}\n",
        encoding="utf-8",
    )
    return file


def test_dumps_for_people(reactor: Call, settings: Path) -> None:
    """The oldest first, then the bounds."""
    code, out, err = reactor("dumps", "-c", settings)
    assert (code, err) == (Exit.OK, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    folder = settings.parent / "dumps"
    assert lines[0] == "GUEST TAKEN SIZE FORMAT STATE RUN POLICY FILE"
    assert re.fullmatch(
        rf"web-1 \S+ \S+ 8KiB kdump \(flattened\) whole k3v9a1-1 panic {folder}/web-1.kdump",
        lines[1],
    )
    assert re.fullmatch(
        rf"db-1 \S+ \S+ 4KiB elf partial k3v9a1-2 panic {folder}/db-1.elf", lines[2]
    )
    assert re.fullmatch(
        rf"{folder}: 2 dumps, 12KiB; quota 1GiB; kept for 14d, the last 3 of each guest for "
        r"longer; \S+ free, 1MiB must stay so",
        lines[4],
    )
    assert lines[5] == "one file there was not made by reactor: it leaves it alone"
    assert len(lines) == 6


def test_dumps_for_programs(reactor: Call, settings: Path) -> None:
    """One object each."""
    _, out, _ = reactor("dumps", "-c", settings, "-o", "jsonl")
    whole, half = map(json.loads, out.splitlines())
    assert whole == {
        "guest": "web-1",
        "taken": TAKEN,
        "size_bytes": 8192,
        "format": "kdump (flattened)",
        "whole": True,
        "run": "k3v9a1-1",
        "policy": "panic",
        "file": f"{settings.parent}/dumps/web-1.kdump",
    }
    assert (half["whole"], half["taken"]) == (False, TAKEN + 60)
    _, out, _ = reactor("dumps", "-c", settings, "-o", "json")
    assert json.loads(out) == [whole, half]


@pytest.mark.parametrize(
    ("quota", "is_told"),
    [
        pytest.param("12KiB", False, id="exactly the quota"),
        pytest.param("11KiB", True, id="more than it"),
    ],
)
def test_more_than_the_quota(reactor: Call, settings: Path, quota: str, is_told: bool) -> None:
    """The newest of each guest stay, and there is no room for another one."""
    text = settings.read_text(encoding="utf-8").replace("1GiB", quota)
    settings.write_text(text, encoding="utf-8")
    _, out, _ = reactor("dumps", "-c", settings)
    more = "(they are more: the newest of each guest stay, and no other is begun)"
    assert (more in out) is is_told


def test_no_dumps(reactor: Call, here: Path) -> None:
    """The folder is made for the first one."""
    (here / "r.yaml").write_text("dumps: {folder: nowhere}\n", encoding="utf-8")
    code, out, _ = reactor("dumps", "-c", "r.yaml")
    assert code == Exit.OK
    assert out.endswith(f"{here}/nowhere: 0 dumps, 0B; no quota\n")


def test_a_folder_that_must_not_be_read(
    reactor: Call, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused, not shown as empty."""
    monkeypatch.setattr("os.access", lambda *_words, **_more: False)
    assert reactor("dumps", "-c", settings) == (
        Exit.REFUSED,
        "",
        (
            f"{settings.parent}/dumps: the folder cannot be read\n"
            "  fix: run this as the user that runs the daemon\n"
        ),
    )


def test_a_card_that_must_not_be_read(
    reactor: Call, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dump of ours is not shown as somebody else's; what only looks like a card is no matter."""
    folder = settings.parent / "dumps"
    (folder / ".link.reactor").symlink_to("nowhere")
    (folder / "more.txt").write_text("", encoding="utf-8")
    lines = reactor("dumps", "-c", settings)[1].splitlines()
    assert lines[5] == "2 files there were not made by reactor: it leaves them alone"
    card = folder / ".db-1.elf.reactor"
    monkeypatch.setattr("os.access", lambda path, *_words, **_more: path != card)
    assert reactor("dumps", "-c", settings) == (
        Exit.REFUSED,
        "",
        (
            f"{card}: this card of a dump cannot be read\n"
            "  fix: run this as the user that runs the daemon\n"
        ),
    )
