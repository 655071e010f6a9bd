"""The QEMU guest agent: commands to the system inside a guest, over QEMU's unix socket."""

from reactor.adapters.agent.address import parse_socket
from reactor.adapters.agent.limits import Counters, Limits
from reactor.adapters.agent.pool import Agents

__all__ = ["Agents", "Counters", "Limits", "parse_socket"]
