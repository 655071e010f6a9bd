"""Who we are at the broker and whom we trust: password and TLS, from files at every connect."""

import contextlib
import datetime as dt
import os
import ssl
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from reactor.adapters.mqtt import faults, tls_faults
from reactor.adapters.mqtt.certificate import Certificate, read_certificates
from reactor.adapters.mqtt.options import MqttOptions

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

SOON_S = 14 * 86_400
"""A certificate that holds no longer than this is spoken of: two weeks to get a new one."""

_HOW = "create it and let reactor's user read it, or correct {name}"


@dataclass(slots=True)
class Secrets:
    """What was read from files for one connect.

    ``alerts`` are OpenSSL's reasons why TLS failed, as far as the connection told them.
    """

    password: str | None
    tls: ssl.SSLContext | None
    alerts: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A file that can be used and should not stay as it is: the setting's name, and why."""

    name: str
    path: Path
    problem: str
    fix: str

    @property
    def text(self) -> str:
        """The file and what is wrong with it."""
        return f"{self.path} {self.problem}"


def files_of(options: MqttOptions) -> dict[str, Path]:
    """The files that are named, by the names of their settings."""
    named = {
        "password_file": options.password_file,
        "ca_file": options.ca_file,
        "cert_file": options.cert_file,
        "key_file": options.key_file,
    }
    return {name: path for name, path in named.items() if path is not None}


def read_secrets(options: MqttOptions) -> Secrets:
    """The password and the TLS context, from the files as they are now.

    Raises:
        BrokerError: a file cannot be used.
    """
    for name, path in files_of(options).items():
        _open(name, path)
    password = None
    if options.password_file is not None:
        try:
            password = options.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            raise faults.unreadable("password_file", options.password_file, error) from None
    made = Secrets(password, None)
    if options.address.tls:
        made.tls = _tls(options, made.alerts)
    return made


def _open(name: str, path: Path) -> None:
    """Find out which of the files it is: OpenSSL does not say."""
    try:
        # Looked at before it is opened: opening a pipe would wait for its writer.
        if not stat.S_ISREG(path.stat().st_mode):
            raise faults.unusable(name, path, "it is not a file", f"correct {name}")
        path.open("rb").close()
    except OSError as error:
        why = error.strerror or str(error)
        raise faults.unusable(name, path, why, _HOW.format(name=name)) from None


class _EncryptedKeyError(Exception):
    """The key has a passphrase."""


class _Socket(ssl.SSLSocket):
    """Closes itself when the handshake fails, which paho forgets, and keeps what TLS says.

    With TLS 1.3 the other side looks at our certificate when our handshake is over
    already: its answer comes with the first bytes that are read, and paho drops it.
    """

    alerts: list[str]

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self.alerts.append(error.reason or "")
            raise

    def send(self, data: "ReadableBuffer", flags: int = 0) -> int:
        try:
            return super().send(data, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError:
            # It hung up before we wrote: why is still to be read, and nobody else will.
            with contextlib.suppress(OSError):
                self.recv(1)
            raise


def _tls(options: MqttOptions, alerts: list[str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
    except OSError as error:
        raise faults.unreadable("ca_file", options.ca_file, error) from None
    context.sslsocket_class = type("Socket", (_Socket,), {"alerts": alerts})
    if options.cert_file is not None:
        try:
            context.load_cert_chain(options.cert_file, options.key_file, password=_nobody)
        except _EncryptedKeyError:
            key = options.key_file
            name, path = ("cert_file", options.cert_file) if key is None else ("key_file", key)
            raise tls_faults.encrypted(name, path) from None
        except OSError as error:
            raise faults.unreadable("cert_file", options.cert_file, error) from None
    return context


def _nobody() -> str:
    """In place of OpenSSL's question at the terminal: a daemon has nobody who would type."""
    raise _EncryptedKeyError


def doubts(options: MqttOptions, now: float) -> list[Doubt]:
    """What is to be said of the files that can be read; of others the connect speaks.

    Args:
        now: seconds since 1970.
    """
    found: list[Doubt] = []
    for name, path in files_of(options).items():
        try:
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                found += _doubts_of(name, path, status, now)
        except (OSError, ValueError):
            continue
    return found


def _doubts_of(name: str, path: Path, status: os.stat_result, now: float) -> Iterator[Doubt]:
    is_key = name == "key_file" or (name == "cert_file" and b"PRIVATE KEY" in path.read_bytes())
    if status.st_mode & stat.S_IROTH and (is_key or name == "password_file"):
        fix = f"chmod 600 {path}, and let it belong to reactor's user"
        yield Doubt(name, path, "can be read by everybody on this host", fix)
    if name == "password_file" and not path.read_bytes().strip(b"\r\n"):
        yield Doubt(name, path, "is empty", "write the password into it")
    if name in {"cert_file", "ca_file"}:
        certificates = read_certificates(path.read_bytes())
        # Of the authorities that are trusted any will do.
        certificate = certificates[0]
        if name == "ca_file":
            certificate = max(certificates, key=lambda one: one.ends)
        if problem := _age(certificate, now):
            yield Doubt(name, path, problem, "renew it, or set this host's clock")


def _age(certificate: Certificate, now: float) -> str:
    """What is wrong with the time for which it holds; empty where nothing is."""
    if now > certificate.ends:
        return "has expired"
    if now < certificate.begins:
        return "is not valid yet"
    if certificate.ends - now > SOON_S:
        return ""
    return f"expires on {dt.datetime.fromtimestamp(certificate.ends, dt.UTC):%Y-%m-%d}"
