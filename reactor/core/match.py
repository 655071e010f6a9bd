"""A match: what fits a trigger of a policy, on its way through the order of admission."""

import msgspec

from reactor.core.event import Event
from reactor.core.run import Origin


class Match(msgspec.Struct, frozen=True, omit_defaults=True):
    """One match of ``policy``; ``path`` is its trigger's place in the policy.

    ``key`` is the guest, or the guest and the value of ``by``; ``who`` is the operator
    who wanted it, empty for an event's. It survives a restart
    while it is held back. ``epoch`` is the life of QEMU that it is about, empty where it
    came about without one.
    """

    policy: str
    key: str
    origin: Origin
    path: str = "trigger"
    who: str = ""
    epoch: str = ""

    @property
    def event(self) -> Event:
        """What made it."""
        return self.origin.event

    @property
    def guest(self) -> str:
        """The guest that a run would be about."""
        return self.origin.event.guest


class Debounced(msgspec.Struct, frozen=True, omit_defaults=True):
    """The last match of a key that waits for quiet: ``count`` came since ``first``."""

    match: Match
    first: float
    due: float
    count: int = 1
