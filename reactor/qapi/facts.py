"""What is known of events and commands beyond their schema, which QEMU does not tell.

Since and until when they are there, how often QEMU sends an event, what it still shows of
one that was missed, what comes of a command. ``data/facts.json`` holds them, with the
meanings in our own words. How much a command can do, and whether it may be sent twice, is
said by ``reactor.core.catalog`` alone, which decides by it.

Source: the QAPI schemas and documents of QEMU 5.2, 7.2, 10.0, 10.2 and 11.1 and their
monitor/monitor.c; qga/qapi-schema.json up to 11.1; what says "measured" was seen on 7.2
and 11.1.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files

import msgspec


class _Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all the parts of the file have in common: a misspelt key is an error."""


class RateLimit(_Facts, frozen=True):
    """QEMU sends one event in so many seconds for each value of the members ``key``.

    ``present`` are the known versions that do; ``exempt`` says which are sent all the same.
    """

    seconds: float
    key: tuple[str, ...]
    present: tuple[str, ...]
    exempt: str = ""
    note: str = ""


class Kept(StrEnum):
    """How much QEMU still shows of an event that was missed."""

    STATE = "state"
    PARTIAL = "partial"
    NONE = "none"


class Query(_Facts, frozen=True):
    """What to ask, and what in the answer shows that the event has come."""

    query: str
    condition: str


class Trace(_Facts, frozen=True):
    """What can be asked of QEMU when an event was missed."""

    kept: Kept
    how: tuple[Query, ...] = ()
    note: str = ""


class Change(_Facts, frozen=True):
    """A member that is another one from one known version to the next.

    ``before`` and ``after`` are types in words; it is not there where they are empty.
    """

    between: tuple[str, str]
    path: str
    before: str = ""
    after: str = ""


class _Lasting(_Facts, frozen=True, kw_only=True):
    """How long there is a command or an event.

    ``present`` are those of the known versions that have it, whatever they were built
    with. ``removed`` is empty, too, where the version is not known exactly.
    """

    since: str
    present: tuple[str, ...]
    deprecated: str = ""
    removed: str = ""
    replaced_by: str = ""
    unstable: bool = False


class EventFacts(_Lasting, frozen=True, kw_only=True):
    """An event: ``topic`` is what it is about, ``meaning`` what it says in our words."""

    topic: str = msgspec.field(name="class")
    severity: str
    meaning: str
    trace: Trace
    rate_limit: RateLimit | None = None
    requires: str = ""
    followed_by: str = ""
    changes: tuple[Change, ...] = ()
    note: str = ""


class CommandFacts(_Lasting, frozen=True, kw_only=True):
    """A command: what it does in our words, and the events that come of it.

    ``oob`` commands may overtake others; ``open`` ones take arguments that are not in
    their schema; ``refused`` says in which states QEMU itself refuses it, as far as that
    was measured.
    """

    meaning: str
    events: str = ""
    refused: str = ""
    oob: bool = False
    open: bool = False
    note: str = ""


class AgentArgument(_Facts, frozen=True):
    """An argument of a command of the guest agent; ``[str]`` is a list of texts."""

    name: str
    type: str
    optional: bool = False


class AgentFacts(_Facts, frozen=True):
    """A command of the guest agent, whose schema no guest tells; ``returns`` is a type."""

    since: str
    meaning: str
    arguments: tuple[AgentArgument, ...] = ()
    returns: str = ""
    note: str = ""


class Facts(_Facts, frozen=True):
    """All facts by name; ``versions`` are the versions of QEMU that were looked into."""

    versions: tuple[str, ...]
    events: Mapping[str, EventFacts]
    commands: Mapping[str, CommandFacts]
    agent: Mapping[str, AgentFacts]


@cache
def facts() -> Facts:
    """The facts that come with reactor; they are read once."""
    text = files("reactor.qapi").joinpath("data", "facts.json").read_bytes()
    return msgspec.json.decode(text, type=Facts)
