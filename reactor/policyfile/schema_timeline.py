"""What happens in a test, as pydantic models: one for each kind of entry of the timeline."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from reactor.policyfile.schema_answers import STATES, Simulate, Size, answer_complaints
from reactor.policyfile.schema_base import Complaint, Model
from reactor.policyfile.schema_marks import ClearTarget, MarkTarget
from reactor.policyfile.spellings import EventName, GuestName, PolicyName
from reactor.policyfile.values import Choice, Duration, Maybe, OneOrMany, Span


class _Entry(Model):
    at: Annotated[Duration, Field(description="So long after the start.")]


class _OfGuest(_Entry):
    guest: Annotated[
        GuestName | None, Maybe(), Field(description="Which guest; needless where there is one.")
    ] = None


class EventEntry(_OfGuest):
    """An event of a guest; the guest moves as QEMU would have moved."""

    event: Annotated[EventName, Field(description="QMP's name.", examples=["GUEST_PANICKED"])]
    data: Annotated[
        dict[str, Any], Field(default_factory=dict, description="Its data, as QMP sends it.")
    ]

    @classmethod
    def complaints(cls, data: Mapping[str, object]) -> Iterator[Complaint]:
        """A glob, or an event of the engine's own."""
        name = data.get("event")
        if isinstance(name, str) and any(sign in name for sign in "*?["):
            yield Complaint("event", "an event that happens has one name", "write it out")
        elif isinstance(name, str) and name.startswith("REACTOR_"):
            problem = f"`{name}` is reactor's own: it follows from what happens"
            yield Complaint("event", problem, "let that happen, such as `disconnect`")


class MessageEntry(_Entry):
    """An MQTT message that comes in."""

    mqtt: Annotated[str, Field(description="Its topic, below `<prefix>/<host>/`.")]
    payload: Annotated[Any, Field(description="A text as it is, anything else as JSON.")] = ""
    topic: Annotated[
        Annotated[str, Choice(("absolute",))] | None,
        Maybe(),
        Field(description="`absolute`: the topic stands as it is, without a prefix."),
    ] = None
    retain: Annotated[bool, Field(description="It was kept by the broker.")] = False
    age: Annotated[
        Duration | None, Maybe(), Field(description="So long ago it was sent, says its sender.")
    ] = None
    properties: Annotated[
        dict[str, str], Field(default_factory=dict, description="MQTT 5 user properties.")
    ]


class DisconnectEntry(_Entry):
    """A monitor goes away; QEMU goes on."""

    disconnect: Annotated[GuestName, Field(description="Whose.")]


class ConnectEntry(_Entry):
    """A monitor is there again; a QEMU that had ended was started again."""

    connect: Annotated[GuestName, Field(description="Whose.")]


class CrashEntry(_Entry):
    """A QEMU ends without a word."""

    crash: Annotated[GuestName, Field(description="Whose.")]


class _OfRun(_OfGuest):
    comment: Annotated[str, Field(description="Why, for people.")] = ""


class ApproveEntry(_OfRun):
    """An operator says yes to the run of a policy."""

    approve: Annotated[PolicyName, Field(description="Of which policy.")]


class DenyEntry(_OfRun):
    """An operator says no to the run of a policy."""

    deny: Annotated[PolicyName, Field(description="Of which policy.")]


class CancelEntry(_OfRun):
    """An operator cancels the run of a policy."""

    cancel: Annotated[PolicyName, Field(description="Of which policy.")]


class TriggerEntry(_OfGuest):
    """An operator triggers a policy by hand."""

    trigger: Annotated[PolicyName, Field(description="Which policy.")]
    data: Annotated[
        dict[str, Any], Field(default_factory=dict, description="What its expressions see.")
    ]


class SilenceEntry(_Entry):
    """An operator silences policies."""

    silence: Annotated[
        tuple[str, ...], OneOrMany(1), Field(description="Globs of names of policies.")
    ]
    guests: Annotated[
        tuple[str, ...], OneOrMany(1), Field(description="Globs of names of guests.")
    ] = ("*",)
    for_: Annotated[Span, Field(alias="for", description="How long.")]


class HoldEntry(_Entry):
    """An operator holds a guest, or all of them."""

    hold: Annotated[str, Field(description="The guest's name, or `*` for all.")]
    for_: Annotated[
        Span | None, Maybe(), Field(alias="for", description="How long; until it is released.")
    ] = None


class ReleaseEntry(_Entry):
    """An operator releases what is held."""

    release: Annotated[str, Field(description="The guest's name, or `*` for all.")]


class MarkEntry(_OfGuest):
    """An operator puts a mark on a guest."""

    mark: Annotated[MarkTarget, Field(description="What, and as what.")]


class ClearEntry(_OfGuest):
    """An operator takes marks away."""

    clear: Annotated[ClearTarget, Field(description="Which ones.")]


class Changes(Model):
    """What is different from now on."""

    status: Annotated[
        Annotated[str, Choice(STATES)] | None, Maybe(), Field(description="The run state.")
    ] = None
    labels: Annotated[
        dict[str, str] | None, Maybe(), Field(description="All labels, instead of those before.")
    ] = None
    free: Annotated[
        dict[str, Size] | None, Maybe(), Field(description="Folders to the space that is free.")
    ] = None
    simulate: Simulate

    @classmethod
    def complaints(cls, data: Mapping[str, object]) -> Iterator[Complaint]:
        """Nothing at all, or answers to what nobody asks."""
        if not data:
            yield Complaint(None, "nothing is changed", f"write one of: {', '.join(cls.words())}")
        yield from answer_complaints(data.get("simulate"))


class SetEntry(_OfGuest):
    """Something is different from now on, without an event."""

    set: Annotated[Changes, Field(description="What.")]


class RestartEntry(_Entry):
    """reactor is killed and started again; guests go on."""

    restart: Annotated[Duration, Field(description="How long it is down.")]


ENTRIES: Mapping[str, type[_Entry]] = {
    "event": EventEntry,
    "mqtt": MessageEntry,
    "disconnect": DisconnectEntry,
    "connect": ConnectEntry,
    "crash": CrashEntry,
    "approve": ApproveEntry,
    "deny": DenyEntry,
    "cancel": CancelEntry,
    "trigger": TriggerEntry,
    "silence": SilenceEntry,
    "hold": HoldEntry,
    "release": ReleaseEntry,
    "mark": MarkEntry,
    "clear": ClearEntry,
    "set": SetEntry,
    "restart": RestartEntry,
}
"""The keys of which an entry of the timeline has exactly one, with their models."""


def _entry_kind(data: object) -> str | None:
    kinds = [kind for kind in ENTRIES if isinstance(data, Mapping) and kind in data]
    return f"<{kinds[0]}>" if len(kinds) == 1 else None


AnyEntry = Annotated[
    Annotated[EventEntry, Tag("<event>")]
    | Annotated[MessageEntry, Tag("<mqtt>")]
    | Annotated[DisconnectEntry, Tag("<disconnect>")]
    | Annotated[ConnectEntry, Tag("<connect>")]
    | Annotated[CrashEntry, Tag("<crash>")]
    | Annotated[ApproveEntry, Tag("<approve>")]
    | Annotated[DenyEntry, Tag("<deny>")]
    | Annotated[CancelEntry, Tag("<cancel>")]
    | Annotated[TriggerEntry, Tag("<trigger>")]
    | Annotated[SilenceEntry, Tag("<silence>")]
    | Annotated[HoldEntry, Tag("<hold>")]
    | Annotated[ReleaseEntry, Tag("<release>")]
    | Annotated[MarkEntry, Tag("<mark>")]
    | Annotated[ClearEntry, Tag("<clear>")]
    | Annotated[SetEntry, Tag("<set>")]
    | Annotated[RestartEntry, Tag("<restart>")],
    Discriminator(_entry_kind),
]
