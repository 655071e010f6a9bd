"""What can be asked of the daemon: questions, and an operator's orders."""

from typing import Annotated

import msgspec

from reactor.core.orders import Order

RUNS_MAX = 10_000
"""Runs of one answer."""

YEAR_9999 = 253_370_764_800
"""The last times that can be written, in seconds since the epoch."""

Time = Annotated[float, msgspec.Meta(ge=0, le=YEAR_9999)]
Length = Annotated[float, msgspec.Meta(ge=0, le=YEAR_9999)]


class AskStatus(msgspec.Struct, frozen=True, tag="status"):
    """How the daemon, its guests and policies are."""


class AskMetrics(msgspec.Struct, frozen=True, tag="metrics"):
    """Figures as text, for a monitoring system."""


class AskGuests(msgspec.Struct, frozen=True, tag="guests"):
    """All guests."""


class AskReadiness(msgspec.Struct, frozen=True, tag="readiness", omit_defaults=True):
    """What policies lack on guests; ``policy`` and ``guest`` are globs.

    ``whole``: those too that lack nothing, and those that have nothing to watch.
    """

    policy: str = "*"
    guest: str = "*"
    whole: bool = False


class AskMarks(msgspec.Struct, frozen=True, tag="marks", omit_defaults=True):
    """The marks of one guest, or (``guest`` empty) of all."""

    guest: str = ""


class AskSilences(msgspec.Struct, frozen=True, tag="silences"):
    """The silences that stand."""


class AskRuns(msgspec.Struct, frozen=True, tag="runs", omit_defaults=True):
    """The newest runs; of one policy and guest where they are named."""

    policy: str | None = None
    guest: str | None = None
    only_open: bool = False
    limit: Annotated[int, msgspec.Meta(ge=0, le=RUNS_MAX)] = 20


class AskRun(msgspec.Struct, frozen=True, tag="run"):
    """One run, step by step."""

    run: str


class AskWhy(msgspec.Struct, frozen=True, tag="why", omit_defaults=True):
    """Why the policy did or did not run on the guest.

    ``at`` None: how it stands now; else what was decided ``around`` seconds about that time.
    """

    policy: str
    guest: str
    at: Time | None = None
    around: Length = 300.0


class GiveOrder(msgspec.Struct, frozen=True, tag="order"):
    """Carry out an operator's order."""

    order: Order


Ask = (
    AskStatus
    | AskMetrics
    | AskGuests
    | AskReadiness
    | AskMarks
    | AskSilences
    | AskRuns
    | AskRun
    | AskWhy
    | GiveOrder
)
