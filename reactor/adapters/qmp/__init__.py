"""QMP: monitors of QEMU and of its storage daemon, over unix sockets and TCP."""

from reactor.adapters.qmp.address import parse_address
from reactor.adapters.qmp.pool import Monitors
from reactor.adapters.qmp.shared import Counters, Limits, Listener

__all__ = ["Counters", "Limits", "Listener", "Monitors", "parse_address"]
