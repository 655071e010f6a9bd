"""What QEMU writes on a monitor, and what we write, as typed values.

Source: QEMU's docs/interop/qmp-spec.txt, and what QEMU 7.2 was seen to send.
"""

from collections.abc import Mapping

import msgspec


class Stamp(msgspec.Struct, gc=False):
    """QEMU's time stamp: seconds since the epoch, and microseconds of that second."""

    seconds: int
    microseconds: int


class Refused(msgspec.Struct, gc=False):
    """The ``error`` member of a reply; only ``error_class`` is made for programs."""

    error_class: str = msgspec.field(name="class")
    description: str = msgspec.field(name="desc")


class Number(msgspec.Struct, gc=False):
    """QEMU's version in three parts."""

    major: int
    minor: int
    micro: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.micro}"


class Version(msgspec.Struct, gc=False):
    """What ``query-version`` answers too; ``package`` is the distributor's own word."""

    qemu: Number
    package: str = ""


class Greeting(msgspec.Struct, gc=False):
    """The ``QMP`` member of the first line of a monitor."""

    version: Version


class Message(msgspec.Struct, gc=False):
    """Any line of a monitor: an event, a reply, an error or the greeting.

    One type with optional members decodes in one pass, without a look at the
    line beforehand. ``result`` is UNSET where the line had no ``return``.
    """

    event: str | None = None
    data: dict[str, object] = {}
    timestamp: Stamp | None = None
    result: object = msgspec.field(name="return", default=msgspec.UNSET)
    error: Refused | None = None
    id: object = None
    greeting: Greeting | None = msgspec.field(name="QMP", default=None)


class Command(msgspec.Struct, omit_defaults=True):
    """A command as it goes out; without ``arguments`` where there are none."""

    execute: str
    id: int | str
    arguments: Mapping[str, object] = {}


decode = msgspec.json.Decoder(Message).decode
"""The message of one line; raises one of `reactor.core.foreign.UNREADABLE`."""

_encode = msgspec.json.Encoder().encode


def encode(command: str, arguments: Mapping[str, object], number: int | str) -> bytes:
    """One line for QEMU, its end of line included."""
    return _encode(Command(command, number, arguments)) + b"\n"
