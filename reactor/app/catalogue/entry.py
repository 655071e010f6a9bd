"""What is shown of one event, command or verb; what is empty is left out."""

from collections.abc import Mapping

import msgspec

from reactor.qapi.facts import Change, Query, RateLimit


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A member: its way, and its type in words.

    ``versions`` are those of the shipped schemas that have it, where not all do that
    have the command or event; ``newer`` are values that not all of them know.
    """

    way: str
    type: str
    values: tuple[str, ...] = ()
    optional: bool = False
    deprecated: bool = False
    like: str | None = None
    versions: tuple[str, ...] = ()
    newer: Mapping[str, tuple[str, ...]] = {}


class Missed(msgspec.Struct, frozen=True, omit_defaults=True):
    """What becomes of an event that came while no monitor was connected.

    ``shown_by``: what shows at the next connect that it has come, so that reactor makes up
    for it; ``waits_only``: no policy starts by that, only waits of open runs are decided.
    ``kept``, ``ask`` and ``note``: what QEMU still shows of it.
    """

    shown_by: str = ""
    waits_only: bool = False
    kept: str = ""
    ask: tuple[Query, ...] = ()
    note: str = ""


class States(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the guard says in each state of a guest, and during a dump and a migration."""

    allowed: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()
    nothing_to_do: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """All of it; ``kind`` says which of the rest can be there.

    ``versions``: the known versions of QEMU that have it. ``allow``: when ``qmp.allow``
    must name it. ``counts_as``: which of ``settings.limits`` it counts for. ``better``: a
    verb of a guest that does the same with more care. ``refused``: when QEMU itself
    refuses it, as far as that was measured.
    """

    name: str
    kind: str
    meaning: str
    since: str = ""
    deprecated: str = ""
    removed: str = ""
    replaced_by: str = ""
    unstable: bool = False
    versions: tuple[str, ...] = ()
    topic: str = ""
    severity: str = ""
    requires: str = ""
    rate_limit: RateLimit | None = None
    missed: Missed | None = None
    followed_by: str = ""
    effect: str = ""
    allow: str = ""
    idempotent: bool | None = None
    silent: bool = False
    overtakes: bool = False
    counts_as: str = ""
    sends: tuple[str, ...] = ()
    better: str = ""
    states: States | None = None
    refused: str = ""
    events: str = ""
    members: tuple[Line, ...] = ()
    more: bool = False
    reply: tuple[Line, ...] = ()
    returns: str = ""
    changes: tuple[Change, ...] = ()
    note: str = ""
    example: str = ""
