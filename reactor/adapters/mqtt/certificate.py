"""Whose a certificate is and how long it holds, read from its PEM text.

The standard library shows this of a server's certificate only. Source: RFC 5280, 4.1;
ITU-T X.690, 8.1 (tag, length, content).
"""

import datetime as dt
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_VERSION = 0xA0
_UTC_TIME = 0x17
_GENERALIZED_TIME = 0x18
_COMMON_NAME = bytes([0x55, 0x04, 0x03])


@dataclass(frozen=True, slots=True)
class Certificate:
    """The owner's common name, empty where it has none, and seconds since 1970."""

    name: str
    begins: float
    ends: float


def read_certificates(pem: bytes) -> list[Certificate]:
    """What each certificate of a file says, in their order; the first is the owner's.

    Raises:
        ValueError: there is none, or one is damaged.
    """
    found = _PEM.findall(pem)
    if not found:
        raise ValueError("no certificate")
    try:
        return [_read(ssl.PEM_cert_to_DER_cert(one.decode("ascii"))) for one in found]
    except IndexError:
        raise ValueError("a damaged certificate") from None


def _read(der: bytes) -> Certificate:
    certificate = _parts(_parts(der)[0][1])
    body = _parts(certificate[0][1])
    # Without its number a certificate is of the first version.
    first = 1 if body[0][0] == _VERSION else 0
    _serial, _algorithm, _issuer, validity, subject = body[first : first + 5]
    begins, ends = (_seconds(*one) for one in _parts(validity[1])[:2])
    return Certificate(_common_name(_parts(subject[1])), begins, ends)


def _parts(content: bytes) -> list[tuple[int, bytes]]:
    """Tag and content of each part, one after the other."""
    found = []
    while content:
        tag, length, start = content[0], content[1], 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(content[2:start])
        if len(content) < start + length:
            raise IndexError
        found.append((tag, content[start : start + length]))
        content = content[start + length :]
    return found


def _seconds(tag: int, content: bytes) -> float:
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("a damaged certificate")
    return dt.datetime.strptime(text, "%Y%m%d%H%M%S%z").timestamp()


def _common_name(names: Sequence[tuple[int, bytes]]) -> str:
    for _, one in names:
        for _, pair in _parts(one):
            (_, kind), (_, value) = _parts(pair)[:2]
            if kind == _COMMON_NAME:
                return value.decode("utf-8", errors="replace")
    return ""
