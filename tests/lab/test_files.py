"""What the lab makes and judges without QEMU: boot sectors, dump files, copies of a disk."""

import struct
from pathlib import Path

import pytest

from reactor.demo import bootcode
from reactor.demo.disk import QuorumDisk
from reactor.demo.dumps import dump_is_valid, dump_problem

LISTINGS = {
    "guest": bootcode.GUEST_LISTING,
    "unplug": bootcode.UNPLUG_LISTING,
    "dirtying": bootcode.DIRTYING_LISTING,
}


@pytest.mark.parametrize("name", LISTINGS)
def test_every_jump_of_a_listing_goes_to_the_label_that_it_names(name: str) -> None:
    """The one byte of a jump's distance and the label in its text agree."""
    rows = [[part.strip() for part in row.split("|")] for row in LISTINGS[name].split("\n") if row]
    labels = {label[:-1]: int(address, 16) for address, _, label, *_ in rows if label}
    jumps = 0
    for address, octets, _, text, _ in rows:
        target = labels.get(text.split()[-1])
        code = bytes.fromhex(octets)
        if target is None or len(code) != 2:
            continue
        (distance,) = struct.unpack("b", code[1:])
        assert int(address, 16) + 2 + distance == target, f"{address}: {text}"
        jumps += 1
    assert jumps == sum(text.startswith(("j", "loop")) for *_, text, _ in rows)


@pytest.mark.parametrize(
    "sector",
    [bootcode.guest_code(), bootcode.unplug_code(ejects=True), bootcode.dirtying_code()],
    ids=["guest", "unplug", "dirtying"],
)
def test_a_boot_sector_has_512_bytes_and_the_firmware_s_signature(sector: bytes) -> None:
    """Without either the firmware would not start it."""
    assert (len(sector), sector[-2:]) == (512, b"\x55\xaa")


def test_the_parameters_of_a_guest_stand_where_its_code_reads_them() -> None:
    """At 0x7df0, which is byte 496: panics, signal, delay, disk, port, ticks of the port."""
    sector = bootcode.guest_code(panics=3, delay_ticks=0x0201, reads_disk=True, agent_ticks=9)
    assert sector[496:504] == bytes([3, 1, 0x01, 0x02, 1, 1, 9, 0])
    plain = bootcode.guest_code(panics=bootcode.EVERY_BOOT, crash_kernel=True)
    assert plain[496:504] == bytes([255, 2, 0, 0, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("panics", "ticks"),
    [
        pytest.param(256, 0, id="more panics than a byte holds"),
        pytest.param(-1, 0, id="less than none"),
        pytest.param(1, 65536, id="more ticks than a word holds"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(panics: int, ticks: int) -> None:
    """The error names the bounds."""
    with pytest.raises(ValueError, match="panics must be 0 to 255, ticks 0 to 65535: "):
        bootcode.guest_code(panics=panics, delay_ticks=ticks)


# -------------------------------------------------------------------- dumps


def elf(*, cut: int = 0, entry_bytes: int = 56) -> bytes:
    """A core of one segment of 8 bytes behind its headers, and no section."""
    header = struct.pack("<4sBB26xQQ6x4H2x", b"\x7fELF", 2, 1, 64, 0, entry_bytes, 1, 0, 0)
    segment = struct.pack("<8xQ16xQ16x", 120, 8)
    whole = header + segment + b"12345678"
    return whole[: len(whole) - cut]


def flattened(*blocks: tuple[int, int, bytes]) -> bytes:
    """A kdump in the form that QEMU writes, of (offset, size, octets)."""
    body = b"".join(struct.pack(">qq", at, size) + octets for at, size, octets in blocks)
    return b"makedumpfile\0".ljust(4096, b"\0") + body


HEADER = (0, 16, b"KDUMP   " + bytes(8))
END = (-1, -1, b"")


@pytest.mark.parametrize(
    ("octets", "problem"),
    [
        pytest.param(elf(), None, id="whole elf"),
        pytest.param(elf(cut=1), "it is cut off: 127 of 128 bytes", id="elf without its end"),
        pytest.param(elf(cut=9), "it is cut off: 119 of 120 bytes", id="elf without its table"),
        pytest.param(
            elf()[:40],
            "its ELF header is cut off, or not of a 64-bit x86 guest",
            id="elf without its header",
        ),
        pytest.param(
            elf().replace(b"\x7fELF\x02", b"\x7fELF\x01"),
            "its ELF header is cut off, or not of a 64-bit x86 guest",
            id="elf of 32 bits",
        ),
        pytest.param(elf(entry_bytes=0), None, id="elf whose table makes no sense"),
        pytest.param(flattened(HEADER, (4096, 2, b"xx"), END), None, id="whole kdump"),
        pytest.param(
            flattened(HEADER, (4096, 2, b"xx")),
            "it is cut off: no end mark in 4146 bytes",
            id="kdump without its end",
        ),
        pytest.param(flattened(END), "it holds no KDUMP header", id="kdump of nothing"),
        pytest.param(
            flattened((-7, 3, b"abc"), END), "its block at 4096 makes no sense", id="kdump spoilt"
        ),
        pytest.param(b"", "it is empty", id="empty"),
        pytest.param(b"<html></html>", "it is no dump: it starts with b'<html></'", id="other"),
    ],
)
def test_a_dump_is_judged_by_its_own_structure(
    tmp_path: Path, octets: bytes, problem: str | None
) -> None:
    """Each way to be no whole dump has a sentence."""
    path = tmp_path / "dump"
    path.write_bytes(octets)
    assert dump_problem(path) == problem
    assert dump_is_valid(path) == (problem is None)


def test_a_dump_that_is_not_there_is_not_valid(tmp_path: Path) -> None:
    """The sentence is the system's."""
    assert dump_problem(tmp_path / "none") == "it cannot be read: No such file or directory"


# --------------------------------------------------------------------- disk


def test_a_spoilt_sector_is_the_only_one_that_changes(tmp_path: Path) -> None:
    """Copies are spoilt each in its own way, and healing restores them."""
    disk = QuorumDisk(name="disk0", folder=tmp_path, size_bytes=2048)
    disk.create()
    disk.spoil(0, 2, sector=1)
    sectors = [disk.file(copy).read_bytes()[512:1024] for copy in range(3)]
    assert sectors == [b"0" * 512, b"A" * 512, b"2" * 512]
    assert disk.file(2).read_bytes()[1024:] == b"A" * 1024
    disk.heal(0, 2, sector=1)
    assert all(disk.good(copy) for copy in range(3))
