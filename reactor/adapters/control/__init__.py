"""The daemon's control socket: one line asks, one line answers; who asks is known to the kernel."""

from reactor.adapters.control.client import ask
from reactor.adapters.control.messages import VERSION, Answer, Code
from reactor.adapters.control.peer import Peer
from reactor.adapters.control.place import InUseError
from reactor.adapters.control.server import ControlServer

__all__ = ["VERSION", "Answer", "Code", "ControlServer", "InUseError", "Peer", "ask"]
