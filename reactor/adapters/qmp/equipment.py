"""Asking a QEMU what it has and which build it is, off the hot path."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from reactor.core.equipment import Aspect, Equipment
from reactor.errors import GuestError, ReactorError

ANSWER_S = 10.0
"""Seconds that QEMU has for each of these answers."""

SCHEMA_S = 30.0
"""Seconds that QEMU has for its schema: 200 KB, for which it needs 0.1 s by itself."""

DEVICES_MAX = 10_000
"""Devices, ports and nodes of one guest that are looked at."""

_PERIPHERAL = "/machine/peripheral"
_ANONYMOUS = "/machine/peripheral-anon"
_UNATTACHED = "/machine/unattached"

_PANIC = frozenset({"pvpanic", "pvpanic-pci"})
# The chip of a q35 machine counts too: it has a watchdog of its own (TCO).
_WATCHDOG = frozenset({"i6300esb", "ib700", "ICH9-LPC"})
_PORTS = frozenset({"virtserialport", "virtconsole"})
_RESIZABLE = frozenset({"virtio-mem"})

# Other machines tell of a panic or a hang in ways of their own (s390x and pseries without
# any device), and of memory that stays for other reasons.
_LOOKED_INTO = frozenset({"x86_64", "i386"})


class Sends(Protocol):
    """Who sends commands; see ``Monitors.send``."""

    def __call__(
        self, guest: str, command: str, arguments: Mapping[str, object], *, timeout: float
    ) -> asyncio.Future[object]:
        """The future of what ``return`` held."""
        ...


@dataclass(frozen=True, slots=True)
class Build:
    """One program of QEMU, as far as it can be told from others; they share a schema.

    ``package`` is the distributor's word, ``binary`` the size and time of the program's file
    where it may be looked at: whoever builds QEMU by himself often leaves the version as it is.
    """

    kind: str
    version: str
    package: str
    arch: str
    binary: str = ""


class Unanswered(Exception):  # noqa: N818 - the caller looks again later
    """The monitor went away, or QEMU did not answer in time: nothing is known."""


async def ask_build(send: Sends, guest: str, kind: str, epoch: str) -> Build:
    """Which build a guest's QEMU is.

    Args:
        kind: of `Facts`.
        epoch: of the connection: it names the process, where that is known.

    Raises:
        Unanswered: it did not say.
    """
    version, target = await _ask(send, guest, [("query-version", {}), ("query-target", {})])
    numbers = _map(_map(version).get("qemu"))
    told = ".".join(str(numbers.get(part, "?")) for part in ("major", "minor", "micro"))
    package, arch = _map(version).get("package"), _map(target).get("arch")
    return Build(kind, told, str(package or ""), str(arch or ""), _binary(epoch))


async def ask_schema(send: Sends, guest: str) -> object:
    """What ``query-qmp-schema`` returned; None where this QEMU does not tell.

    Raises:
        Unanswered: the monitor went away, or there was no answer in time.
    """
    (reply,) = await _ask(send, guest, [("query-qmp-schema", {})], SCHEMA_S)
    return reply


async def ask_equipment(send: Sends, guest: str, aspects: Iterable[Aspect], arch: str) -> Equipment:
    """What the guest has of these aspects.

    Args:
        arch: as `Build` says it: on some machines there are things that are not looked into.

    Raises:
        Unanswered: it did not say.
    """
    found = Equipment()
    for aspect in sorted(aspects):
        found = await _LOOKS[aspect](send, guest, arch, found)
    return found


async def _devices(send: Sends, guest: str, arch: str, found: Equipment) -> Equipment:
    paths = (_PERIPHERAL, _ANONYMOUS, _UNATTACHED)
    listed = await _ask(send, guest, [("qom-list", {"path": path}) for path in paths])
    if any(one is None for one in listed[:2]):
        return replace(found, ports=frozenset())  # a storage daemon has no machine
    named, *others = [list(_children(one)) for one in listed]
    ports = frozenset(name for name, kind in named if kind in _PORTS)
    found = replace(found, ports=ports)
    if arch not in _LOOKED_INTO:
        return found
    kinds = {kind for children in (named, *others) for _, kind in children}
    watchdog = bool(kinds & _WATCHDOG)
    panic = bool(kinds & _PANIC) or await _tells_hyperv(send, guest)
    return replace(found, panic=panic, watchdog=watchdog)


async def _tells_hyperv(send: Sends, guest: str) -> bool:
    """Whether a Windows guest reports its crash by a register of its CPU."""
    (cpus,) = await _ask(send, guest, [("query-cpus-fast", {})])
    first = _map(cpus[0]) if isinstance(cpus, list) and cpus else {}
    path = first.get("qom-path")
    if not isinstance(path, str):
        return False
    (told,) = await _ask(send, guest, [("qom-get", {"path": path, "property": "hv-crash"})])
    return told is True


async def _capabilities(send: Sends, guest: str, _arch: str, found: Equipment) -> Equipment:
    (listed,) = await _ask(send, guest, [("query-migrate-capabilities", {})])
    for one in map(_map, _list(listed)):
        if one.get("capability") == "events":
            return replace(found, migration_events=one.get("state") is True)
    return found


async def _nodes(send: Sends, guest: str, _arch: str, found: Equipment) -> Equipment:
    (listed,) = await _ask(send, guest, [("query-named-block-nodes", {"flat": True})])
    if listed is None:
        return found
    nodes = [_map(one) for one in _list(listed)]
    thresholds = any(node.get("write_threshold") for node in nodes)
    quorum = any(node.get("drv") == "quorum" for node in nodes)
    return replace(found, quorum=quorum, thresholds=thresholds)


async def _memory(send: Sends, guest: str, arch: str, found: Equipment) -> Equipment:
    (listed,) = await _ask(send, guest, [("query-memory-devices", {})])
    if listed is None or arch not in _LOOKED_INTO:
        return found
    kinds = [_map(one).get("type") for one in _list(listed)]
    return replace(found, memory=bool(kinds), resizable=not _RESIZABLE.isdisjoint(kinds))


async def _balloon(send: Sends, guest: str, _arch: str, found: Equipment) -> Equipment:
    try:
        await _reply(send, guest, "query-balloon", {}, ANSWER_S)
    except GuestError as error:
        # Any other class says that it is not known: KVM may be too old to tell.
        return replace(found, balloon=False) if error.error_class == "DeviceNotActive" else found
    return replace(found, balloon=True)


async def _display(send: Sends, guest: str, _arch: str, found: Equipment) -> Equipment:
    (told,) = await _ask(send, guest, [("query-vnc", {})])
    enabled = _map(told).get("enabled")
    return replace(found, display=enabled) if isinstance(enabled, bool) else found


_LOOKS: Mapping[Aspect, Callable[[Sends, str, str, Equipment], Awaitable[Equipment]]] = {
    Aspect.DEVICES: _devices,
    Aspect.CAPABILITIES: _capabilities,
    Aspect.NODES: _nodes,
    Aspect.MEMORY: _memory,
    Aspect.BALLOON: _balloon,
    Aspect.DISPLAY: _display,
}


async def _ask(
    send: Sends,
    guest: str,
    questions: Iterable[tuple[str, Mapping[str, object]]],
    timeout_s: float = ANSWER_S,
) -> list[object]:
    """What each returned, None where QEMU said no: it answers that it has no such thing."""
    answers: list[object] = []
    for command, arguments in questions:
        try:
            answers.append(await _reply(send, guest, command, arguments, timeout_s))
        except GuestError:
            answers.append(None)
    return answers


async def _reply(
    send: Sends, guest: str, command: str, arguments: Mapping[str, object], timeout_s: float
) -> object:
    try:
        return await send(guest, command, arguments, timeout=timeout_s)
    except GuestError:
        raise
    except ReactorError as error:
        raise Unanswered(error.problem) from error


def _children(listed: object) -> Iterable[tuple[str, str]]:
    """The name and type of each device in a folder of QEMU's object model."""
    for one in map(_map, _list(listed)):
        kind = str(one.get("type", ""))
        if kind.startswith("child<"):
            yield str(one.get("name", "")), kind.removeprefix("child<").removesuffix(">")


def _map(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value[:DEVICES_MAX] if isinstance(value, list) else []


def _binary(epoch: str) -> str:
    """Size and time of the program that runs as this process, as far as we may look."""
    pid = epoch.partition("-")[0]
    if not pid.isdecimal():
        return ""
    try:
        file = os.stat(f"/proc/{pid}/exe")  # noqa: PTH116 - one look
    except OSError:
        return ""
    return f"{file.st_size}-{file.st_mtime_ns}"
