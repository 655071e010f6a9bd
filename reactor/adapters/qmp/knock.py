"""One look at a monitor without taking it: does QEMU greet, or what is in the way?"""

import asyncio

from reactor.adapters.qmp import troubles
from reactor.adapters.qmp.address import parse_address
from reactor.adapters.qmp.connect import connect
from reactor.adapters.qmp.messages import decode
from reactor.core.foreign import UNREADABLE

GREETING_S = 3.0
"""Seconds that a connect and a greeting may take, each."""

LINE_MAX = 65_536


async def knock(guest: str, address: str) -> str:
    """The version of the QEMU that greets; then it is left alone again.

    Raises:
        SettingsError: the address is none.
        MonitorError: it does not greet, and why.
    """
    where = parse_address(address)
    place = troubles.place_of(guest, where)
    try:
        async with asyncio.timeout(GREETING_S):
            connection = await connect(where)
    except TimeoutError:
        raise troubles.not_connected_in_time(place, GREETING_S) from None
    except OSError as error:
        raise troubles.cannot_connect(place, where, error) from None
    reader, writer = await asyncio.open_connection(sock=connection, limit=LINE_MAX)
    try:
        line = await _first_line(reader, place)
    finally:
        writer.close()
    try:
        greeting = decode(line).greeting
    except UNREADABLE:
        raise troubles.not_qmp(place, line) from None
    if greeting is None:
        raise troubles.not_qmp(place, line)
    return str(greeting.version.qemu)


async def _first_line(reader: asyncio.StreamReader, place: str) -> bytes:
    try:
        async with asyncio.timeout(GREETING_S):
            line = await reader.readline()
    except TimeoutError:
        raise troubles.held(place, GREETING_S) from None
    except ValueError:
        raise troubles.too_long(place, LINE_MAX) from None
    except OSError as error:
        raise troubles.ended_early(place, troubles.why_lost(error), "its greeting") from None
    if not line:
        raise troubles.ended_early(place, troubles.why_lost(None), "its greeting")
    return line
