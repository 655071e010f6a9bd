"""The schemas of the guests' own QEMUs: each build is asked once (docs/adr/0025)."""

import asyncio
import hashlib
from collections.abc import Callable, Collection
from typing import NamedTuple

import msgspec
import structlog

from reactor.adapters.qmp.equipment import Build, Sends, ask_schema
from reactor.qapi.schema import convert_schema
from reactor.qapi.types import Schema

BUILDS_MAX = 64
"""Builds whose schema is kept; about 3 MB each, where no other build has the same."""

log = structlog.get_logger("reactor")


class Told(NamedTuple):
    """A build's schema; None where it tells none. Builds of one ``digest`` share it."""

    digest: str
    schema: Schema | None


NOTHING = Told("", None)


class Schemas:
    """The schemas that were told, by build.

    Args:
        send: sends a command to a guest's monitor.
        in_use: the builds of the guests that are connected now.

    ``asked`` counts the times that a QEMU was asked, ``refused`` those that it was not,
    because too many builds are in use.
    """

    def __init__(self, send: Sends, in_use: Callable[[], Collection[Build]]) -> None:
        self._send = send
        self._in_use = in_use
        self._told: dict[Build, Told] = {}
        # One at a time: the answer costs QEMU 0.1 s in which it does nothing else.
        self._turn = asyncio.Lock()
        self.asked = 0
        self.refused = 0

    async def of(self, guest: str, build: Build) -> Told:
        """The schema of a build, which this guest's QEMU is asked for if nobody was before.

        Raises:
            Unanswered: it did not answer.
        """
        if build in self._told:
            return self._told[build]
        async with self._turn:
            if build in self._told:
                return self._told[build]
            if not self._has_room():
                self.refused += 1
                return NOTHING
            self.asked += 1
            reply = await ask_schema(self._send, guest)
            told = await self._read(guest, build, reply)
            self._told[build] = told
        return told

    def _has_room(self) -> bool:
        if len(self._told) >= BUILDS_MAX:
            used = frozenset(self._in_use())
            self._told = {build: told for build, told in self._told.items() if build in used}
        return len(self._told) < BUILDS_MAX

    async def _read(self, guest: str, build: Build, reply: object) -> Told:
        try:
            read = await asyncio.to_thread(_read, reply, build.version)
        except msgspec.ValidationError as error:
            log.warning("schema cannot be read", guest=guest, qemu=build.version, error=str(error))
            return NOTHING
        log.info("schema told", guest=guest, qemu=build.version, package=build.package)
        same = (told for told in self._told.values() if told.digest == read.digest)
        return next(same, read)


def _read(reply: object, version: str) -> Told:
    """Takes some 20 ms, so that it has a thread.

    Raises:
        msgspec.ValidationError: it is no schema.
    """
    digest = hashlib.sha256(msgspec.json.encode(reply)).hexdigest()
    return Told(digest, convert_schema(reply, version))
