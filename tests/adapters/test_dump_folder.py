"""Cards beside dumps: what is ours, and what is left alone."""

import os
import stat
from pathlib import Path

import pytest

from reactor.adapters import dump_folder
from reactor.adapters.dump_folder import Card, card_of, format_of, others, remove, scan, write_card

CARD = Card("web-1", "abc123-1", "panic", 1000.0, 5000)


def dump(path: Path, card: Card = CARD, content: bytes = b"x" * 8192) -> Path:
    """A dump of ours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    write_card(path, card)
    return path


def test_a_card_says_what_it_was_told(tmp_path: Path) -> None:
    """Written again it says the new; it is for its owner only, and nothing is left beside it."""
    path = dump(tmp_path / "a.kdump")
    (found,) = scan(tmp_path)
    assert (found.path, found.card, found.exists, found.size_bytes) == (path, CARD, True, 8192)
    done = Card("web-1", "abc123-1", "panic", 1000.0, 5000, 2000.0)
    write_card(path, done)
    assert [each.card for each in scan(tmp_path)] == [done]
    assert stat.S_IMODE(card_of(path).stat().st_mode) == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == [".a.kdump.reactor", "a.kdump"]


def test_dumps_are_found_below_too_the_oldest_first(tmp_path: Path) -> None:
    """By when they were whole, else by when they were asked for."""
    dump(tmp_path / "c", Card("g", "r-3", "p", 300.0))
    dump(tmp_path / "below" / "a", Card("g", "r-1", "p", 1.0, done=500.0))
    dump(tmp_path / "b", Card("g", "r-2", "p", 200.0))
    assert [each.path.name for each in scan(tmp_path)] == ["b", "c", "a"]
    assert scan(tmp_path / "nowhere") == []


def test_what_has_no_card_is_not_ours(tmp_path: Path) -> None:
    """Nor what has one that nobody can read, or that is a link or a pipe."""
    dump(tmp_path / "ours")
    for name in ("theirs", ".hidden", "odd"):
        (tmp_path / name).write_bytes(b"x")
    card_of(tmp_path / "odd").write_bytes(b"{}")
    card_of(tmp_path / "theirs").symlink_to(card_of(tmp_path / "ours"))
    os.mkfifo(card_of(tmp_path / "pipe"))
    assert [each.path.name for each in scan(tmp_path)] == ["ours"]
    assert others(tmp_path) == 3


def test_cards_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of millions is not read to its end."""
    monkeypatch.setattr(dump_folder, "CARDS_MAX", 2)
    for name in "abc":
        dump(tmp_path / name)
    assert len(scan(tmp_path)) == 2


def test_a_dump_goes_with_its_card(tmp_path: Path) -> None:
    """Also one that is gone already; its neighbours stay."""
    for name in ("a", "b", "c"):
        dump(tmp_path / name)
    (tmp_path / "b").unlink()
    first, second, _ = scan(tmp_path)
    assert not second.exists
    remove(first)
    remove(second)
    assert sorted(each.name for each in tmp_path.iterdir()) == [".c.reactor", "c"]


def test_only_plain_files_go(tmp_path: Path) -> None:
    """Somebody put a link or a folder in the dump's place: it stays, and its card."""
    (tmp_path / "target").write_bytes(b"precious")
    write_card(tmp_path / "link", CARD)
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_card(tmp_path / "folder", CARD)
    (tmp_path / "folder").mkdir()
    for each in scan(tmp_path):
        remove(each)
    assert len(scan(tmp_path)) == 2
    assert (tmp_path / "target").read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("start", "name"),
    [
        pytest.param(b"\x7fELF\x02\x01\x01", "elf", id="elf"),
        pytest.param(b"KDUMP   \x06\x00", "kdump", id="kdump"),
        pytest.param(b"makedumpfile\x00", "kdump (flattened)", id="flattened"),
        pytest.param(b"PAGEDU64", "windows", id="windows"),
        pytest.param(b"", "", id="nothing"),
        pytest.param(None, "", id="no file"),
    ],
)
def test_the_format_is_told_by_the_first_bytes(
    tmp_path: Path, start: bytes | None, name: str
) -> None:
    """Empty where it cannot be told."""
    path = tmp_path / "dump"
    if start is not None:
        path.write_bytes(start)
    assert format_of(path) == name
