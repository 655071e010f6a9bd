"""The verbs of steps as pydantic models: one model for each, those that hold steps aside."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from reactor.core.steps import GuestAction
from reactor.policyfile.foreign import ACTIONS
from reactor.policyfile.mistakes import brief
from reactor.policyfile.schema_base import Complaint, Model
from reactor.policyfile.schema_step import Step
from reactor.policyfile.schema_waits import EventWait
from reactor.policyfile.spellings import (
    AgentCommand,
    CommandName,
    HeaderName,
    RunbookName,
    SaveName,
)
from reactor.policyfile.values import (
    AnyTemplate,
    Choice,
    Condition,
    Duration,
    Many,
    Maybe,
    OneOrMany,
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
            tuple(action.value for action in GuestAction),
            near=("dump",),
            foreign=ACTIONS,
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


class AgentStep(Step):
    """A command to the QEMU guest agent inside the guest."""

    agent: Annotated[AgentCommand, Field(description="The command's name, such as guest-ping.")]
    args: Annotated[
        dict[str, AnyTemplate], Field(default_factory=dict, description="Its arguments.")
    ]


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


class Inhibition(Model):
    """Which policies get no new run on this guest, and for how long."""

    policies: Annotated[
        tuple[str, ...], OneOrMany(1), Field(description="Globs of names of policies.")
    ]
    for_: Annotated[Span, Field(alias="for", description="How long.")]


class InhibitStep(Step):
    """Hold other policies off this guest for a while."""

    inhibit: Annotated[Inhibition, Field(description="Which ones, and for how long.")]


class RunStep(Step):
    """Do the steps of a runbook here."""

    run: Annotated[RunbookName, Field(description="The runbook's name.")]
    with_: Annotated[
        dict[SaveName, AnyTemplate],
        Field(alias="with", default_factory=dict, description="Values for its `params`."),
    ]


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class Request(Model):
    """An HTTP request."""

    misplaced: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("timeout", "retry"), "write it on the step, beside `http`"),
        **dict.fromkeys(("body", "data", "payload"), "write `json`"),
        "status": "write `expect`",
    }

    method: Annotated[
        Annotated[str, Choice(METHODS)] | None,
        Maybe(),
        Field(description="The method; POST where `json` is given, else GET."),
    ] = None
    url: Annotated[Template, Field(description="http:// or https://, with host and path.")]
    json_: Annotated[
        AnyTemplate, Field(alias="json", description="The body, sent as JSON; none when left out.")
    ] = None
    headers: Annotated[
        dict[HeaderName, Template], Field(default_factory=dict, description="Names to values.")
    ]
    expect: Annotated[
        tuple[Annotated[int, Whole(100, 599)], ...],
        OneOrMany(1),
        Field(description="The status codes that mean success."),
    ] = (200,)


class HttpStep(Step):
    """Call a webhook."""

    http: Annotated[Request, Field(description="The request, and what to expect.")]


def _program_first(schema: dict[str, Any]) -> None:
    """Writes into the JSON Schema that the first item is a path."""
    schema["properties"]["exec"]["prefixItems"] = [{"type": "string", "pattern": "^/[^$]*$"}]


class ExecStep(Step):
    """Start a program on the host, never through a shell."""

    model_config = ConfigDict(json_schema_extra=_program_first)

    exec: Annotated[
        tuple[Template, ...],
        Many(1),
        Field(description="The program's path, then its arguments."),
    ]

    @classmethod
    def complaints(cls, data: Mapping[str, object]) -> Iterator[Complaint]:
        """A program that the settings could not permit by its name."""
        words = data.get("exec")
        program = words[0] if isinstance(words, list) and words else None
        if isinstance(program, str) and "${" in program:
            problem = "the program is never a template: the settings permit it by its path"
            yield Complaint(("exec", 0), problem, "write its path; templates may follow it")
        elif isinstance(program, str) and not program.startswith("/"):
            problem = f"`{brief(program)}` is no absolute path of a program"
            yield Complaint(("exec", 0), problem, "write the whole path, such as /usr/bin/logger")


class LogStep(Step):
    """Write a line to the log and the trace."""

    log: Annotated[Template, Field(description="The line.")]


class FailStep(Step):
    """End the run as failed."""

    fail: Annotated[Template, Field(description="Why.")]


class StopStep(Step):
    """End the run as stopped: nothing more is to do."""

    stop: Annotated[Template, Field(description="Why.")]
