"""The `test:` document as pydantic models: guests, host, timeline and what is expected."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field
from pydantic.json_schema import WithJsonSchema

from reactor.policyfile.schema_answers import STATES, Simulate, Size, answer_complaints
from reactor.policyfile.schema_base import Complaint, Model
from reactor.policyfile.schema_expect import AnyExpectation
from reactor.policyfile.schema_timeline import AnyEntry
from reactor.policyfile.spellings import GuestName, PolicyName
from reactor.policyfile.values import (
    Choice,
    Duration,
    Many,
    Maybe,
    OneOrMany,
    Spelling,
    Text,
    wrong,
)


def _moment(value: str) -> str:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        problem = f"`{value}` is no time with its zone"
        raise wrong(problem, "write it as 2026-01-01T00:00:00Z")
    return value


Moment = Annotated[
    str, AfterValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})
]
"""A date and a time with its zone."""

Labels = Annotated[dict[str, str], Field(default_factory=dict, description="Its labels.")]


class TestedGuest(Model):
    """A guest, as the stored snapshot knows it."""

    labels: Labels
    status: Annotated[str, Choice(STATES), Field(description="Its run state.")] = "running"
    kind: Annotated[
        str, Choice(("vm", "storage-daemon")), Field(description="What its QEMU is.")
    ] = "vm"
    version: Annotated[
        str,
        Spelling(r"[0-9]+\.[0-9]+(\.[0-9]+)?", "version of QEMU", "write it as 7.2 or 7.2.22"),
        Field(description="Of its QEMU; quote it, else YAML makes it a number."),
    ] = "7.2.22"
    memory: Annotated[
        Size, Field(description="Its memory.", json_schema_extra={"default": "512MiB"})
    ] = 512 << 20
    uuid: Annotated[str, Field(description="Its UUID.")] = "00000000-0000-0000-0000-000000000000"
    agent: Annotated[bool, Field(description="Whether a guest agent answers.")] = True
    connected: Annotated[bool, Field(description="Whether its monitor is there.")] = True
    no_shutdown: Annotated[
        bool, Field(description="QEMU stays when the guest shuts down, as libvirt starts it.")
    ] = False
    no_reboot: Annotated[bool, Field(description="QEMU ends when the guest is reset.")] = False
    ports: Annotated[
        dict[str, bool],
        Field(default_factory=dict, description="Its serial ports, and whether they are open."),
    ]
    simulate: Simulate

    @classmethod
    def complaints(cls, data: Mapping[str, object]) -> Iterator[Complaint]:
        """Answers to what nobody asks."""
        yield from answer_complaints(data.get("simulate"))


class TestedHost(Model):
    """The host that the guests run on."""

    name: Annotated[str, Field(description="Its name.")] = "localhost"
    labels: Labels
    free: Annotated[
        dict[str, Size],
        Field(default_factory=dict, description="Folders to the space that is free there."),
    ]


class Test(Model):
    """What policies do when this happens: proved in virtual time."""

    __test__ = False  # pytest takes classes of this name for its own

    misplaced: ClassVar[Mapping[str, str]] = {
        "policy": "write `policies`, a list of names",
        "events": "write `timeline`",
        "steps": "a test has a `timeline` and what to `expect` of it",
    }

    test: Annotated[Text, Field(description="What it proves, as a sentence.")]
    policies: Annotated[
        tuple[PolicyName, ...],
        OneOrMany(1),
        Field(description="The policies that are loaded; no others are."),
    ]
    guests: Annotated[dict[GuestName, TestedGuest], Field(description="The guests, by name.")]
    host: Annotated[TestedHost | None, Maybe(), Field(description="The host that they run on.")] = (
        None
    )
    start: Annotated[Moment, Field(description="When the timeline begins.")] = (
        "2026-01-01T00:00:00Z"
    )
    lasts: Annotated[
        Duration,
        Field(
            description="Until when time goes on at the least, such as for a schedule.",
            json_schema_extra={"default": "0s"},
        ),
    ] = 0.0
    simulate: Simulate
    timeline: Annotated[
        tuple[AnyEntry, ...], Many(), Field(description="What happens, and when.")
    ] = ()
    expect: Annotated[
        tuple[AnyExpectation, ...], Many(), Field(description="Effects that must come, or not.")
    ] = ()
    only: Annotated[bool, Field(description="No effect may come that is not expected.")] = False

    @classmethod
    def complaints(cls, data: Mapping[str, object]) -> Iterator[Complaint]:
        """Nothing is expected; no guest is there; answers to what nobody asks."""
        if not data.get("expect") and data.get("only") is not True:
            problem = "the test expects nothing: it would pass whatever happens"
            yield Complaint(None, problem, "add `expect:`, or `only: true` if nothing may be done")
        if data.get("guests") == {}:
            yield Complaint("guests", "there is no guest", "add one, such as `web-1: {}`")
        yield from answer_complaints(data.get("simulate"))
