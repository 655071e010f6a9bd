"""What goes into the journal and what comes out of it, as plain rows."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from reactor.adapters.journal.stopwatch import Durations
from reactor.core.effect import Keep, Trace

REFUSED = "refused"
"""The kind of an input that was not carried out; it may name a guest that nobody has."""


class InputRow(msgspec.Struct, frozen=True, gc=False):
    """One input of the engine: ``at`` in seconds since the epoch, ``body`` its encoded form.

    ``name`` is the event's name, or empty where the kind of input has none.
    """

    at: float
    guest: str
    kind: str
    name: str
    body: bytes


class IntentRow(msgspec.Struct, frozen=True):
    """A command that is about to be sent; ``id`` is unique for ever."""

    id: str
    at: float
    guest: str
    command: str
    arguments: bytes
    run: str = ""


class OutcomeRow(msgspec.Struct, frozen=True):
    """How the intent ``id`` ended; ``detail`` is the encoded reply or error.

    The first outcome of an intent stays; one for an unknown id is ignored
    (queries are sent without an intent).
    """

    id: str
    at: float
    outcome: str
    detail: bytes = b""


class OutboxRow(msgspec.Struct, frozen=True):
    """An MQTT message that must reach the broker at least once.

    ``expiry_s`` counts from the moment it is journaled. A message that is not
    retained and either expires or has qos 0 may be dropped when the outbox
    is full; see ``reactor.adapters.journal.ledger``. ``spare``: it may have one of the
    few places beyond the bound.
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    expiry_s: float | None = None
    content_type: str = ""
    properties: Mapping[str, str] = {}
    spare: bool = False


class RunRow(msgspec.Struct, frozen=True):
    """A run as operators list it; ``body`` is whatever the listing needs beyond it.

    Times are seconds since the epoch, None where it has not come to that.
    """

    id: str
    policy: str
    guest: str
    state: str
    outcome: str = ""
    error: str = ""
    started: float | None = None
    ended: float | None = None
    admitted: float | None = None
    body: bytes = b""


class Revision(NamedTuple):
    """The source text of a policy, so that a run can go on with the text it began with."""

    revision: str
    policy: str
    source: str


class Loaded(NamedTuple):
    """The policies in force since ``at``: each one's name with its revision, none left out."""

    at: float
    revisions: Mapping[str, str]


class InForce(NamedTuple):
    """Since when a revision of a policy was in force; empty: there was no such policy."""

    at: float
    revision: str


class Batch(msgspec.Struct):
    """Everything that must become durable together: all of it is journaled, or nothing.

    Must not be changed once it was given to ``Journal.commit``. Of several
    keeps of one key, or rows of one run, the last one wins. ``loaded`` is what is in
    force from now on, where the batch changes it.
    """

    inputs: list[InputRow] = []
    keeps: list[Keep] = []
    traces: list[Trace] = []
    intents: list[IntentRow] = []
    outcomes: list[OutcomeRow] = []
    messages: list[OutboxRow] = []
    runs: list[RunRow] = []
    revisions: list[tuple[str, str, str]] = []
    loaded: Loaded | None = None


class HistoryRow(msgspec.Struct, frozen=True):
    """An input as it was journaled; ``seq`` grows in the order of arrival and is never reused."""

    seq: int
    at: float
    guest: str
    kind: str
    name: str
    body: bytes


class TraceRow(msgspec.Struct, frozen=True):
    """A trace as it was journaled."""

    seq: int
    trace: Trace


class OutboxMessage(msgspec.Struct, frozen=True):
    """A message that waits for the broker.

    ``at`` is when it was journaled, ``expires`` when it is of no use any more,
    both in seconds since the epoch; ``expires`` None means never.
    """

    seq: int
    at: float
    topic: str
    payload: bytes
    qos: int
    retain: bool
    expires: float | None
    content_type: str
    properties: Mapping[str, str]


class Figures(msgspec.Struct, frozen=True):
    """How large the journal is, and how far back it reaches.

    ``size_bytes`` is the file, ``used_bytes`` the part of it that holds something, ``log_bytes``
    the write-ahead log beside it. ``rows`` are counted by what they are, ``oldest`` is when
    the history begins (None: it is empty). ``removed`` are the rows that retention took
    away in all lives of the daemon, ``removed_at`` is when it did so last.
    """

    size_bytes: int
    used_bytes: int
    log_bytes: int
    rows: Mapping[str, int]
    oldest: float | None
    removed: Mapping[str, int]
    removed_at: float | None


class Statistics(msgspec.Struct, frozen=True):
    """What the journal did since it was opened, and what waits now.

    ``transactions`` counts those on disk, ``synced`` those of them that ended
    with an fsync; a group of commits is one transaction. ``history_dropped``
    also counts former lives of the daemon. ``durations`` are those of synced
    transactions. ``care_trouble`` is why old rows are not removed as they should be.
    """

    commits: int
    transactions: int
    synced: int
    failures: int
    commits_waiting: int
    rows_waiting: int
    history_dropped: int
    durations: Durations
    care_trouble: str
