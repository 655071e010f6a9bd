"""The lines of a recording: what came in, what was in force, what was done.

One JSON object a line. The first is the head, ``{"recording": 1, "journal": ...}``;
docs/reference/recordings.md describes the others.
"""

import msgspec

from reactor.app.records import Rulebook
from reactor.core.inputs import Input

VERSION = 1
"""The version of the format; a reader refuses a higher one."""


class Head(msgspec.Struct, frozen=True, omit_defaults=True):
    """The first line.

    ``recording`` is the version of the format, ``journal`` the journal's identity,
    ``reactor`` the version that recorded it. ``whole``: it begins where the journal begins,
    and nobody was left out.
    """

    recording: int
    journal: str = ""
    reactor: str = ""
    whole: bool = False


class Sent(msgspec.Struct, frozen=True, omit_defaults=True):
    """A command of ours, as the journal announced it, and how it ended.

    ``outcome`` is ``done``, ``refused``, ``unknown`` or ``not sent``, empty while nobody
    knows; ``detail`` a sentence; ``ended`` when the answer came.
    """

    id: str
    guest: str
    command: str
    run: str = ""
    outcome: str = ""
    detail: str = ""
    ended: float | None = None


class Ran(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run: ``at`` is its admission, ``outcome`` empty while it is open.

    ``steps`` are the verbs of the steps that began, ``commands`` what was sent, in order.
    """

    at: float
    policy: str
    guest: str
    run: str = ""
    outcome: str = ""
    error: str = ""
    steps: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


class Text(msgspec.Struct, frozen=True):
    """The text of a policy, by its revision."""

    policy: str
    revision: str
    source: str


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line: its time, and one of the others.

    ``input`` is an input of the engine; where it is an answer, ``asked`` says what was
    asked, and ``guest`` whom. ``stopped``: the daemon ended in order.
    """

    at: float
    input: Input | None = None
    guest: str = ""
    asked: str = ""
    policies: Rulebook | None = None
    stopped: bool = False
    text: Text | None = None
    run: Ran | None = None
    sent: Sent | None = None


encode = msgspec.json.Encoder().encode


def written(line: Head | Line) -> bytes:
    """The line as it stands in a file, with its end."""
    return encode(line) + b"\n"
