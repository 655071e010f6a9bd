"""An event: something that happened to a guest, past and immutable."""

from collections.abc import Mapping

import msgspec


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One QMP event, or one of the engine's own (``REACTOR_*``).

    ``time`` is QEMU's own stamp and ``received`` the arrival, both seconds
    since the epoch. QEMU's stamps are not monotonic on the wire: a delayed
    event of its rate limiter carries the time of its occurrence.
    ``data`` is QEMU's, hyphens and all; what the guest chose in it is never
    trusted. ``foretold``: it came about before the facts were asked that the monitor told at
    its connect, and arrived behind them.
    """

    name: str
    guest: str
    data: Mapping[str, object] = {}
    time: float = 0.0
    received: float = 0.0
    synthetic: bool = False
    own: bool = False
    foretold: bool = False
