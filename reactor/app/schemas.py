"""The QEMUs that policies are checked for: shipped schemas, and one that runs."""

import asyncio
from pathlib import Path

import msgspec

from reactor.adapters.qmp.pool import Monitors
from reactor.core.inputs import Facts
from reactor.core.text import closest
from reactor.errors import MonitorError, ReactorError, SettingsError
from reactor.policyfile.targets import Target, shipped_target, shipped_targets
from reactor.qapi.schema import convert_schema
from reactor.qapi.shipped import versions

_ANSWER_S = 10.0
_QUERY = "query-qmp-schema"


def targets_of(named: str | None, live: Path | None) -> tuple[Target, ...]:
    """The targets that were asked for; all that are shipped where none was.

    Args:
        named: versions with commas between them, such as ``7.2,11.1``.
        live: the QMP socket of a QEMU that is asked.

    Raises:
        SettingsError: a version is not shipped.
        MonitorError: nobody answers at the socket.
    """
    found = [] if named is None else [_shipped(one.strip()) for one in named.split(",")]
    if live is not None:
        found.append(asyncio.run(ask_target(str(live))))
    return tuple(found) or shipped_targets()


def _shipped(version: str) -> Target:
    if version not in versions():
        guess = closest(version, versions())
        fix = f"did you mean {guess}?" if guess else f"write some of: {', '.join(versions())}"
        problem = f"no schema of QEMU {version or 'without a version'} comes with reactor"
        raise SettingsError("--target", problem, f"{fix}; or ask a QEMU that runs, with --live")
    return shipped_target(version)


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
