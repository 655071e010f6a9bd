"""A certificate authority in a folder: makes what TLS needs, whole and broken."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Authority:
    """A CA of its own, which signs what it is asked to."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The CA's own certificate."""
        return self.folder / "ca.pem"

    def create(self) -> "Authority":
        """Itself, with a key and a certificate."""
        self.folder.mkdir()
        openssl(self.folder, "req", "-x509", *_NEW_KEY, "-keyout", "ca.key", "-out", "ca.pem",
                "-subj", f"/CN={self.folder.name}")  # fmt: skip
        return self

    def sign(
        self, name: str, *, days: int = 2, usage: str = "", also: str = ""
    ) -> tuple[Path, Path]:
        """A certificate for ``name``, and its key.

        Args:
            days: how long it holds; one of -1 has expired.
            also: another name that the owner goes by.
            usage: the extended key usage, such as ``serverAuth``; any by default.
        """
        extensions = self.folder / f"{name}.ext"
        names = ",".join(f"DNS:{one}" for one in (name, also) if one)
        lines = f"subjectAltName={names}\n"
        if usage:
            lines += f"extendedKeyUsage={usage}\n"
        extensions.write_text(lines, encoding="utf-8")
        openssl(self.folder, "req", *_NEW_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr",
                "-subj", f"/CN={name}")  # fmt: skip
        openssl(self.folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem",
                "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.pem",
                "-days", str(days), "-extfile", extensions.name)  # fmt: skip
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"


def openssl(folder: Path, *arguments: str) -> None:
    """Run the program in this folder."""
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=30)
