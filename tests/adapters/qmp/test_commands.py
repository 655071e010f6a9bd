"""Commands: replies to whom they belong, and what is known when none comes."""

import asyncio
from collections.abc import Mapping

import pytest

from reactor.adapters.qmp import Limits
from reactor.errors import GuestError, LostReply, MonitorError
from tests.adapters.qmp.scene import Scene, eventually
from tests.fakes.qmp_server import CUT, SILENT, Answer, Refuse, event_line

pytestmark = pytest.mark.asyncio


async def test_a_reply_is_what_qemu_returned(scene: Scene) -> None:
    """Arguments go out as they are, the value of `return` comes back."""
    fake = await scene.connected()
    fake.answers["echo"] = lambda arguments: {"got": arguments}
    reply = await scene.monitors.execute("web-1", "echo", {"node-name": "ü"}, timeout=1)
    assert reply == {"got": {"node-name": "ü"}}


async def test_replies_find_their_commands(scene: Scene) -> None:
    """200 commands at once get their own replies, also when these come in another order."""
    fake = await scene.connected()
    fake.answers["twice"] = lambda arguments: arguments["number"] * 2
    replies = await asyncio.gather(
        *(
            scene.monitors.execute("web-1", "twice", {"number": number}, timeout=5)
            for number in range(200)
        )
    )
    assert replies == [number * 2 for number in range(200)]


async def test_replies_out_of_order(scene: Scene) -> None:
    """The id decides, not the order."""
    fake = await scene.connected()
    fake.answers["slow"] = SILENT
    slow = scene.monitors.send("web-1", "slow", {}, timeout=5)
    quick = await scene.monitors.execute("web-1", "query-uuid", {}, timeout=5)
    ids = [command.id for command in fake.commands if command.execute in {"slow", "query-uuid"}]
    fake.raw(b'{"return": "late", "id": %d}\r\n' % ids[-2])
    assert quick == fake.answers["query-uuid"]
    assert await slow == "late"


async def test_a_command_is_on_its_way_when_send_returns(scene: Scene) -> None:
    """No turn of the loop lies between the decision and the bytes."""
    fake = await scene.connected()
    reply = scene.monitors.send("web-1", "stop", {}, timeout=5)
    assert scene.monitors.counters.commands == 1
    await eventually(lambda: fake.commands[-1].execute == "stop")
    assert await reply == {}


ORDER = [
    pytest.param(b'{"return": {}, "id": %d}\r\n', "{}", id="a result"),
    pytest.param(
        b'{"error": {"class": "GenericError", "desc": "no"}, "id": %d}\r\n', "no", id="a refusal"
    ),
]


@pytest.mark.parametrize(("reply", "said"), ORDER)
async def test_what_comes_behind_a_reply_is_told_behind_it(
    scene: Scene, reply: bytes, said: str
) -> None:
    """In one piece with the events around it, and each is told in QEMU's order."""
    fake = await scene.connected()
    fake.answers["query-migrate"] = SILENT
    story: list[str] = []

    def then(done: asyncio.Future[object]) -> None:
        error = done.exception()
        told = error.description if isinstance(error, GuestError) else str(done.result())
        story.extend([*scene.recorder.names, told])

    scene.monitors.send("web-1", "query-migrate", {}, timeout=5, then=then)
    await eventually(lambda: fake.commands[-1].execute == "query-migrate")
    number = fake.commands[-1].id
    assert isinstance(number, int)
    fake.raw(event_line("STOP") + reply % number + event_line("RESUME"))
    await eventually(lambda: len(scene.recorder.names) == 2)
    assert story == ["STOP", said]
    assert scene.recorder.names == ["STOP", "RESUME"]


async def test_a_caller_that_fails_on_a_reply_ends_no_monitor(scene: Scene) -> None:
    """It is told to the loop; the next command goes through as before."""
    await scene.connected()
    told: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: told.append(str(context["exception"])))

    def then(_done: asyncio.Future[object]) -> None:
        raise RuntimeError("planted")

    assert await scene.monitors.send("web-1", "stop", {}, timeout=5, then=then) == {}
    assert await scene.monitors.execute("web-1", "cont", {}, timeout=5) == {}
    loop.set_exception_handler(None)
    assert told == ["planted"]


async def test_ids_go_on_over_connections(scene: Scene) -> None:
    """QEMU may give an old reply to a new connection: no id is used twice."""
    fake = await scene.connected()
    await scene.monitors.execute("web-1", "stop", {}, timeout=5)
    fake.cut()
    await eventually(lambda: fake.served == 2 and scene.monitors.connected())
    await scene.monitors.execute("web-1", "stop", {}, timeout=5)
    first, second = (c.id for c in fake.commands if c.execute == "stop")
    assert isinstance(first, int)
    assert second == first + 1


async def test_ids_of_another_reactor_are_others(scene: Scene) -> None:
    """The reactor before this one may have left a slow command behind."""
    ids = []
    for seed in (1, 2):
        scene.with_limits(Limits(), seed)
        fake = await scene.connected(f"web-{seed}")
        await scene.monitors.execute(f"web-{seed}", "stop", {}, timeout=5)
        ids.append(fake.commands[-1].id)
    assert ids[0] != ids[1]


async def test_qemu_says_no(scene: Scene) -> None:
    """Its own words are in the error, and its class for programs."""
    fake = await scene.connected()
    fake.answers["cont"] = Refuse("There is a dump in process, please wait.")
    with pytest.raises(GuestError) as caught:
        await scene.monitors.execute("web-1", "cont", {}, timeout=5)
    assert str(caught.value) == (
        "guest web-1, command cont: GenericError: There is a dump in process, please wait.\n"
        "  fix: look the command up with `reactor docs`; nothing was changed"
    )
    assert (caught.value.error_class, caught.value.description) == (
        "GenericError",
        "There is a dump in process, please wait.",
    )


UNKNOWN = "  fix: the outcome is unknown: look at the guest's state before it is sent again"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(
            SILENT,
            "guest web-1, command system_reset: sent, but no reply within 0.05 s\n" + UNKNOWN,
            id="the deadline passes",
        ),
        pytest.param(
            CUT,
            "guest web-1, command system_reset: sent, but no reply: QEMU closed the monitor\n"
            + UNKNOWN,
            id="the connection ends",
        ),
    ],
)
async def test_a_lost_reply(scene: Scene, answer: Answer, error: str) -> None:
    """Sent and not answered: nobody knows what became of it."""
    fake = await scene.connected()
    fake.answers["system_reset"] = answer
    with pytest.raises(LostReply) as caught:
        await scene.monitors.execute("web-1", "system_reset", {}, timeout=0.05)
    assert str(caught.value) == error


async def test_garbage_loses_the_replies_too(scene: Scene) -> None:
    """Whatever ends the connection, a command that was sent has an unknown outcome."""
    fake = await scene.connected()
    fake.answers["stop"] = SILENT
    reply = scene.monitors.send("web-1", "stop", {}, timeout=5)
    fake.raw(b"oops\r\n")
    with pytest.raises(LostReply) as caught:
        await reply
    assert str(caught.value).startswith(
        "guest web-1, command stop: sent, but no reply: a line is not QMP ("
    )


async def test_a_reply_after_the_deadline_is_counted(scene: Scene) -> None:
    """It changes nothing any more, and is no fault of the stream."""
    fake = await scene.connected()
    fake.answers["stop"] = SILENT
    with pytest.raises(LostReply):
        await scene.monitors.execute("web-1", "stop", {}, timeout=0.01)
    fake.raw(b'{"return": {}, "id": %d}\r\n' % fake.commands[-1].id)
    await eventually(lambda: scene.monitors.counters.late == 1)
    assert scene.monitors.connected() == ["web-1"]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'{"return": {}, "id": 1}\r\n', id="a number of nobody"),
        pytest.param(b'{"return": {}, "id": "query-status"}\r\n', id="an answer of the handshake"),
        pytest.param(b'{"error": {"class": "GenericError", "desc": "?"}}\r\n', id="no id"),
        pytest.param(b"{}\r\n", id="nothing at all"),
    ],
)
async def test_a_reply_to_nobody_is_counted(scene: Scene, line: bytes) -> None:
    """QEMU may answer a command of an earlier connection: that harms nothing."""
    fake = await scene.connected()
    fake.raw(line)
    await eventually(lambda: scene.monitors.counters.late == 1)
    assert scene.monitors.connected() == ["web-1"]


async def test_a_caller_that_goes_away_leaves_nothing_behind(scene: Scene) -> None:
    """Its reply is counted as late, the others get theirs."""
    fake = await scene.connected()
    fake.answers["slow"] = SILENT
    task = asyncio.create_task(scene.monitors.execute("web-1", "slow", {}, timeout=0.05))
    await eventually(lambda: fake.commands[-1].execute == "slow")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    slow = fake.commands[-1].id
    with pytest.raises(LostReply):
        await scene.monitors.execute("web-1", "slow", {}, timeout=0.06)
    fake.raw(b'{"return": {}, "id": %d}\r\n' % slow)
    assert await scene.monitors.execute("web-1", "stop", {}, timeout=5) == {}
    assert scene.monitors.counters.late == 1


HANGS = "  fix: QEMU hangs or is very busy: look at the guest"


async def test_commands_that_wait_are_bounded(scene: Scene) -> None:
    """At the bound nothing is sent; a command that was given up still has its place."""
    scene.with_limits(Limits(commands=3))
    fake = await scene.connected()
    fake.answers["slow"] = SILENT
    waiting = [scene.monitors.send("web-1", "slow", {}, timeout=0.01) for _ in range(3)]
    await asyncio.wait(waiting)
    with pytest.raises(MonitorError) as caught:
        await scene.monitors.execute("web-1", "stop", {}, timeout=5)
    assert str(caught.value) == (
        "guest web-1, command stop: not sent: 3 commands wait for QEMU's reply already\n" + HANGS
    )
    assert [type(reply.exception()) for reply in waiting] == [LostReply] * 3
    assert scene.monitors.counters.unsent == 1
    fake.raw(b'{"return": {}, "id": %d}\r\n' % fake.commands[-1].id)
    await eventually(lambda: scene.monitors.counters.late == 1)
    assert await scene.monitors.execute("web-1", "stop", {}, timeout=5) == {}


async def test_unread_bytes_are_bounded(scene: Scene) -> None:
    """What QEMU does not read waits in reactor's memory, up to the limit."""
    scene.with_limits(Limits(write_bytes=1000))
    await scene.connected()
    with pytest.raises(MonitorError) as caught:
        await scene.monitors.execute("web-1", "stop", {"x": "y" * 1000}, timeout=5)
    assert str(caught.value).startswith(
        "guest web-1, command stop: not sent: QEMU has not read 0 bytes yet, "
        "and this command has 10"
    )
    assert str(caught.value).endswith(HANGS)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        pytest.param({"a": "\ud800"}, "surrogates not allowed", id="half a character"),
        pytest.param({"a": object()}, "type object is unsupported", id="no JSON"),
    ],
)
async def test_arguments_that_cannot_be_written(
    scene: Scene, arguments: Mapping[str, object], why: str
) -> None:
    """Certainly not sent, and the caller learns why."""
    await scene.connected()
    with pytest.raises(MonitorError) as caught:
        await scene.monitors.execute("web-1", "stop", arguments, timeout=5)
    assert str(caught.value).startswith(
        "guest web-1, command stop: not sent: its arguments cannot be written as JSON ("
    )
    assert f"{why})\n  fix: correct the arguments" in str(caught.value)


async def test_a_guest_that_is_not_connected(scene: Scene) -> None:
    """Certainly not sent."""
    scene.monitors.add("web-1", str(scene.path("web-1")))
    with pytest.raises(MonitorError) as caught:
        await scene.monitors.execute("web-1", "stop", {}, timeout=5)
    assert str(caught.value) == (
        "guest web-1, command stop: not sent: the monitor is not connected\n"
        "  fix: run it again once the guest is connected"
    )


async def test_a_guest_that_nobody_knows(scene: Scene) -> None:
    """Certainly not sent."""
    with pytest.raises(MonitorError) as caught:
        await scene.monitors.execute("web-9", "stop", {}, timeout=5)
    assert str(caught.value) == (
        "guest web-9, command stop: not sent: there is no such guest\n"
        "  fix: add it to the guests of the settings"
    )


async def test_a_long_command_goes_out_whole(scene: Scene) -> None:
    """More than a socket takes at once, with others right behind it, all in order."""
    fake = await scene.connected()
    fake.answers["size"] = lambda arguments: len(arguments["text"])
    replies = [
        scene.monitors.send("web-1", "size", {"text": "x" * size}, timeout=10)
        for size in (3 << 20, 1, 1 << 20, 2)
    ]
    assert await asyncio.gather(*replies) == [3 << 20, 1, 1 << 20, 2]


async def test_a_long_reply(scene: Scene) -> None:
    """A line of 8 MiB, in as many pieces as the kernel likes, is one reply."""
    fake = await scene.connected()
    fake.answers["big"] = "x" * (8 << 20)
    assert await scene.monitors.execute("web-1", "big", {}, timeout=10) == "x" * (8 << 20)
