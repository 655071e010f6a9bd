"""From the greeting to the facts, and the events that come in between."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from reactor.adapters.qmp import Limits, monitor
from reactor.adapters.qmp.address import Address
from reactor.adapters.qmp.connect import connect
from reactor.adapters.qmp.facts import file_of, peer_of
from reactor.core.inputs import Facts
from tests.adapters.qmp.scene import Connected, Disconnected, Happened, Scene, eventually
from tests.fakes.qmp_server import (
    CUT,
    SILENT,
    STORAGE_DAEMON,
    VM,
    Answer,
    FakeMonitor,
    Refuse,
    event_line,
)

pytestmark = pytest.mark.asyncio

RUNNING = Facts(
    kind="vm",
    status="running",
    uuid="11111111-2222-3333-4444-555555555555",
    qemu_version="7.2.22",
    memory_bytes=(1 << 30) + (1 << 20),
    migrating=False,
    dump="none",
)
NO = Refuse("no")


def start_of_this_process() -> str:
    """In clock ticks since the host's start: the 22nd field, the second is in brackets."""
    return Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]


@pytest.mark.parametrize(
    ("answers", "facts"),
    [
        pytest.param(VM, RUNNING, id="a guest that runs"),
        pytest.param(
            STORAGE_DAEMON,
            Facts(kind="storage-daemon", status="none", qemu_version="7.2.22"),
            id="a storage daemon knows none of the questions",
        ),
        pytest.param(
            {**VM, "query-uuid": {"UUID": "00000000-0000-0000-0000-000000000000"}},
            replace(RUNNING, uuid=""),
            id="no UUID was given to QEMU",
        ),
        pytest.param(
            {**VM, "query-uuid": NO, "query-dump": NO, "query-memory-size-summary": NO},
            replace(RUNNING, uuid="", dump="", memory_bytes=0),
            id="a refused question leaves its fact unknown",
        ),
        pytest.param(
            {**VM, "query-status": {"status": "save-vm"}, "query-dump": {"status": "active"}},
            replace(RUNNING, status="save-vm", dump="active"),
            id="a dump is under way",
        ),
        pytest.param(
            {**VM, "query-memory-size-summary": {"base-memory": 4096}},
            replace(RUNNING, memory_bytes=4096),
            id="a machine that takes no memory later",
        ),
    ],
)
async def test_facts(scene: Scene, answers: Mapping[str, Answer], facts: Facts) -> None:
    """The answers to the first questions are the facts of the guest."""
    await scene.fake(answers=answers)
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(lambda: scene.recorder.entries)
    assert scene.recorder.connected().facts == facts


@pytest.mark.parametrize(
    ("status", "migrating"),
    [
        *[(word, False) for word in ("none", "completed", "failed", "cancelled")],
        *[(word, True) for word in ("setup", "active", "postcopy-paused", "cancelling", "newer")],
    ],
)
async def test_migrating(scene: Scene, status: str, migrating: bool) -> None:
    """Every state but the four in which none runs is a migration, unknown ones too."""
    await scene.fake(answers={**VM, "query-migrate": {"status": status}})
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(lambda: scene.recorder.entries)
    assert scene.recorder.connected().facts == replace(
        RUNNING, migrating=migrating, migration=status
    )


async def test_the_epoch_of_a_unix_socket_is_the_process_behind_it(scene: Scene) -> None:
    """Its process id and start time: here this very process."""
    await scene.connected()
    assert scene.recorder.connected().epoch == f"{os.getpid()}-{start_of_this_process()}"


async def test_a_process_that_cannot_be_seen_is_no_epoch(folder: Path) -> None:
    """In another pid namespace its id is 0; and who has called `listen` may have ended."""
    path = str(folder / "q.sock")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        assert peer_of(client) == ""
        listener.bind(path)
        listen = f"import socket; socket.socket(fileno={listener.fileno()}).listen()"
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", listen, pass_fds=[listener.fileno()]
        )
        assert await child.wait() == 0
        client.connect(path)
        assert peer_of(client) == ""


@asynccontextmanager
async def a_life(path: Path) -> AsyncIterator[None]:
    """A QEMU whose process cannot be seen: each makes its socket anew, and has the same threads."""
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - in a coroutine, as QEMU does
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.settimeout(0)
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            f"import socket; socket.socket(fileno={listener.fileno()}).listen()",
            pass_fds=[listener.fileno()],
        )
        assert await child.wait() == 0
        fake = FakeMonitor(VM)
        serving = asyncio.create_task(fake.accept(listener))
        yield
        serving.cancel()
        await asyncio.wait([serving])
        await fake.close()


async def test_the_epoch_where_the_process_cannot_be_seen(scene: Scene) -> None:
    """A QEMU in a container has the same threads in each life; its socket is made anew."""
    for _ in range(2):
        async with a_life(scene.path("web-1")):
            for _ in range(2):
                scene.monitors.add("web-1", str(scene.path("web-1")))
                await eventually(scene.monitors.connected)
                scene.monitors.remove("web-1")
    first, again, second, once_more = (scene.recorder.connected(n).epoch for n in range(4))
    assert first == again != second == once_more
    assert first.startswith("11111111-2222-3333-4444-555555555555/4711/")


async def test_a_socket_that_is_made_anew_meanwhile(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose it is that answers cannot be told: it is connected once more."""
    places: list[str] = []

    async def replaced(address: Address) -> socket.socket:
        """Connect; the first time a newer QEMU takes the place at that moment."""
        connection = await connect(address)
        if not places:
            await lives.enter_async_context(a_life(scene.path("web-1")))
        places.append(file_of(str(scene.path("web-1"))))
        return connection

    monkeypatch.setattr(monitor, "connect", replaced)
    async with AsyncExitStack() as lives:
        await lives.enter_async_context(a_life(scene.path("web-1")))
        scene.monitors.add("web-1", str(scene.path("web-1")))
        await eventually(scene.monitors.connected)
        assert places[0] == places[1]
        assert scene.recorder.connected().epoch.endswith(places[1])
    assert "nobody listens on this socket" in scene.recorder.troubles[0]


@pytest.mark.parametrize(
    ("answers", "epoch"),
    [
        pytest.param(VM, "11111111-2222-3333-4444-555555555555/4711", id="the first vCPU's thread"),
        pytest.param({**VM, "query-uuid": NO}, "no-uuid/4711", id="without a UUID"),
        pytest.param(
            {**VM, "query-cpus-fast": []},
            "11111111-2222-3333-4444-555555555555/no-vcpu",
            id="a machine without a vCPU",
        ),
        pytest.param(STORAGE_DAEMON, "no-uuid/no-vcpu", id="a storage daemon"),
    ],
)
async def test_the_epoch_over_tcp(scene: Scene, answers: Mapping[str, Answer], epoch: str) -> None:
    """What QEMU's answers tell of its process, as far as they do."""
    fake = FakeMonitor(answers)
    scene.fakes.append(fake)
    scene.monitors.add("web-1", await fake.listen_tcp())
    await eventually(lambda: scene.recorder.entries)
    assert scene.recorder.connected().epoch == epoch


async def test_questions_go_out_at_once_after_the_greeting(scene: Scene) -> None:
    """One round trip: no question waits for the answer to another."""
    names: list[str] = []
    fake = await scene.fake(answers={"qmp_capabilities": SILENT})
    fake.on_command = names.append
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(lambda: len(names) >= 6)
    assert names[:6] == [
        "qmp_capabilities",
        "query-status",
        "query-uuid",
        "query-memory-size-summary",
        "query-migrate",
        "query-dump",
    ]


def events_before(fake: FakeMonitor, number: int) -> Mapping[str, Answer]:
    """Answers of a guest that sends events just before the last question is answered."""

    def dump(_arguments: Mapping[str, object]) -> Answer:
        for count in range(number):
            fake.event("RESET", {"count": count}, 1.5)
        return VM["query-dump"]

    return {**VM, "query-dump": dump}


async def test_events_of_the_handshake_come_after_on_connected(scene: Scene) -> None:
    """They are held until the facts are in, and told in order, marked, before later ones."""
    fake = await scene.fake()
    fake.answers.update(events_before(fake, 2))
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(scene.monitors.connected)
    fake.event("STOP", time=2.25)
    await eventually(lambda: len(scene.recorder.entries) == 4)
    assert isinstance(scene.recorder.entries[0], Connected)
    assert scene.recorder.entries[1:] == [
        Happened("web-1", "RESET", {"count": 0}, 1.5, foretold=True),
        Happened("web-1", "RESET", {"count": 1}, 1.5, foretold=True),
        Happened("web-1", "STOP", {}, 2.25),
    ]


async def test_events_held_are_bounded(scene: Scene) -> None:
    """The last are told, so that a panic behind a flood is one of them; others count as dropped."""
    scene.with_limits(Limits(events_held=3))
    fake = await scene.fake()
    fake.answers.update(events_before(fake, 5))
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(lambda: len(scene.recorder.entries) == 4)
    assert [entry.data for entry in scene.recorder.entries if isinstance(entry, Happened)] == [
        {"count": 2},
        {"count": 3},
        {"count": 4},
    ]
    assert (scene.monitors.counters.events, scene.monitors.counters.dropped) == (5, 2)


async def test_a_guest_that_dies_right_after_its_facts_has_told_its_events(scene: Scene) -> None:
    """What it said before its end arrives, between connected and disconnected."""
    fake = await scene.fake()

    def last_words(_arguments: Mapping[str, object]) -> Answer:
        fake.event("GUEST_PANICKED", {"action": "poweroff"})
        fake.raw(b'{"return": {"status": "none"}, "id": "query-dump"}\r\n')
        fake.cut()
        return SILENT

    fake.answers["query-dump"] = last_words
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(lambda: len(scene.recorder.entries) >= 3)
    assert scene.recorder.story[:3] == ["connected", "GUEST_PANICKED", "disconnected"]
    assert scene.recorder.entries[2] == Disconnected("web-1", "QEMU closed the monitor")


async def test_events_of_a_handshake_that_fails_are_counted(scene: Scene) -> None:
    """Without facts nobody can judge them: they are dropped, and that is seen."""
    fake = await scene.fake()

    def last_words(_arguments: Mapping[str, object]) -> Answer:
        fake.raw(event_line("STOP") * 3)
        return CUT

    fake.answers["query-dump"] = last_words
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(lambda: scene.monitors.counters.dropped == 3)
    assert scene.recorder.names == []


PERIPHERAL: Mapping[str, Answer] = {
    "qom-list": [
        {"name": "type", "type": "string"},
        {"name": "serial", "type": "child<virtio-serial-pci>"},
        {"name": "agent", "type": "child<virtserialport>"},
        {"name": "bare", "type": "child<virtserialport>"},
    ],
    "qom-get": lambda arguments: "c1" if arguments["path"].endswith("/agent") else "",
    "query-chardev": [{"label": "c1", "frontend-open": True, "filename": "null"}],
}


async def test_what_is_to_be_compared_is_asked_too(scene: Scene) -> None:
    """In two rounds where the second depends on the first, and read into the facts."""
    scene.comparing("ports")
    fake = await scene.fake(answers={**VM, **PERIPHERAL})
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(lambda: scene.recorder.entries)
    assert [sent.execute for sent in fake.commands][-4:] == [
        "qom-list",
        "qom-get",
        "qom-get",
        "query-chardev",
    ]
    assert scene.recorder.connected().facts.compared == {"ports": {"agent": True}}


async def test_an_event_while_qemu_is_asked_says_itself_what_became_of_its_port(
    scene: Scene,
) -> None:
    """The answer may be older or newer: the connect makes nothing up for that port."""
    scene.comparing("ports")

    def chardevs(_arguments: Mapping[str, object]) -> Answer:
        fake.event("VSERPORT_CHANGE", {"id": "agent", "open": False})
        return PERIPHERAL["query-chardev"]

    answers = {**VM, **PERIPHERAL, "query-chardev": chardevs}
    fake = await scene.fake(answers=answers)
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(lambda: len(scene.recorder.entries) == 2)
    assert scene.recorder.connected().facts.compared == {"ports": {"agent": None}}
    assert scene.recorder.names == ["VSERPORT_CHANGE"]


@pytest.mark.parametrize("unknown", ["qom-list", "qom-get", "query-chardev"])
async def test_a_question_that_is_refused_tells_of_nothing(scene: Scene, unknown: str) -> None:
    """It is an answer: a storage daemon has no ports."""
    scene.comparing("ports")
    await scene.fake(answers={**VM, **PERIPHERAL, unknown: NO})
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(lambda: scene.recorder.entries)
    assert scene.recorder.connected().facts.compared == {"ports": {}}


@pytest.mark.parametrize("slow", ["qom-list", "query-chardev"])
async def test_what_is_only_to_be_compared_is_not_waited_for_too_long(
    scene: Scene, slow: str
) -> None:
    """The guest is used without it; a late answer is counted, and harms nobody."""
    scene.with_limits(Limits(facts_s=0.1, first_delay_s=0.01))
    scene.comparing("ports")
    fake = await scene.fake(answers={**VM, **PERIPHERAL, slow: SILENT})
    scene.monitors.add("web-1", str(scene.path("web-1")))
    await eventually(scene.monitors.connected)
    facts = scene.recorder.connected().facts
    assert (facts.status, facts.compared) == ("running", {})
    fake.raw(f'{{"return": [], "id": "{slow}"}}\r\n'.encode())
    fake.event("STOP")
    await eventually(lambda: scene.recorder.names == ["STOP"])
    assert (scene.monitors.counters.late, scene.monitors.counters.garbage) == (1, 0)
    assert scene.recorder.story == ["connected", "STOP"]
