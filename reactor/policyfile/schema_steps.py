"""The steps of the policy language as pydantic models: one model for each verb."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Discriminator, Field, Tag

from reactor.core.marks import SELF, MarkKind
from reactor.policyfile import unbuilt
from reactor.policyfile.schema_base import Complaint, Model
from reactor.policyfile.values import (
    AnyTemplate,
    Choice,
    CommandName,
    Condition,
    Duration,
    EventName,
    Label,
    Maybe,
    OneOrMany,
    SaveName,
    Span,
    Template,
    Whole,
)

DUMP_FORMATS = (
    "elf",
    "kdump-zlib",
    "kdump-lzo",
    "kdump-snappy",
    "kdump-raw-zlib",
    "kdump-raw-lzo",
    "kdump-raw-snappy",
    "win-dmp",
)
DUMP_TARGET = "${guest.name}-${run.id}.dump"

EventNames = Annotated[tuple[EventName, ...], OneOrMany(1)]


class Retry(Model):
    """Further attempts after a failed one."""

    times: Annotated[
        int, Whole(1, 100), Field(description="Attempts after the first.", examples=[3])
    ]
    backoff: Annotated[
        tuple[Duration, ...],
        OneOrMany(),
        Field(description="Pauses before the attempts; the last one repeats."),
    ] = ()


class Step(Model):
    """The options that every step may have."""

    name: Annotated[
        Label | None, Maybe(), Field(description="A name for people: in traces and topics.")
    ] = None
    if_: Annotated[
        Condition | None,
        Maybe(),
        Field(alias="if", description="CEL: the step is left out when false."),
    ] = None
    timeout: Annotated[
        Span | None, Maybe(), Field(description="For one attempt of the step, its waits included.")
    ] = None
    retry: Annotated[Retry | None, Maybe(), Field(description="Try again when the step fails.")] = (
        None
    )
    on_error: Annotated[
        Annotated[str, Choice(("fail", "continue"))] | None,
        Maybe(),
        Field(description="What a failure means after the last attempt."),
    ] = None
    save: Annotated[
        SaveName | None,
        Maybe(),
        Field(description="Keep the result as `steps.NAME.result`, `.ok`, `.error`."),
    ] = None


class EventWait(Model):
    """Go on when the guest sends an event."""

    later: ClassVar[Mapping[str, str]] = unbuilt.WAIT_KEYS

    event: Annotated[EventNames, Field(description="Event names or globs; any of them counts.")]
    where: Annotated[
        Condition | None,
        Maybe(),
        Field(description="CEL over the candidate: goes on waiting when false."),
    ] = None
    fail_when: Annotated[
        Condition | None,
        Maybe(),
        Field(description="CEL over the candidate: fails at once when true."),
    ] = None
    timeout: Annotated[
        Span | None, Maybe(), Field(description="Failed when it did not come for so long.")
    ] = None


class UntilWait(Model):
    """Go on when a condition holds; asked with the guest's fresh state."""

    later: ClassVar[Mapping[str, str]] = unbuilt.WAIT_KEYS

    until: Annotated[Condition, Field(description="CEL: goes on when true.")]
    timeout: Annotated[
        Span | None, Maybe(), Field(description="Failed when it did not hold within so long.")
    ] = None


def _wait_kind(data: object) -> str | None:
    if not isinstance(data, Mapping) or ("until" in data) == ("event" in data):
        return None
    return "<until>" if "until" in data else "<event>"


AnyWait = Annotated[
    Annotated[EventWait, Tag("<event>")] | Annotated[UntilWait, Tag("<until>")],
    Discriminator(_wait_kind),
]


class DumpStep(Step):
    """Write the guest's memory to a file; done when QEMU says that it is complete."""

    guest: Annotated[str, Choice(("dump",))]
    to: Annotated[
        Template,
        Field(description="The file, relative to the dumps folder of the settings."),
    ] = DUMP_TARGET
    format: Annotated[
        Template, Field(description=f"One of {', '.join(DUMP_FORMATS)}; or a template.")
    ] = "kdump-zlib"


class GuestStep(Step):
    """What an operator means, done right whatever state the guest is in."""

    guest: Annotated[
        str,
        Choice(
            ("reset", "pause", "resume", "preserve-on-panic"),
            later=unbuilt.GUEST_ACTIONS,
            near=("dump",),
        ),
        Field(description="The action."),
    ]


class QmpStep(Step):
    """Exactly this QMP command."""

    qmp: Annotated[CommandName, Field(description="The command's name.")]
    args: Annotated[
        dict[str, AnyTemplate], Field(default_factory=dict, description="Its arguments.")
    ]
    wait: Annotated[
        EventWait | None,
        Maybe(),
        Field(description="The event that answers it; registered before the command is sent."),
    ] = None


class WaitStep(Step):
    """Wait for an event or for a condition."""

    wait: Annotated[AnyWait, Field(description="Exactly one of `event` and `until`.")]


class CheckStep(Step):
    """Go on only if a condition holds; else the run ends as skipped."""

    check: Annotated[Condition, Field(description="CEL, asked with fresh state.")]


class DelayStep(Step):
    """Wait for a fixed time; survives a restart of the daemon."""

    delay: Annotated[Duration, Field(description="How long.")]


class PublishStep(Step):
    """Publish to MQTT; done when it is in the outbox."""

    publish: Annotated[
        Template,
        Field(description="The topic, below `<prefix>/<host>/`."),
    ]
    payload: Annotated[AnyTemplate, Field(description="Sent as JSON; strings as they are.")] = None
    qos: Annotated[int, Whole(0, 2), Field(description="MQTT quality of service.")] = 1
    retain: Annotated[bool, Field(description="The broker keeps it for later subscribers.")] = False
    properties: Annotated[
        dict[str, Template], Field(default_factory=dict, description="MQTT 5 user properties.")
    ]
    topic: Annotated[
        Annotated[str, Choice(("absolute",))] | None,
        Maybe(),
        Field(description="`absolute`: take the topic as it stands, without a prefix."),
    ] = None


_KINDS = tuple(kind.value for kind in MarkKind)
_SELF_KINDS = (MarkKind.GUEST.value, MarkKind.HOST.value)


def _one_kind(schema: dict[str, Any]) -> None:
    """Writes into the JSON Schema that exactly one kind is given."""
    schema["oneOf"] = [{"required": [kind]} for kind in _KINDS]


class ClearTarget(Model):
    """Which marks: one kind with its id."""

    model_config = ConfigDict(json_schema_extra=_one_kind)

    guest: Annotated[
        Template | None, Maybe(), Field(description="`self`: the guest as a whole.")
    ] = None
    host: Annotated[Template | None, Maybe(), Field(description="`self`: the host as a whole.")] = (
        None
    )
    disk: Annotated[Template | None, Maybe(), Field(description="A block node's name.")] = None
    memory: Annotated[Template | None, Maybe(), Field(description="A memory device's id.")] = None
    port: Annotated[Template | None, Maybe(), Field(description="A port's id.")] = None
    migration: Annotated[Template | None, Maybe(), Field(description="A migration's id.")] = None
    as_: Annotated[
        Template | None,
        Maybe(),
        Field(alias="as", description="The mark's word; without it all of that id."),
    ] = None

    @classmethod
    def complaints(cls, data: Mapping[str, object]) -> Iterator[Complaint]:
        """Not exactly one kind; or an id other than `self` where there is only one."""
        kinds = [kind for kind in _KINDS if kind in data]
        if len(kinds) != 1:
            what = " and ".join(f"`{kind}`" for kind in kinds) or "none"
            fix = f"keep one of: {', '.join(_KINDS)}"
            yield Complaint(None, f"a mark is on exactly one thing, not on {what}", fix)
        for kind in kinds:
            if kind in _SELF_KINDS and isinstance(data[kind], str) and data[kind] != SELF:
                problem = f"a mark on the {kind} has the id `self`, not `{data[kind]}`"
                yield Complaint(kind, problem, f"write `{kind}: self`")


class MarkTarget(ClearTarget):
    """A mark: one kind with its id, and what is said of it."""

    as_: Annotated[Template, Field(alias="as", description="The mark's word: `degraded`.")]
    reason: Annotated[Template | None, Maybe(), Field(description="Why; for people.")] = None
    expires: Annotated[Span | None, Maybe(), Field(description="Taken away after so long.")] = None


class MarkStep(Step):
    """Put a mark on the guest or one of its devices."""

    mark: Annotated[MarkTarget, Field(description="What, and as what.")]


class ClearStep(Step):
    """Take marks away."""

    clear: Annotated[ClearTarget, Field(description="Which ones.")]


class LogStep(Step):
    """Write a line to the log and the trace."""

    log: Annotated[Template, Field(description="The line.")]


class FailStep(Step):
    """End the run as failed."""

    fail: Annotated[Template, Field(description="Why.")]


class StopStep(Step):
    """End the run as stopped: nothing more is to do."""

    stop: Annotated[Template, Field(description="Why.")]


VERBS = (
    "guest",
    "qmp",
    "wait",
    "check",
    "delay",
    "publish",
    "mark",
    "clear",
    "log",
    "fail",
    "stop",
)


def verbs_of(data: Mapping[str, object]) -> list[str]:
    """The verbs that the step has; `wait` beside `qmp` is an option of that."""
    verbs = [verb for verb in VERBS if verb in data]
    return ["qmp"] if verbs == ["qmp", "wait"] else verbs


def _verb(data: object) -> str | None:
    if not isinstance(data, Mapping):
        return None
    verbs = verbs_of(data)
    if len(verbs) != 1:
        return None
    return "<dump>" if verbs == ["guest"] and data["guest"] == "dump" else f"<{verbs[0]}>"


AnyStep = Annotated[
    Annotated[DumpStep, Tag("<dump>")]
    | Annotated[GuestStep, Tag("<guest>")]
    | Annotated[QmpStep, Tag("<qmp>")]
    | Annotated[WaitStep, Tag("<wait>")]
    | Annotated[CheckStep, Tag("<check>")]
    | Annotated[DelayStep, Tag("<delay>")]
    | Annotated[PublishStep, Tag("<publish>")]
    | Annotated[MarkStep, Tag("<mark>")]
    | Annotated[ClearStep, Tag("<clear>")]
    | Annotated[LogStep, Tag("<log>")]
    | Annotated[FailStep, Tag("<fail>")]
    | Annotated[StopStep, Tag("<stop>")],
    Discriminator(_verb),
]


class ArmGuestStep(Step):
    """What is asked of every guest at each connect."""

    guest: Annotated[str, Choice(("preserve-on-panic",))]


def _arm_verb(data: object) -> str | None:
    verb = _verb(data)
    return "<guest>" if verb == "<dump>" else verb


AnyArmStep = Annotated[
    Annotated[ArmGuestStep, Tag("<guest>")] | Annotated[QmpStep, Tag("<qmp>")],
    Discriminator(_arm_verb),
]
