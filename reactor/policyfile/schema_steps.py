"""The steps of the policy language: those that hold steps of their own, and all verbs."""

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Discriminator, Field, Tag

from reactor.policyfile.foreign import ROUNDS, WAY
from reactor.policyfile.schema_base import Complaint, Model
from reactor.policyfile.schema_marks import ClearStep, MarkStep
from reactor.policyfile.schema_step import Step
from reactor.policyfile.schema_verbs import (
    AgentStep,
    CheckStep,
    DelayStep,
    DumpStep,
    ExecStep,
    FailStep,
    GuestStep,
    HttpStep,
    InhibitStep,
    LogStep,
    PublishStep,
    QmpStep,
    RunStep,
    StopStep,
)
from reactor.policyfile.schema_waits import WaitStep
from reactor.policyfile.values import Choice, Condition, Duration, Many, Maybe, OneOrMany, Whole


class WhenBranch(Model):
    """One way, taken when its condition is the first that holds."""

    foreign = WAY

    when: Annotated[Condition, Field(description="CEL, asked with fresh state.")]
    steps: Annotated["tuple[AnyStep, ...]", Many(1), Field(description="Its steps.")]


class DefaultBranch(Model):
    """The way that is taken when no condition holds."""

    default: Annotated["tuple[AnyStep, ...]", Many(1), Field(description="Its steps.")]


def _branch_kind(data: object) -> str | None:
    kinds = [key for key in ("when", "default") if isinstance(data, Mapping) and key in data]
    return f"<{kinds[0]}>" if len(kinds) == 1 else None


AnyBranch = Annotated[
    Annotated[WhenBranch, Tag("<when>")] | Annotated[DefaultBranch, Tag("<default>")],
    Discriminator(_branch_kind),
]


class ChooseStep(Step):
    """Go the first way whose condition holds; none: nothing happens."""

    choose: Annotated[
        tuple[AnyBranch, ...],
        Many(1),
        Field(description="Ways in order: `when` with `steps`, `default` last."),
    ]

    @classmethod
    def complaints(cls, data: Mapping[str, object]) -> Iterator[Complaint]:
        """A way behind the one that is always taken."""
        ways = data.get("choose")
        for index, way in enumerate(ways[:-1] if isinstance(ways, list) else ()):
            if isinstance(way, Mapping) and "default" in way:
                problem = "no way behind `default` is ever taken"
                yield Complaint(("choose", index, "default"), problem, "write `default` last")


class Rounds(Model):
    """How often the steps are done."""

    foreign = ROUNDS

    times: Annotated[int, Whole(1, 1000), Field(description="Rounds at most.", examples=[5])]
    backoff: Annotated[
        tuple[Duration, ...],
        OneOrMany(),
        Field(description="Pauses between the rounds; the last one repeats."),
    ] = ()
    until: Annotated[
        Condition | None,
        Maybe(),
        Field(description="CEL: done when it holds after a round, whatever its steps did."),
    ] = None


class RepeatStep(Step):
    """Do steps again until a round succeeds or a condition holds."""

    repeat: Annotated[Rounds, Field(description="How often, and until when.")]
    steps: Annotated["tuple[AnyStep, ...]", Many(1), Field(description="The steps of a round.")]


class ParallelStep(Step):
    """Do lists of steps side by side; all run to their end."""

    parallel: Annotated[
        "tuple[Annotated[tuple[AnyStep, ...], Many(1)], ...]",
        Many(1),
        Field(description="A list of lists of steps."),
    ]


VERBS = (
    "guest",
    "qmp",
    "agent",
    "wait",
    "check",
    "choose",
    "repeat",
    "parallel",
    "delay",
    "publish",
    "mark",
    "clear",
    "inhibit",
    "run",
    "http",
    "exec",
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
    | Annotated[AgentStep, Tag("<agent>")]
    | Annotated[WaitStep, Tag("<wait>")]
    | Annotated[CheckStep, Tag("<check>")]
    | Annotated[ChooseStep, Tag("<choose>")]
    | Annotated[RepeatStep, Tag("<repeat>")]
    | Annotated[ParallelStep, Tag("<parallel>")]
    | Annotated[DelayStep, Tag("<delay>")]
    | Annotated[PublishStep, Tag("<publish>")]
    | Annotated[MarkStep, Tag("<mark>")]
    | Annotated[ClearStep, Tag("<clear>")]
    | Annotated[InhibitStep, Tag("<inhibit>")]
    | Annotated[RunStep, Tag("<run>")]
    | Annotated[HttpStep, Tag("<http>")]
    | Annotated[ExecStep, Tag("<exec>")]
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
