"""How the simulated world of a test answers, as pydantic models."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic.json_schema import WithJsonSchema

from reactor.core import catalog
from reactor.core.text import closest, parse_size
from reactor.policyfile.mistakes import brief
from reactor.policyfile.schema_base import Complaint, Model
from reactor.policyfile.spellings import EventName
from reactor.policyfile.values import Duration, Maybe, OneOrMany, Text, Whole, wrong

JOBS = (
    "block-commit",
    "block-stream",
    "blockdev-backup",
    "blockdev-mirror",
    "drive-backup",
    "drive-mirror",
)
"""Commands that begin a block job."""

STATES = (
    "running",
    "paused",
    "prelaunch",
    "guest-panicked",
    "io-error",
    "watchdog",
    "internal-error",
    "shutdown",
    "suspended",
    "inmigrate",
    "postmigrate",
    "finish-migrate",
    "save-vm",
    "restore-vm",
    "debug",
    "colo",
)
"""QEMU's run states. Source: QAPI, RunState."""

_SPECIAL = ("http", "exec")
_BREAKABLE = ("dump-guest-memory", "migrate", *JOBS, "job-complete")
_ASKS_THE_GUEST = ("system_powerdown", "device_del", "guest-shutdown")


def _size(value: object) -> int:
    try:
        return parse_size(str(value))
    except ValueError as error:
        problem, _, fix = str(error).rpartition(": ")
        raise wrong(problem, fix) from None


Size = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?([KMGTP]i)?B$"}),
]
"""Bytes; written with a unit."""


class Following(Model):
    """An event that follows a command."""

    after: Annotated[
        Duration,
        Field(description="So long after it.", json_schema_extra={"default": "0s"}),
    ] = 0.0
    event: Annotated[EventName, Field(description="QMP's name.")]
    data: Annotated[dict[str, Any], Field(default_factory=dict, description="Its data.")]


class Answer(Model):
    """How a command is answered; QEMU's own way where nothing is said."""

    takes: Annotated[
        Duration | None,
        Maybe(),
        Field(description="How long its work, or else its answer, takes."),
    ] = None
    fails: Annotated[
        Text | None, Maybe(), Field(description="The answer is an error with this text.")
    ] = None
    breaks: Annotated[
        Text | None, Maybe(), Field(description="Accepted, and failed later with this text.")
    ] = None
    returns: Annotated[Any, Field(description="The answer.")] = None
    silent: Annotated[bool, Field(description="It is never answered, and not done.")] = False
    obeys: Annotated[bool, Field(description="Whether the guest does what it is asked to.")] = True
    refuses: Annotated[bool, Field(description="The guest says that it will not unplug.")] = False
    times: Annotated[
        Annotated[int, Whole(1, 1_000_000)] | None,
        Maybe(),
        Field(description="So many are answered so, then the next of the list, or QEMU's way."),
    ] = None
    then: Annotated[
        tuple[Following, ...], OneOrMany(), Field(description="Events that follow.")
    ] = ()

    @classmethod
    def complaints(cls, data: Mapping[str, object]) -> Iterator[Complaint]:
        """Answers that cannot be given together."""
        told = [key for key in ("fails", "breaks", "returns") if key in data]
        if data.get("silent") is True:
            told.append("silent")
        if len(told) > 1 and set(told) != {"breaks", "returns"}:
            both = " and ".join(f"`{key}`" for key in told)
            yield Complaint(None, f"{both} cannot be one answer", "keep one of them")


AnyAnswers = Annotated[tuple[Answer, ...], OneOrMany(1)]


Simulate = Annotated[
    dict[str, AnyAnswers],
    Field(
        default_factory=dict,
        description="Commands, agent commands, programs, URLs, `http` or `exec`, to answers.",
    ),
]


def answer_complaints(simulate: object) -> Iterator[Complaint]:
    """What is wrong with the commands of a ``simulate``, and with answers that they cannot give."""
    for name, answers in simulate.items() if isinstance(simulate, Mapping) else ():
        if not _is_known(str(name)):
            yield _unknown(str(name))
            continue
        for answer in answers if isinstance(answers, list) else [answers]:
            if not isinstance(answer, Mapping):
                continue
            for key, commands in (
                ("breaks", _BREAKABLE),
                ("refuses", ("device_del",)),
                ("obeys", _ASKS_THE_GUEST),
            ):
                if key in answer and name not in commands:
                    problem = f"`{key}` says nothing of {brief(str(name))}"
                    fix = f"it is about {', '.join(commands)}"
                    yield Complaint(("simulate", str(name)), problem, fix)


def _is_known(name: str) -> bool:
    return (
        name in _SPECIAL
        or catalog.is_known(name)
        or name in catalog.agent_commands()
        or name.startswith("/")
        or "://" in name
    )


def _unknown(name: str) -> Complaint:
    known = (*catalog.known_commands(), *catalog.agent_commands(), *_SPECIAL)
    guess = closest(name, known)
    fix = (
        f"did you mean `{guess}`?"
        if guess
        else "name a command of QMP or of the guest agent, a program's path, a URL, http or exec"
    )
    problem = f"`{brief(name)}` is nothing that could be answered"
    return Complaint(("simulate", name), problem, fix)
