"""Inputs and effects as the rows of the journal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from reactor import __version__
from reactor.adapters.http import shown_url
from reactor.adapters.journal import (
    GONE,
    Batch,
    InputRow,
    IntentRow,
    OutboxRow,
    OutcomeRow,
    RunRow,
)
from reactor.app.outgoing import Outgoing
from reactor.core.config import EngineConfig
from reactor.core.effect import (
    AskFree,
    AskPath,
    CallAgent,
    CallHttp,
    Dumped,
    Effect,
    EventSeen,
    Execute,
    Reply,
    RunChanged,
    StartProgram,
)
from reactor.core.event import Event
from reactor.core.foreign import UNREADABLE
from reactor.core.hidden import without_secrets
from reactor.core.inputs import (
    Answered,
    Connected,
    Disconnected,
    Dropped,
    Fired,
    GuestForgotten,
    Happened,
    Input,
    Missed,
    Operated,
    Received,
    Ticked,
)
from reactor.core.orders import RunCommand
from reactor.core.policy import Policy

POLICIES = "policies"
"""The kind of a row that says which policies are in force from there on."""

STOPPED = "stopped"
"""The kind of a row that says that the daemon ended in order."""


DUMP = "dump"
"""The kind of a row that says that the dump of its name, a path, is whole."""

DUMP_REMOVED = "dump-removed"
"""The kind of a row that says that it was removed, and why."""

STANDING = (POLICIES, "guest", "connected", "disconnected")
"""The kinds of rows that say how things stand until the next one of their guest."""

_input = msgspec.json.Decoder(Input).decode


class _KeptCursor(msgspec.Struct):
    sent: str = ""
    doubt: object = None


class _KeptRun(msgspec.Struct):
    cursor: _KeptCursor = msgspec.field(default_factory=_KeptCursor)


_kept_run = msgspec.json.Decoder(_KeptRun).decode


def waits_for_an_end(run: bytes) -> bool:
    """Whether what is kept of an open run says that it waits for the end of a command."""
    try:
        cursor = _kept_run(run).cursor
    except UNREADABLE:
        return True  # another version wrote it
    return bool(cursor.sent) or cursor.doubt is not None


def stands_for(kind: str, body: bytes) -> str:
    """What a row of these kinds is about; two of one guest about the same replace each other."""
    if kind in {"connected", "disconnected"}:
        return "monitor"
    if kind != "guest":
        return kind
    try:
        return GONE if isinstance(_input(body), GuestForgotten) else kind
    except UNREADABLE:
        return kind  # another version wrote it


class Rulebook(msgspec.Struct, frozen=True):
    """What the engine decides by: the revision of every policy by name, and the settings' part.

    ``starts``: the daemon started here, with what it had kept. ``version`` is reactor's.
    """

    revisions: Mapping[str, str]
    config: EngineConfig
    starts: bool = False
    version: str = ""


Asking = Execute | CallAgent | CallHttp | StartProgram | AskPath | AskFree
"""Effects that are answered with ``Answered``."""


def rulebook_row(
    at: float, policies: Iterable[Policy], config: EngineConfig, *, starts: bool
) -> InputRow:
    """Which policies are in force from now on; no input, but a replay needs it among them."""
    revisions = {policy.name: policy.revision for policy in policies}
    book = Rulebook(revisions, config, starts, __version__)
    return InputRow(at, "", POLICIES, "", msgspec.json.encode(book))


def stopped_row(at: float) -> InputRow:
    """The daemon ends in order: until its next start no deadline is looked at."""
    return InputRow(at, "", STOPPED, "", b"")


def answer_row(at: float, answer: Answered, guest: str, asked: str) -> InputRow:
    """An answer for the history, with what was asked of whom (``asked_as``)."""
    return InputRow(at, guest, "answered", asked, msgspec.json.encode(answer))


class Asked(NamedTuple):
    """The guest that is asked, empty for the host, and how the journal calls what is asked.

    ``is_announced``: it has an intent, which waits for its outcome.
    """

    guest: str = ""
    what: str = ""
    is_announced: bool = False


def asked_as(effect: Asking) -> Asked:
    """What is asked of whom."""
    match effect:
        case AskPath():
            return Asked("", "path")
        case AskFree():
            return Asked("", f"free {effect.path}")
        case Execute():
            return Asked(effect.guest, _shown(effect)[0], effect.changes)
        case _:
            return Asked(effect.guest, _shown(effect)[0], is_announced=True)


def input_row(at: float, input_: Input) -> InputRow:  # noqa: C901 - one case for each kind
    """An input for the history."""
    match input_:
        case Happened(event):
            body = msgspec.json.encode(input_)
            return InputRow(at, event.guest, "event", event.name, body)
        case Answered():
            return answer_row(at, input_, "", "")
        case Connected(guest) | Disconnected(guest):
            kind = "connected" if isinstance(input_, Connected) else "disconnected"
            return InputRow(at, guest, kind, "", msgspec.json.encode(input_))
        case Missed(guest):
            return InputRow(at, guest, "missed", "", msgspec.json.encode(input_))
        case Fired(policy):
            return InputRow(at, "", "fired", policy, msgspec.json.encode(input_))
        case Received(message):
            return InputRow(at, "", "message", message.topic, msgspec.json.encode(input_))
        case Operated(_, who):
            return InputRow(at, "", "operator", who, msgspec.json.encode(_as_kept(input_)))
        case Dropped():
            return InputRow(at, "", "dropped", "outbox", msgspec.json.encode(input_))
        case Ticked():
            return InputRow(at, "", "tick", "", b"")
        case _:
            return InputRow(at, input_.guest, "guest", "", msgspec.json.encode(input_))


def _as_kept(input_: Operated) -> Operated:
    """The order without its secrets: the engine refuses it with them, and without."""
    order = input_.order
    if not isinstance(order, RunCommand):
        return input_
    kept = msgspec.structs.replace(order, arguments=without_secrets(order.arguments))
    return msgspec.structs.replace(input_, order=kept)


def made_row(at: float, event: Event) -> InputRow:
    """An event that the engine made itself: in the history, but no input of a replay."""
    return InputRow(at, event.guest, "made", event.name, msgspec.json.encode(Happened(event)))


def dumped_row(at: float, dump: Dumped) -> InputRow:
    """A dump is whole: found again after a crash by its path."""
    return InputRow(at, dump.guest, DUMP, dump.path, msgspec.json.encode({"run": dump.run}))


def outcome_row(at: float, answer: Answered) -> OutcomeRow:
    """How an intent ended."""
    if answer.error is not None:
        return OutcomeRow(answer.id, at, "refused", answer.error.description.encode())
    if answer.lost:
        return OutcomeRow(answer.id, at, "unknown", answer.lost.encode())
    if answer.unsent:
        return OutcomeRow(answer.id, at, "not sent", answer.unsent.encode())
    return OutcomeRow(answer.id, at, "done")


def outcome_rows(at: float, answer: Answered, asked: Asked) -> list[OutcomeRow]:
    """How it ended, where that was announced; of a question nobody waits for it."""
    return [outcome_row(at, answer)] if asked.is_announced else []


def intent_row(now: float, effect: Execute | CallAgent | CallHttp | StartProgram) -> IntentRow:
    """What is about to be sent or started, as ``agent guest-ping`` or ``http POST https://h/x``.

    Headers, queries and bodies of requests stay out of it, and passwords for a guest.
    """
    command, arguments = _shown(effect)
    body = msgspec.json.encode(arguments)
    return IntentRow(effect.id, now, effect.guest, command, body, effect.run)


def _shown(effect: Execute | CallAgent | CallHttp | StartProgram) -> tuple[str, object]:
    match effect:
        case Execute():
            return effect.command, without_secrets(effect.arguments)
        case CallAgent():
            return f"agent {effect.command}", without_secrets(effect.arguments)
        case CallHttp():
            return f"http {effect.method} {shown_url(effect.url)}", {}
        case StartProgram():
            return f"exec {effect.program}", {"arguments": effect.arguments}


def run_row(effect: RunChanged) -> RunRow:
    """A run as operators list it."""
    return RunRow(
        effect.run,
        effect.policy,
        effect.guest,
        effect.state,
        effect.outcome,
        effect.error,
        effect.started,
        effect.ended,
        effect.admitted,
        body=effect.role.encode(),
    )


def outbox_row(message: Outgoing) -> OutboxRow:
    """A message that waits for the broker."""
    return OutboxRow(
        message.topic,
        message.payload,
        message.qos,
        message.retain,
        message.expiry_s,
        message.content_type,
        message.properties,
        message.spare,
    )


def as_seen(happened: Happened, follow: Sequence[Effect]) -> Happened:
    """The event as the engine saw it: it may be our own doing."""
    for effect in follow:
        if isinstance(effect, EventSeen) and effect.event.own:
            return Happened(effect.event)
    return happened


def must_be_durable(batch: Batch, effects: Sequence[Effect]) -> bool:
    """Whether it must be on disk before anything acts: else it may be written some time soon."""
    # Who gave which order is kept, also of one that was refused and left nothing else.
    return bool(
        batch.keeps
        or batch.intents
        or batch.messages
        or batch.runs
        or batch.traces
        or batch.loaded
        # Of a run that is over by then nothing else may be left.
        or batch.outcomes
    ) or any(isinstance(effect, Reply) for effect in effects)
