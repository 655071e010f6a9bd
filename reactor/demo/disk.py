"""A disk in several copies that vote (QEMU's quorum driver), and the ways in which they go bad."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

SECTOR_BYTES: Final = 512

_GOOD: Final = b"A"


@dataclass(frozen=True, slots=True)
class Fault:
    """What QEMU's blkdebug driver makes of every request of one kind: it fails with ``errno``."""

    kind: Literal["read", "write", "flush"]
    errno: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumDisk:
    """A disk whose copies are files; QEMU reads all of them and takes what most say.

    The copies can be spoilt and healed while QEMU has them open: they are ordinary
    files, and QEMU reads through the same page cache.

    Args:
        name: the node name of the whole; the copies are ``NAME-copy0``, ``NAME-copy1``, ...
        folder: where the files are made.
        copies: how many there are.
        threshold: how many must agree.
        size_bytes: of each copy, a multiple of `SECTOR_BYTES`.
        faults: copies whose requests fail, by their number.
        repairs: whether QEMU rewrites a copy that lost the vote (rewrite-corrupted).
    """

    name: str
    folder: Path
    copies: int = 3
    threshold: int = 2
    size_bytes: int = 64 << 10
    faults: Mapping[int, Fault] = field(default_factory=dict)
    repairs: bool = False

    def create(self) -> None:
        """Make every copy anew, all of them alike."""
        for copy in range(self.copies):
            self.file(copy).write_bytes(_GOOD * self.size_bytes)

    def file(self, copy: int) -> Path:
        """The file of one copy."""
        return self.folder / f"{self.name}-copy{copy}.raw"

    def node(self, copy: int) -> str:
        """The node name of one copy: what QUORUM_REPORT_BAD calls ``node-name``."""
        return f"{self.name}-copy{copy}"

    def spoil(self, *copies: int, sector: int = 0) -> None:
        """Change one sector of these copies, each in its own way, so that no two agree."""
        for copy in copies:
            self._write(copy, sector, bytes([ord("0") + copy]))

    def heal(self, *copies: int, sector: int = 0) -> None:
        """Make that sector good again."""
        for copy in copies:
            self._write(copy, sector, _GOOD)

    def good(self, copy: int) -> bool:
        """Whether a copy holds what it held at first."""
        return self.file(copy).read_bytes() == _GOOD * self.size_bytes

    def _write(self, copy: int, sector: int, octet: bytes) -> None:
        with self.file(copy).open("r+b") as file:
            file.seek(sector * SECTOR_BYTES)
            file.write(octet * SECTOR_BYTES)

    def blockdevs(self) -> Sequence[str]:
        """The JSON values of the ``-blockdev`` options, children before the whole."""
        nodes = [node for copy in range(self.copies) for node in self._copy_nodes(copy)]
        whole = {
            "driver": "quorum",
            "node-name": self.name,
            "vote-threshold": self.threshold,
            "rewrite-corrupted": self.repairs,
            "children": [self.node(copy) for copy in range(self.copies)],
        }
        return [json.dumps(node) for node in [*nodes, whole]]

    def _copy_nodes(self, copy: int) -> list[dict[str, Any]]:
        file = {"driver": "file", "node-name": self.node(copy), "filename": str(self.file(copy))}
        fault = self.faults.get(copy)
        if fault is None:
            return [file]
        rule = {"event": "none", "iotype": fault.kind, "errno": fault.errno, "once": False}
        image = self.node(copy) + "-file"
        return [
            file | {"node-name": image},
            {
                "driver": "blkdebug",
                "node-name": self.node(copy),
                "image": image,
                "inject-error": [rule],
            },
        ]
