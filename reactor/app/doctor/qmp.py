"""Whether reactor can reach the monitors of its guests."""

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence

from reactor.adapters.qmp import Found
from reactor.adapters.qmp.knock import knock
from reactor.adapters.qmp.pattern import parse_pattern
from reactor.adapters.qmp.survey import survey
from reactor.app.control.answers import GuestLine
from reactor.app.doctor.findings import Finding, State, problem
from reactor.app.settings import Settings
from reactor.errors import ReactorError

GUESTS_MAX = 10_000

AT_ONCE = 64
"""Monitors that are tried side by side."""


async def examine_qmp(settings: Settings, known: Sequence[GuestLine] | None) -> list[Finding]:
    """Every pattern, and every monitor that the daemon is not connected to.

    Args:
        known: the guests as the daemon sees them; None where no daemon runs.
    """
    if not settings.guests and not settings.discoveries:
        fix = "write guests into the settings: discover: /run/qemu/*.sock"
        return [Finding("guests", State.PROBLEM, "the settings name no guest", fix)]
    patterns = [parse_pattern(found.discover) for found in settings.discoveries]
    seen = await asyncio.to_thread(survey, patterns, {}, GUESTS_MAX)
    own = await asyncio.to_thread(os.path.realpath, settings.control_socket)
    found = [_pattern(one.text, seen.found.values(), own) for one in patterns]
    found += [problem("discovery", error) for error in seen.problems.values()]
    addresses = {guest.name: guest.qmp for guest in settings.guests}
    addresses |= {name: f"unix:{one.path}" for name, one in seen.found.items() if one.real != own}
    lines = {line.guest: line for line in known or ()}
    turn = asyncio.Semaphore(AT_ONCE)

    async def look(name: str, address: str) -> Finding:
        async with turn:
            return await _guest(name, address, lines)

    names = sorted(addresses)
    return found + list(await asyncio.gather(*(look(name, addresses[name]) for name in names)))


def _pattern(text: str, found: Iterable[Found], own: str) -> Finding:
    """How many sockets match; reactor's own is none of a guest, as for the daemon."""
    reals = [one.real for one in found if one.pattern == text]
    count = len(reals) - reals.count(own)
    if count:
        more = ", and reactor's own control socket" if own in reals else ""
        return Finding("discovery", State.OK, f"{text}: {count} sockets{more}")
    fix = "start a guest with -qmp unix:PATH,server=on,wait=off there, or correct the pattern"
    return Finding("discovery", State.WARNING, f"{text}: no socket matches", fix)


async def _guest(name: str, address: str, lines: Mapping[str, GuestLine]) -> Finding:
    line = lines.get(name)
    if line is not None and line.connected:
        text = f"{address}: reactor is connected, QEMU {line.qemu} is {line.status}"
        return Finding(f"guest {name}", State.OK, text)
    try:
        version = await knock(name, address)
    except ReactorError as error:
        return problem(f"guest {name}", error)
    text = f"{address}: QEMU {version} answers"
    if line is None:
        return Finding(f"guest {name}", State.OK, text)
    why = line.trouble or "its monitor was away until now"
    fix = "look again: reactor tries a monitor that is away again by itself"
    return Finding(f"guest {name}", State.WARNING, f"{text}, but reactor says: {why}", fix)
