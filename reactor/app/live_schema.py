"""The schema of a QEMU that runs, asked of its monitor.

Apart from ``schemas``: what speaks to monitors takes as long to import as hundreds of
policies to check, and most checks ask nobody.
"""

import asyncio
from pathlib import Path

import msgspec

from reactor.adapters.qmp.pool import Monitors
from reactor.core.inputs import Facts
from reactor.errors import MonitorError, ReactorError
from reactor.policyfile.targets import Target
from reactor.qapi.schema import convert_schema

_ANSWER_S = 10.0
_QUERY = "query-qmp-schema"


def live_target(path: Path) -> Target:
    """As ``ask_target``, of the monitor with this socket; for a program without a loop."""
    return asyncio.run(ask_target(str(path)))


class _Caller:
    """Hears whether the monitor can be used."""

    def __init__(self) -> None:
        self.ready: asyncio.Future[Facts | ReactorError] = (
            asyncio.get_running_loop().create_future()
        )

    def on_connected(self, guest: str, epoch: str, facts: Facts) -> None:
        """Take what was found."""
        del guest, epoch
        self._settle(facts)

    def on_disconnected(self, guest: str, reason: str) -> None:
        """Who waits for the reply is told by that."""

    def on_event(
        self,
        guest: str,
        name: str,
        data: dict[str, object],
        qemu_time: float,
        foretold: bool = False,
    ) -> None:
        """Events are not looked at."""

    def on_trouble(self, guest: str, error: ReactorError) -> None:
        """Take the reason."""
        del guest
        self._settle(error)

    def _settle(self, found: Facts | ReactorError) -> None:
        if not self.ready.done():
            self.ready.set_result(found)


async def ask_target(address: str) -> Target:
    """What the QEMU at this address says of itself.

    Raises:
        MonitorError: it cannot be used, or what it says is no schema.
        LostReply: it went away.
        GuestError: it said no.
    """
    caller = _Caller()
    async with Monitors(caller) as monitors:
        monitors.add(address, address)
        found = await caller.ready
        if isinstance(found, ReactorError):
            raise found
        reply = await monitors.execute(address, _QUERY, {}, timeout=_ANSWER_S)
    try:
        schema = convert_schema(reply, found.qemu_version)
    except msgspec.ValidationError as error:
        problem = f"its answer to {_QUERY} is no schema: {error}"
        raise MonitorError(f"monitor {address}", problem, "name the QMP socket of a QEMU") from None
    return Target(f"QEMU {found.qemu_version} at {address}", schema)
