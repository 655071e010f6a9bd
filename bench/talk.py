"""What the bench says to its helper processes, and they to it.

A request is one line of JSON on the helper's standard input, its reply one
line on its standard output.
"""

import sys
from collections.abc import Sequence

import msgspec

EVENT = "GUEST_CRASHLOADED"
"""The event that the reaction waits for. QEMU's status is not asked after it, so
the reaction's command is all that goes out."""

COMMAND = "stop"
"""The command of the reaction: one that changes the guest, so it is journaled first."""


class Listen(msgspec.Struct, tag="listen", frozen=True):
    """Make ``count`` monitors ``folder/0`` and so on."""

    folder: str
    count: int


class Await(msgspec.Struct, tag="await", frozen=True):
    """Answer when every monitor of the folder has a client that negotiated."""

    folder: str


class React(msgspec.Struct, tag="react", frozen=True):
    """Send ``events`` events, one after the other, and time the reactions.

    ``gap_s`` lies between a reaction and the next event.
    """

    folder: str
    events: int
    gap_s: float


class Sweep(msgspec.Struct, tag="sweep", frozen=True):
    """Send every monitor of the folder one event that no policy takes, ``times`` times."""

    folder: str
    times: int
    gap_s: float


class Watch(msgspec.Struct, tag="watch", frozen=True):
    """Connect ``count`` monitors of the folder; answer when all of them are ready."""

    folder: str
    count: int


class Spent(msgspec.Struct, tag="spent", frozen=True):
    """Answer once ``events`` events have come in all, with the processor time spent so far."""

    events: int


class Commits(msgspec.Struct, tag="commits", frozen=True):
    """Time ``count`` durable commits of one row in an SQLite file of the folder.

    ``gap_s`` lies between two of them: a disk that was idle takes longer.
    """

    folder: str
    count: int
    gap_s: float


class End(msgspec.Struct, tag="end", frozen=True):
    """Close everything and end."""


Request = Listen | Await | React | Sweep | Watch | Spent | Commits | End


class Reply(msgspec.Struct, frozen=True):
    """What came of a request; ``problem`` is empty when it went well."""

    values: list[float] = []
    problem: str = ""


encode = msgspec.json.Encoder().encode
decode_request = msgspec.json.Decoder(Request).decode
decode_reply = msgspec.json.Decoder(Reply).decode


def say(reply: Reply) -> None:
    """Answer the oldest request."""
    sys.stdout.buffer.write(encode(reply) + b"\n")
    sys.stdout.buffer.flush()


def paths(folder: str, count: int) -> Sequence[str]:
    """The sockets of a folder."""
    return [f"{folder}/{number}" for number in range(count)]
