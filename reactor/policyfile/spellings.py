"""Names and words of the language that are spelled in one way, each with its own fix."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator
from pydantic.json_schema import WithJsonSchema

from reactor.core.cron import CronError, parse_cron
from reactor.core.topic_filters import filter_problem
from reactor.policyfile.event_names import event_fix
from reactor.policyfile.mistakes import brief
from reactor.policyfile.values import Offered, OneOrMany, Spelling, meant, wrong

_NAME = r"[a-z0-9][a-z0-9-]{0,99}"
_NAME_FIX = "use small letters, digits and hyphens only, at most 100 of them"

PolicyName = Annotated[str, Spelling(_NAME, "policy name", _NAME_FIX)]

RunbookName = Annotated[str, Spelling(_NAME, "runbook name", _NAME_FIX)]

GuestName = Annotated[
    str,
    Spelling(
        r"[^\s/*?\[\]][^\s/]*", "guest name", "write its name without spaces, slashes and wildcards"
    ),
]

SaveName = Annotated[
    str,
    Spelling(
        r"[a-z_][a-z0-9_]*",
        "name for expressions",
        "use small letters, digits and underscores only",
    ),
]

EventName = Annotated[
    str,
    Spelling(
        r"[A-Z0-9_*?\[\]!-]+|__[A-Za-z0-9_.*?-]+",
        "event name",
        "write QMP's own name in capitals, or a glob of it",
        event_fix,
    ),
    Offered("events"),
]

CommandName = Annotated[
    str,
    Spelling(
        r"[A-Za-z_][A-Za-z0-9_.-]*",
        "QMP command",
        "write the command's own name; it is never a template",
    ),
    Offered("commands"),
]

EventNames = Annotated[tuple[EventName, ...], OneOrMany(1)]

AgentCommand = Annotated[
    str,
    Spelling(
        r"[a-z][a-z0-9-]*",
        "command of the guest agent",
        "write the command's own name, such as guest-ping; it is never a template",
    ),
    Offered("agent"),
]

HeaderName = Annotated[
    str,
    Spelling(
        r"[A-Za-z0-9!#$%&'*+.^_`|~-]+",
        "name of an HTTP header",
        "use letters, digits and hyphens only",
    ),
]


def _cron(value: str) -> str:
    try:
        parse_cron(value)
    except CronError as error:
        raise wrong(error.problem, error.fix) from None
    return value


Cron = Annotated[
    str,
    AfterValidator(_cron),
    WithJsonSchema({"type": "string", "pattern": r"^\s*((\S+\s+){4}\S+|@[a-z]+)\s*$"}),
]
"""Five fields, as cron has them."""


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        guess = meant(value, available_timezones())
        fix = guess if guess.startswith("did") else "write an IANA name, such as Europe/Berlin"
        raise wrong(f"`{brief(value)}` is no time zone", fix) from None
    return value


TimeZone = Annotated[str, AfterValidator(_zone)]
"""An IANA name of which this machine (or the package tzdata) has the data."""


def _filter(value: str) -> str:
    if problem := filter_problem(value):
        raise wrong(problem, "write a topic filter such as request/+/dump")
    return value


TopicFilter = Annotated[str, AfterValidator(_filter)]
"""An MQTT topic filter."""
