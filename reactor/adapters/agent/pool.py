"""The agents of all guests, by the guest's name."""

import asyncio
from collections.abc import Mapping
from random import Random

from reactor.adapters.agent.guest import GuestAgent
from reactor.adapters.agent.limits import Counters, Limits, Shared
from reactor.adapters.agent.troubles import unsent


class Agents:
    """Every guest agent that can be reached; use it inside a running loop.

    Args:
        rng: for the numbers of the syncs.
    """

    def __init__(self, *, limits: Limits | None = None, rng: Random | None = None) -> None:
        self._shared = Shared(limits or Limits(), rng or Random())  # noqa: S311 - no secret
        self._guests: dict[str, GuestAgent] = {}
        self._stopping: set[asyncio.Task[None]] = set()

    @property
    def counters(self) -> Counters:
        """What was seen since the start, over all guests."""
        return self._shared.counters

    def add(self, guest: str, path: str) -> None:
        """Reach a guest's agent at this socket from now on; nothing is connected yet."""
        self.remove(guest)
        self._guests[guest] = GuestAgent(guest, path, self._shared)

    def remove(self, guest: str) -> None:
        """Forget it: what waits is not sent, the outcome of the present command is unknown."""
        agent = self._guests.pop(guest, None)
        task = agent.stop("the guest is not watched any more") if agent else None
        if task is not None:
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)

    def send(
        self,
        guest: str,
        command: str,
        arguments: Mapping[str, object],
        *,
        timeout: float,
        replies: bool = True,
    ) -> asyncio.Future[object]:
        """The future of what the agent's ``return`` holds; one command of a guest at a time.

        It gets ``GuestError`` (the agent said no), ``LostReply`` (sent, and no answer
        within ``timeout`` seconds, the wait for its turn included) or ``MonitorError``
        (certainly not sent: nobody listens, or nobody in the guest answers the sync).

        Args:
            replies: False for a command that is answered by what it does: once it is
                sent and not refused within a second, the result is an empty object.

        Raises:
            MonitorError: the command certainly is not sent.
        """
        agent = self._guests.get(guest)
        if agent is None:
            self._shared.counters.unsent += 1
            why = "the settings name no agent of this guest"
            raise unsent(guest, command, why, "name its socket in `guests.agent`")
        return agent.send(command, arguments, timeout, replies=replies)

    async def close(self) -> None:
        """Let go of every connection."""
        for guest in list(self._guests):
            self.remove(guest)
        await asyncio.gather(*self._stopping, return_exceptions=True)
