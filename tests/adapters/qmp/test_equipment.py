"""What a guest's equipment is, by its answers; a real QEMU gives them in tests/lab."""

import asyncio
import os
from collections.abc import Mapping

import pytest

from reactor.adapters.qmp import equipment
from reactor.adapters.qmp.equipment import (
    Build,
    Unanswered,
    ask_build,
    ask_equipment,
    ask_schema,
)
from reactor.core.equipment import Aspect, Equipment
from reactor.errors import GuestError, LostReply, MonitorError

pytestmark = pytest.mark.asyncio

NO = GuestError("g", "c", "CommandNotFound", "no such thing")
NOT_ACTIVE = GuestError("g", "c", "DeviceNotActive", "No balloon device has been activated")
Answers = Mapping[str, object]

EMPTY = [{"name": "type", "type": "string"}]


def children(*kinds: str) -> list[dict[str, str]]:
    """A folder with these devices, as ``qom-list`` tells it."""
    return EMPTY + [
        {"name": name or "device[0]", "type": f"child<{kind}>"}
        for kind, _, name in (one.partition("=") for one in kinds)
    ]


class Qemu:
    """Answers by the command, or by the command and its path."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(
        self, guest: str, command: str, arguments: Mapping[str, object], *, timeout: float
    ) -> asyncio.Future[object]:
        """The future of the answer; an error that is there is raised by it."""
        assert guest == "web-1"
        assert timeout > 0
        name = " ".join([command, *map(str, arguments.values())])
        self.asked.append(name)
        reply = asyncio.get_running_loop().create_future()
        answer = self.answers.get(name, self.answers.get(command, NO))
        if isinstance(answer, Exception):
            reply.set_exception(answer)
        else:
            reply.set_result(answer)
        return reply


VERSION = {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": "Debian 1:7.2"}
BARE = {
    "qom-list": EMPTY,
    "query-cpus-fast": [{"qom-path": "/cpu"}],
    "qom-get": False,
}
ANON, UNATTACHED = "qom-list /machine/peripheral-anon", "qom-list /machine/unattached"

DEVICES = [
    pytest.param(BARE, "x86_64", (False, False), id="nothing"),
    pytest.param(BARE | {ANON: children("pvpanic")}, "x86_64", (True, False), id="pvpanic"),
    pytest.param(
        BARE | {"qom-list /machine/peripheral": children("pvpanic-pci=p")},
        "i386",
        (True, False),
        id="pvpanic-pci with an id",
    ),
    pytest.param(BARE | {"qom-get /cpu hv-crash": True}, "x86_64", (True, False), id="hv-crash"),
    pytest.param(BARE | {"qom-get": NO}, "x86_64", (False, False), id="no such property"),
    pytest.param(BARE | {"query-cpus-fast": []}, "x86_64", (False, False), id="no CPU"),
    pytest.param(BARE | {"query-cpus-fast": 5}, "x86_64", (False, False), id="no list of CPUs"),
    pytest.param(BARE | {ANON: children("i6300esb")}, "x86_64", (False, True), id="watchdog"),
    pytest.param(BARE | {UNATTACHED: children("ICH9-LPC")}, "x86_64", (False, True), id="q35"),
    pytest.param(BARE | {UNATTACHED: NO}, "x86_64", (False, False), id="nothing on board"),
    pytest.param(BARE, "s390x", Equipment(ports=frozenset()), id="another machine"),
    pytest.param({}, "", Equipment(ports=frozenset()), id="a storage daemon"),
    pytest.param(
        BARE | {"qom-list /machine/peripheral": children("virtserialport=agent", "virtio-rng=r")},
        "x86_64",
        Equipment(panic=False, watchdog=False, ports=frozenset({"agent"})),
        id="a port",
    ),
    pytest.param(BARE | {"qom-list": [5, {"type": 7}]}, "x86_64", (False, False), id="nonsense"),
]


@pytest.mark.parametrize(("answers", "arch", "found"), DEVICES)
async def test_devices(answers: Answers, arch: str, found: Equipment | tuple[bool, bool]) -> None:
    """Of a machine that was not looked into only the ports are certain."""
    expected = found if isinstance(found, Equipment) else Equipment(*found, frozenset())
    assert await ask_equipment(Qemu(answers), "web-1", [Aspect.DEVICES], arch) == expected


OTHERS = [
    pytest.param(
        Aspect.CAPABILITIES,
        {"query-migrate-capabilities": [{"capability": "xbzrle"}, {"capability": "events"}]},
        Equipment(migration_events=False),
        id="migration events are off",
    ),
    pytest.param(
        Aspect.CAPABILITIES,
        {"query-migrate-capabilities": [{"capability": "events", "state": True}]},
        Equipment(migration_events=True),
        id="migration events are on",
    ),
    pytest.param(Aspect.CAPABILITIES, {}, Equipment(), id="no migration"),
    pytest.param(
        Aspect.NODES,
        {"query-named-block-nodes": []},
        Equipment(quorum=False, thresholds=False),
        id="no disk",
    ),
    pytest.param(
        Aspect.NODES,
        {"query-named-block-nodes": [{"drv": "raw", "write_threshold": 7}, {"drv": "quorum"}]},
        Equipment(quorum=True, thresholds=True),
        id="a quorum and a thin disk",
    ),
    pytest.param(
        Aspect.NODES,
        {"query-named-block-nodes": [{"drv": "raw", "write_threshold": 0}]},
        Equipment(quorum=False, thresholds=False),
        id="a threshold of 0 is none",
    ),
    pytest.param(Aspect.NODES, {}, Equipment(), id="no nodes"),
    pytest.param(
        Aspect.MEMORY,
        {"query-memory-devices": []},
        Equipment(memory=False, resizable=False),
        id="no memory device",
    ),
    pytest.param(
        Aspect.MEMORY,
        {"query-memory-devices": [{"type": "dimm", "data": {}}]},
        Equipment(memory=True, resizable=False),
        id="a dimm",
    ),
    pytest.param(
        Aspect.MEMORY,
        {"query-memory-devices": [{"type": "virtio-mem"}]},
        Equipment(memory=True, resizable=True),
        id="virtio-mem",
    ),
    pytest.param(Aspect.MEMORY, {}, Equipment(), id="memory that is not told"),
    pytest.param(
        Aspect.BALLOON, {"query-balloon": {"actual": 5}}, Equipment(balloon=True), id="balloon"
    ),
    pytest.param(
        Aspect.BALLOON, {"query-balloon": NOT_ACTIVE}, Equipment(balloon=False), id="no balloon"
    ),
    pytest.param(Aspect.BALLOON, {}, Equipment(), id="a balloon that is not told"),
    pytest.param(
        Aspect.DISPLAY, {"query-vnc": {"enabled": False}}, Equipment(display=False), id="no VNC"
    ),
    pytest.param(
        Aspect.DISPLAY, {"query-vnc": {"enabled": True}}, Equipment(display=True), id="VNC"
    ),
    pytest.param(Aspect.DISPLAY, {}, Equipment(), id="no VNC in this build"),
]


@pytest.mark.parametrize(("aspect", "answers", "found"), OTHERS)
async def test_other_equipment(aspect: Aspect, answers: Answers, found: Equipment) -> None:
    """A refusal is no answer, but for the balloon, whose refusal says it."""
    assert await ask_equipment(Qemu(answers), "web-1", [aspect], "x86_64") == found


async def test_memory_of_another_machine() -> None:
    """There the same event may tell of another device."""
    answers: Answers = {"query-memory-devices": []}
    assert await ask_equipment(Qemu(answers), "web-1", [Aspect.MEMORY], "ppc64") == Equipment()


async def test_only_what_is_needed_is_asked() -> None:
    """Each aspect costs its own queries, none costs nothing."""
    qemu = Qemu({})
    assert await ask_equipment(qemu, "web-1", [], "x86_64") == Equipment()
    assert qemu.asked == []
    await ask_equipment(qemu, "web-1", {Aspect.NODES, Aspect.BALLOON}, "x86_64")
    assert qemu.asked == ["query-balloon", "query-named-block-nodes True"]


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(LostReply("m", "no reply", "wait"), id="it died"),
        pytest.param(MonitorError("m", "not connected", "wait"), id="it is away"),
    ],
)
async def test_a_qemu_that_does_not_answer(error: Exception) -> None:
    """Nothing is known of it, which is not the same as that it has nothing."""
    qemu = Qemu({"query-balloon": error, "query-version": error, "query-qmp-schema": error})
    with pytest.raises(Unanswered):
        await ask_equipment(qemu, "web-1", [Aspect.BALLOON], "x86_64")
    with pytest.raises(Unanswered):
        await ask_build(qemu, "web-1", "vm", "")
    with pytest.raises(Unanswered):
        await ask_schema(qemu, "web-1")


async def test_the_schema_of_a_qemu() -> None:
    """What it returned; None where it tells none."""
    assert await ask_schema(Qemu({"query-qmp-schema": [1]}), "web-1") == [1]
    assert await ask_schema(Qemu({}), "web-1") is None


@pytest.mark.parametrize(
    ("answers", "build"),
    [
        pytest.param(
            {"query-version": VERSION, "query-target": {"arch": "x86_64"}},
            Build("vm", "7.2.22", "Debian 1:7.2", "x86_64"),
            id="all is told",
        ),
        pytest.param({"query-version": VERSION}, Build("vm", "7.2.22", "Debian 1:7.2", ""), id="-"),
        pytest.param({}, Build("vm", "?.?.?", "", ""), id="nothing is told"),
    ],
)
async def test_which_build_it_is(answers: Answers, build: Build) -> None:
    """As QEMU says."""
    assert await ask_build(Qemu(answers), "web-1", "vm", "uuid/17") == build


async def test_builds_of_one_version_are_told_apart_by_their_program() -> None:
    """Size and time of its file, where we may look; whoever builds QEMU leaves its version."""
    qemu = Qemu({"query-version": VERSION})
    mine = await ask_build(qemu, "web-1", "vm", f"{os.getpid()}-1")
    file = os.stat(f"/proc/{os.getpid()}/exe")  # noqa: PTH116
    assert mine.binary == f"{file.st_size}-{file.st_mtime_ns}"
    # No process has the number 0.
    assert (await ask_build(qemu, "web-1", "vm", "0-1")).binary == ""


async def test_a_list_without_an_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at is bounded."""
    monkeypatch.setattr(equipment, "DEVICES_MAX", 2)
    nodes = [{"drv": "raw"}, {"drv": "raw"}, {"drv": "quorum"}]
    qemu = Qemu({"query-named-block-nodes": nodes})
    found = await ask_equipment(qemu, "web-1", [Aspect.NODES], "x86_64")
    assert found.quorum is False
