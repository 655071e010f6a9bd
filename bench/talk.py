"""What the bench says to its helper processes, and they to it.

A request is one line of JSON on the helper's standard input, its reply one
line on its standard output.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

EVENT = "GUEST_CRASHLOADED"
"""The event that the reaction waits for. QEMU's status is not asked after it, so
the reaction's command is all that goes out."""

DEAF_EVENT = "ACPI_DEVICE_OST"
"""The event of a guest whose monitor reads no more."""

COMMAND = "stop"
"""The command of the reaction: one that changes the guest, so it is journaled first."""


class Listen(msgspec.Struct, tag="listen", frozen=True):
    """Make ``count`` monitors in the folder."""

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


class Pulse(msgspec.Struct, tag="pulse", frozen=True):
    """Time reactions of all monitors of the folder side by side, for so many seconds.

    ``gap_s`` lies between a reaction of a monitor and its next event.
    """

    folder: str
    seconds: float
    gap_s: float


class Storm(msgspec.Struct, tag="storm", frozen=True):
    """Let every guest of the folder panic, spread over so many seconds.

    Answered with the seconds until each of them has got its command.
    """

    folder: str
    over_s: float


class Flood(msgspec.Struct, tag="flood", frozen=True):
    """Send the first monitor of the folder ``rate`` events a second, for so many seconds.

    No policy takes them, but for ``wanted`` of them, spread evenly. Answered
    with how many were sent of each kind, and the seconds that it took.
    """

    folder: str
    rate: int
    seconds: float
    wanted: int


class Deafen(msgspec.Struct, tag="deafen", frozen=True):
    """Let the first monitor of the folder read no more, and then send ``events`` events."""

    folder: str
    events: int


class Mix(msgspec.Struct, tag="mix", frozen=True):
    """Send all monitors of the folder ``rate`` events a second in turn, for so many seconds.

    One in a hundred is of the row ``latency``. Answered with how many events
    were sent, and how many of them got their command.
    """

    folder: str
    rate: int
    seconds: float


class Vitals(msgspec.Struct, tag="vitals", frozen=True):
    """Tell how the daemon is, as ``Health`` has it; the peak is that since the last time."""


class Health(NamedTuple):
    """What ``Vitals`` is answered with; sizes in bytes."""

    memory: float
    peak: float
    files: float
    tasks: float
    journal: float
    dropped: float
    missed: float
    history_dropped: float


class Quiet(msgspec.Struct, tag="quiet", frozen=True):
    """Answer when nothing waits and no run is open."""


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


class Meet(msgspec.Struct, tag="meet", frozen=True):
    """Go to the broker that listens on this port; answer when it has let you in."""

    port: int


class Tell(msgspec.Struct, tag="tell", frozen=True):
    """Publish ``count`` messages one after the other, ``gap_s`` between two of them."""

    count: int
    gap_s: float


class Stream(msgspec.Struct, tag="stream", frozen=True):
    """Publish ``count`` messages over so many topics; answered with the seconds until the last ack.

    On each topic the next one goes out when the one before is acknowledged.
    """

    count: int
    topics: int


class Heard(msgspec.Struct, tag="heard", frozen=True):
    """Answer once ``count`` messages of a publisher have come in since the last time.

    With the seconds from each one's publishing to its coming.
    """

    publisher: str
    count: int


class End(msgspec.Struct, tag="end", frozen=True):
    """Close everything and end."""


Request = (
    Listen
    | Await
    | React
    | Sweep
    | Pulse
    | Storm
    | Flood
    | Deafen
    | Mix
    | Vitals
    | Quiet
    | Watch
    | Spent
    | Commits
    | Meet
    | Tell
    | Stream
    | Heard
    | End
)


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
    """The sockets of a folder; their names are those of guests of the folder."""
    name = Path(folder).name
    return [f"{folder}/{name}-{number}" for number in range(count)]
