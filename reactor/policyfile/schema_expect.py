"""What a test expects, as pydantic models: one for each verb that has an effect."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Discriminator, Field, Tag

from reactor.core.marks import MarkKind
from reactor.core.run import Outcome
from reactor.core.steps import GuestAction
from reactor.policyfile.schema_base import Model
from reactor.policyfile.spellings import AgentCommand, CommandName, PolicyName
from reactor.policyfile.values import Choice, Duration, Many, Maybe, OneOrMany, Span, Whole

_ANY = "As it was rendered, or as the policy writes it."


class Expected(Model):
    """Where, when and how often."""

    misplaced: ClassVar[Mapping[str, str]] = {
        "not": "write `not: {VERB: ...}` as an entry of its own",
        "only": "write it beside `expect`",
        "count": "write `times`",
    }

    target: Annotated[str | None, Maybe(), Field(description="The guest that it is about.")] = None
    times: Annotated[
        Annotated[int, Whole(0, 1_000_000)] | None,
        Maybe(),
        Field(description="Exactly so often; at least once when left out."),
    ] = None
    at: Annotated[
        Duration | None, Maybe(), Field(description="So long after the start, within a second.")
    ] = None
    after: Annotated[
        Duration | None, Maybe(), Field(description="Not earlier after the start than this.")
    ] = None
    before: Annotated[
        Duration | None, Maybe(), Field(description="Earlier after the start than this.")
    ] = None


class ExpectGuest(Expected):
    """A `guest:` step; counted once, when its first command is sent."""

    guest: Annotated[
        str,
        Choice(("dump", *(action.value for action in GuestAction))),
        Field(description="The action."),
    ]
    to: Annotated[str | None, Maybe(), Field(description=f"Of a dump. {_ANY}")] = None
    format: Annotated[str | None, Maybe(), Field(description="Of a dump.")] = None


class ExpectQmp(Expected):
    """A QMP command, those inside of `guest:` steps among them."""

    qmp: Annotated[CommandName, Field(description="The command.")]
    args: Annotated[dict[str, Any] | None, Maybe(), Field(description="All its arguments.")] = None


class ExpectAgent(Expected):
    """A command to the guest agent, those inside of `guest:` steps among them."""

    agent: Annotated[AgentCommand, Field(description="The command.")]
    args: Annotated[dict[str, Any] | None, Maybe(), Field(description="All its arguments.")] = None


class ExpectPublish(Expected):
    """A message that is published."""

    publish: Annotated[str, Field(description=f"The topic, without a prefix. {_ANY}")]
    payload: Annotated[
        Any, Field(description="Of a mapping only the members that are given are compared.")
    ] = None
    qos: Annotated[
        Annotated[int, Whole(0, 2)] | None, Maybe(), Field(description="Its quality of service.")
    ] = None
    retain: Annotated[bool | None, Maybe(), Field(description="Whether the broker keeps it.")] = (
        None
    )
    properties: Annotated[
        dict[str, str] | None, Maybe(), Field(description="Its user properties.")
    ] = None


def _one_kind(schema: dict[str, Any]) -> None:
    schema["oneOf"] = [{"required": [kind.value]} for kind in MarkKind]


class ExpectedMark(Model):
    """A mark; what is given is compared."""

    model_config = ConfigDict(json_schema_extra=_one_kind)

    guest: Annotated[str | None, Maybe(), Field(description="`self`.")] = None
    host: Annotated[str | None, Maybe(), Field(description="`self`.")] = None
    disk: Annotated[str | None, Maybe(), Field(description="A block node's name.")] = None
    memory: Annotated[str | None, Maybe(), Field(description="A memory device's id.")] = None
    port: Annotated[str | None, Maybe(), Field(description="A port's id.")] = None
    migration: Annotated[str | None, Maybe(), Field(description="A migration's id.")] = None
    as_: Annotated[str | None, Maybe(), Field(alias="as", description="Its word.")] = None
    reason: Annotated[str | None, Maybe(), Field(description="Why.")] = None


class ExpectMark(Expected):
    """A mark that is set or renewed."""

    mark: Annotated[ExpectedMark, Field(description="Which one.")]


class ExpectClear(Expected):
    """A mark that is taken away, by a policy or by its expiry."""

    clear: Annotated[ExpectedMark, Field(description="Which one.")]


class ExpectLog(Expected):
    """A line in the log."""

    log: Annotated[str, Field(description=f"The line. {_ANY}")]


class ExpectedRequest(Model):
    """An HTTP request; what is given is compared."""

    method: Annotated[str | None, Maybe(), Field(description="The method.")] = None
    url: Annotated[str | None, Maybe(), Field(description="The address.")] = None
    json_: Annotated[
        Any, Field(alias="json", description="The body; of a mapping the members given.")
    ] = None
    headers: Annotated[
        dict[str, str] | None, Maybe(), Field(description="Those that are given.")
    ] = None


class ExpectHttp(Expected):
    """A request to a web server."""

    http: Annotated[ExpectedRequest, Field(description="Which one.")]


class ExpectExec(Expected):
    """A program that is started."""

    exec: Annotated[tuple[str, ...], Many(1), Field(description="The program and its arguments.")]


class ExpectedInhibition(Model):
    """What is held off; what is given is compared."""

    policies: Annotated[
        Annotated[tuple[str, ...], OneOrMany(1)] | None,
        Maybe(),
        Field(description="The globs, as written."),
    ] = None
    for_: Annotated[Span | None, Maybe(), Field(alias="for", description="How long.")] = None


class ExpectInhibit(Expected):
    """Policies that are held off a guest."""

    inhibit: Annotated[ExpectedInhibition, Field(description="Which ones.")]


class ExpectRun(Expected):
    """A run that has ended; its time is that of its end."""

    run: Annotated[PolicyName, Field(description="Of which policy.")]
    outcome: Annotated[
        Annotated[str, Choice(tuple(outcome.value for outcome in Outcome))] | None,
        Maybe(),
        Field(description="How it ended."),
    ] = None
    error: Annotated[str | None, Maybe(), Field(description="Its error.")] = None
    failed_step: Annotated[
        str | None, Maybe(), Field(description="The name or path of the step that failed.")
    ] = None


EXPECTATIONS: Mapping[str, type[Expected]] = {
    "guest": ExpectGuest,
    "qmp": ExpectQmp,
    "agent": ExpectAgent,
    "publish": ExpectPublish,
    "mark": ExpectMark,
    "clear": ExpectClear,
    "log": ExpectLog,
    "http": ExpectHttp,
    "exec": ExpectExec,
    "inhibit": ExpectInhibit,
    "run": ExpectRun,
}
"""The verbs that have effects, with their models."""

WITHOUT_EFFECT = ("wait", "check", "choose", "repeat", "parallel", "delay", "fail", "stop")
"""Verbs whose doing shows in a run's outcome only."""


def _effect_kind(data: object) -> str | None:
    kinds = [verb for verb in EXPECTATIONS if isinstance(data, Mapping) and verb in data]
    return f"<{kinds[0]}>" if len(kinds) == 1 else None


AnyEffect = Annotated[
    Annotated[ExpectGuest, Tag("<guest>")]
    | Annotated[ExpectQmp, Tag("<qmp>")]
    | Annotated[ExpectAgent, Tag("<agent>")]
    | Annotated[ExpectPublish, Tag("<publish>")]
    | Annotated[ExpectMark, Tag("<mark>")]
    | Annotated[ExpectClear, Tag("<clear>")]
    | Annotated[ExpectLog, Tag("<log>")]
    | Annotated[ExpectHttp, Tag("<http>")]
    | Annotated[ExpectExec, Tag("<exec>")]
    | Annotated[ExpectInhibit, Tag("<inhibit>")]
    | Annotated[ExpectRun, Tag("<run>")],
    Discriminator(_effect_kind),
]


class Not(Model):
    """What must not be so."""

    not_: Annotated[AnyEffect, Field(alias="not", description="An expectation.")]


def _expectation_kind(data: object) -> str:
    return "<not>" if isinstance(data, Mapping) and data.keys() == {"not"} else "<effect>"


AnyExpectation = Annotated[
    Annotated[Not, Tag("<not>")] | Annotated[AnyEffect, Tag("<effect>")],
    Discriminator(_expectation_kind),
]
