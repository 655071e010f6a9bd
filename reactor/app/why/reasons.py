"""An explanation as data: what was looked at in the order of admission, and what happened."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from reactor.app.control.answers import RunLine
from reactor.app.refusals import Refused


class Mark(StrEnum):
    """What one look came to: all is well, it stands in the way, or it only tells something."""

    OK = "ok"
    NO = "no"
    NOTE = "note"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was looked at; ``until`` is when it stops to stand in the way, if known."""

    check: str
    mark: Mark
    text: str
    until: float | None = None
    values: Mapping[str, object] = {}


class Moment(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that happened: an event with what was decided about it.

    ``verdict`` and ``reason`` were recorded then, unless ``evaluated``: then the event's
    recorded data was looked at now, because an event that does not fit leaves no trace;
    ``revision`` is that of the policy with which it was looked at.
    ``run`` is the run that it started; ``on_limit`` is that of the policy's handler, where a
    limit refused it. ``outcome`` is how that one ended, or stands.
    """

    at: float
    event: str
    verdict: str
    reason: str = ""
    path: str = ""
    data: Mapping[str, object] = {}
    values: Mapping[str, object] = {}
    evaluated: bool = False
    run: str = ""
    on_limit: str = ""
    outcome: str = ""
    revision: str = ""


class Why(msgspec.Struct, frozen=True, omit_defaults=True):
    """The explanation: ``verdict`` is the sentence to read first.

    ``at`` is None for how it stands now. ``revision`` is that of the policy with which
    events were looked at again, ``in_force`` since when it was in force. ``refused`` are
    the requests about this policy or guest that were refused. ``online`` is whether the
    daemon was asked. ``unknown``: nobody knows such a policy, or such a guest.
    """

    policy: str
    guest: str
    verdict: str
    findings: list[Finding] = []
    moments: list[Moment] = []
    runs: list[RunLine] = []
    refused: list[Refused] = []
    at: float | None = None
    begin: float | None = None
    end: float | None = None
    revision: str = ""
    in_force: float | None = None
    online: bool = False
    unknown: bool = False
