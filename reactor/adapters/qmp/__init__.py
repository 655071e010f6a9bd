"""QMP: monitors of QEMU and of its storage daemon, over unix sockets and TCP."""

from reactor.adapters.qmp.address import parse_address
from reactor.adapters.qmp.discovery import Discovery, Finder
from reactor.adapters.qmp.pool import Monitors
from reactor.adapters.qmp.shared import Counters, Limits, Listener
from reactor.adapters.qmp.survey import Found

__all__ = [
    "Counters",
    "Discovery",
    "Finder",
    "Found",
    "Limits",
    "Listener",
    "Monitors",
    "parse_address",
]
