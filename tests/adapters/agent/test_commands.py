"""Commands to a guest agent: whose answer it is, and what is known when none comes."""

import asyncio
from dataclasses import replace

import pytest

from reactor.adapters.agent import Limits
from reactor.errors import GuestError, LostReply, MonitorError
from tests.adapters.agent.scene import Scene, eventually
from tests.fakes.agent import CUT, SILENT, Refuse

pytestmark = pytest.mark.asyncio

SHORT = Limits(sync_s=0.1, refusal_s=0.1, idle_s=0.05)


async def test_an_answer_is_what_the_agent_returned(scene: Scene) -> None:
    """Arguments go out as they are, the value of `return` comes back."""
    fake = await scene.fake(answers={"guest-get-time": 1795862768106530000})
    assert await scene.ask("guest-get-time", {"unit": "ü"}) == 1795862768106530000
    assert list(fake.commands) == [("guest-get-time", {"unit": "ü"})]


async def test_null_is_an_answer(scene: Scene) -> None:
    """`return` may hold anything; what counts is that it is there."""
    await scene.fake(answers={"guest-odd": None})
    assert await scene.ask("guest-odd") is None


async def test_what_the_agent_refuses_is_told_in_its_own_words(scene: Scene) -> None:
    """The connection is still good for the next command."""
    fake = await scene.fake()
    fake.answers["guest-exec"] = Refuse("Command guest-exec has been disabled", "CommandNotFound")
    with pytest.raises(GuestError) as caught:
        await scene.ask("guest-exec")
    assert caught.value.error_class == "CommandNotFound"
    assert str(caught.value) == (
        "guest web-1, command guest-exec: CommandNotFound: Command guest-exec has been disabled\n"
        "  fix: look the command up in QEMU's guest agent reference; the guest may forbid it "
        "(block-rpcs)"
    )
    assert await scene.ask() == {}
    assert fake.clients == 1


async def test_one_command_at_a_time_in_the_order_they_came(scene: Scene) -> None:
    """The second is not even written before the first is answered."""
    fake = await scene.fake()
    fake.answers["guest-fstrim"] = SILENT
    slow = scene.agents.send("web-1", "guest-fstrim", {}, timeout=5)
    quick = scene.agents.send("web-1", "guest-ping", {}, timeout=5)
    await eventually(lambda: fake.names == ["guest-fstrim"])
    for _ in range(20):
        await asyncio.sleep(0)
    assert (fake.names, fake.syncs) == (["guest-fstrim"], 1)
    fake.raw(b'{"return": {"paths": []}}\n')
    assert await slow == {"paths": []}
    assert await quick == {}
    assert fake.names == ["guest-fstrim", "guest-ping"]


async def test_guests_do_not_wait_for_each_other(scene: Scene) -> None:
    """A guest whose agent hangs holds up nobody else."""
    hangs = await scene.fake("web-1")
    hangs.awake = False
    await scene.fake("web-2")
    scene.agents.send("web-1", "guest-ping", {}, timeout=5)
    assert await scene.ask(guest="web-2") == {}


@pytest.mark.parametrize(
    ("before", "skipped"),
    [
        pytest.param(b"", 0, id="nothing"),
        pytest.param(b'{"return": {"late": true}}\n', 1, id="a late answer to somebody else"),
        pytest.param(b'{"return": {"la', 0, id="half of one"),
        pytest.param(b'\xff{"return": 7}\n', 1, id="an answer to an older sync"),
        pytest.param(b'\xff{"return": tru\n', 1, id="a broken one"),
        pytest.param(b"\xff\xff", 0, id="sentinels"),
        pytest.param(b"\n\r\n \n", 3, id="empty lines"),
        pytest.param(b"login: \n" * 1000, 1000, id="a console"),
        pytest.param(b"x" * 70_000 + b"\n", 1, id="a long line"),
    ],
)
@pytest.mark.parametrize("piece", [0, 1000], ids=["whole", "in pieces"])
async def test_what_was_left_behind_is_no_answer_of_ours(
    scene: Scene, before: bytes, skipped: int, piece: int
) -> None:
    """Only what follows the answer to our own sync belongs to us."""
    fake = await scene.fake()
    fake.before, fake.piece = before, piece
    assert await scene.ask("guest-get-host-name") == {"host-name": "web-1"}
    assert scene.agents.counters.skipped == skipped + 1  # the error for our 0xFF is the one


async def test_an_answer_in_single_bytes(scene: Scene) -> None:
    """Chunks mean nothing."""
    fake = await scene.fake()
    fake.piece = 1
    assert await scene.ask("guest-get-host-name") == {"host-name": "web-1"}


async def test_half_a_command_of_an_earlier_client_is_forgotten(scene: Scene) -> None:
    """The 0xFF before the sync makes the agent drop it."""
    fake = await scene.fake()
    fake.take(b'{"execute": "guest-sh')
    assert await scene.ask() == {}
    assert fake.names == ["guest-ping"]


async def test_a_late_answer_meets_nobody(scene: Scene) -> None:
    """Its command is lost; the next one gets its own answer, on a new connection."""
    fake = await scene.fake()
    fake.answers["guest-fstrim"] = SILENT
    with pytest.raises(LostReply) as caught:
        await scene.ask("guest-fstrim", timeout_s=0.1)
    assert str(caught.value) == (
        "guest web-1, agent command guest-fstrim: sent, but no answer: its time is over\n"
        "  fix: the outcome is unknown: look at the guest before it is sent again"
    )
    await eventually(lambda: not fake.occupied)
    fake.before = b'{"return": {"paths": ["late"]}}\n'
    assert await scene.ask() == {}
    assert fake.clients == 2
    assert scene.agents.counters.lost == 1


# -------------------------------------------------------- what was not sent


async def test_a_guest_without_an_agent_in_the_settings(scene: Scene) -> None:
    """Nothing can be sent, and the sentence names the setting."""
    with pytest.raises(MonitorError) as caught:
        scene.agents.send("web-9", "guest-ping", {}, timeout=1)
    assert str(caught.value) == (
        "guest web-9, agent command guest-ping: not sent: the settings name no agent of this "
        "guest\n  fix: name its socket in `guests.agent`"
    )


async def test_without_a_socket_nothing_is_sent(scene: Scene) -> None:
    """QEMU does not run, or has no such port."""
    scene.agents.add("web-1", scene.path())
    with pytest.raises(MonitorError, match="not sent: there is no socket of its agent"):
        await scene.ask()
    assert scene.agents.counters.unsent == 1


async def test_a_socket_that_qemu_left_behind(scene: Scene) -> None:
    """Nobody listens there any more."""
    fake = await scene.fake()
    await fake.close()
    with pytest.raises(MonitorError, match="nobody listens on the socket of its agent"):
        await scene.ask()


async def test_a_path_that_no_socket_can_have(scene: Scene) -> None:
    """The system's own words, without a number."""
    scene.agents.add("web-1", "/" + "x" * 200)
    with pytest.raises(MonitorError, match="not sent: cannot connect: AF_UNIX path too long"):
        await scene.ask()


async def test_a_file_that_is_no_socket(scene: Scene) -> None:
    """Another plain sentence."""
    (scene.folder / "web-1.agent").mkdir()
    scene.agents.add("web-1", scene.path() + "/no/dir")
    with pytest.raises(MonitorError, match="there is no socket"):
        await scene.ask()
    (scene.folder / "file").write_text("x")
    scene.agents.add("web-2", str(scene.folder / "file" / "below"))
    with pytest.raises(MonitorError, match="cannot connect: Not a directory"):
        await scene.ask(guest="web-2")


async def test_nobody_in_the_guest_answers_the_sync(scene: Scene) -> None:
    """The command was certainly not sent, and the connection is let go."""
    scene.limit(SHORT)
    fake = await scene.fake()
    fake.awake = False
    with pytest.raises(MonitorError) as caught:
        await scene.ask("guest-exec")
    assert str(caught.value) == (
        "guest web-1, agent command guest-exec: not sent: the guest agent did not answer within "
        "0.1 s\n  fix: start qemu-guest-agent in the guest, and look whether the guest runs; or "
        "another program (libvirt?) holds it: a chardev serves one client"
    )
    await eventually(lambda: not fake.occupied)
    fake.awake = True
    assert await scene.ask() == {}
    assert fake.names == ["guest-ping"]


async def test_a_sync_takes_no_longer_than_the_command_may(scene: Scene) -> None:
    """Where the step's time is shorter than the sync's."""
    fake = await scene.fake()
    fake.awake = False
    with pytest.raises(MonitorError, match=r"did not answer within 0\.0"):
        await scene.ask(timeout_s=0.05)


async def test_a_chardev_that_another_program_holds(scene: Scene) -> None:
    """The connect succeeds, and nobody answers; when it is let go the command goes out."""
    scene.limit(SHORT)
    fake = await scene.fake()
    _, other = await asyncio.open_unix_connection(scene.path())
    await eventually(lambda: fake.occupied)
    with pytest.raises(MonitorError, match="did not answer"):
        await scene.ask()
    other.close()
    await eventually(lambda: not fake.occupied)
    assert await scene.ask() == {}


async def test_a_connection_that_ends_before_the_sync_is_answered(scene: Scene) -> None:
    """QEMU was just ending: nothing was sent."""
    fake = await scene.fake()
    fake.awake = False
    asked = scene.agents.send("web-1", "guest-ping", {}, timeout=5)
    await eventually(lambda: fake.occupied)
    fake.cut()
    with pytest.raises(MonitorError, match="not sent: QEMU closed the connection"):
        await asked


async def test_something_that_is_no_agent(scene: Scene) -> None:
    """A line without an end is not kept beyond the limit."""
    scene.limit(replace(SHORT, line_bytes=1000))
    fake = await scene.fake()
    fake.before = b"x" * 5000
    with pytest.raises(MonitorError, match="what answers is no guest agent: a line does not end"):
        await scene.ask()


@pytest.mark.parametrize(("waiting", "refused"), [(1, False), (2, False), (3, True)])
async def test_a_bounded_number_of_commands_waits(
    scene: Scene, waiting: int, refused: bool
) -> None:
    """The one under way counts; beyond the bound a command is refused at once."""
    scene.limit(Limits(commands=3))
    fake = await scene.fake()
    fake.answers["guest-ping"] = SILENT
    for number in range(waiting):
        scene.agents.send("web-1", "guest-ping", {}, timeout=5)
        await eventually(lambda number=number: number or fake.names)  # type: ignore[misc]
    if refused:
        with pytest.raises(MonitorError, match="not sent: 3 commands wait for the guest agent"):
            scene.agents.send("web-1", "guest-ping", {}, timeout=5)
    else:
        scene.agents.send("web-1", "guest-ping", {}, timeout=5)


async def test_a_command_whose_turn_did_not_come_was_not_sent(scene: Scene) -> None:
    """Its time runs while it stands in line, and it is never written after it."""
    fake = await scene.fake()
    fake.answers["guest-fstrim"] = SILENT
    slow = scene.agents.send("web-1", "guest-fstrim", {}, timeout=5)
    with pytest.raises(MonitorError, match=r"earlier commands to the guest agent took all of"):
        await scene.ask("guest-exec", timeout_s=0.05)
    fake.raw(b'{"return": {}}\n')
    await slow
    assert await scene.ask() == {}
    assert fake.names == ["guest-fstrim", "guest-ping"]


async def test_arguments_that_json_cannot_hold(scene: Scene) -> None:
    """Refused before anything else happens."""
    fake = await scene.fake()
    with pytest.raises(MonitorError, match="its arguments cannot be written as JSON"):
        scene.agents.send("web-1", "guest-exec", {"path": object()}, timeout=1)
    assert fake.clients == 0


async def test_a_caller_who_looked_away_before_its_turn(scene: Scene) -> None:
    """Nothing is sent for nobody."""
    fake = await scene.fake()
    fake.answers["guest-fstrim"] = SILENT
    slow = scene.agents.send("web-1", "guest-fstrim", {}, timeout=5)
    await eventually(lambda: fake.names)
    scene.agents.send("web-1", "guest-exec", {}, timeout=5).cancel()
    slow.cancel()
    fake.raw(b'{"return": {}}\n')
    assert await scene.ask() == {}
    assert fake.names == ["guest-fstrim", "guest-ping"]


# ------------------------------------------------------------ what was lost


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(CUT, "QEMU closed the connection to the guest agent", id="the end"),
        pytest.param(b"login:\n", "the answer cannot be read: b'login:'", id="garbage"),
        pytest.param(b'{"event": "X"}\n', "the answer cannot be read", id="neither of both"),
        pytest.param(b"y" * 99 + b"\n", f"b'{'y' * 60}'...", id="long garbage, shortened"),
        pytest.param(b"[" * 5000 + b"\n", "the answer cannot be read", id="too deep"),
        pytest.param(b"x" * 200_000, "the answer is longer than 100000 bytes", id="too long"),
    ],
)
async def test_a_command_without_a_readable_answer_is_lost(
    scene: Scene, answer: object, why: str
) -> None:
    """It was sent: whether it was done nobody knows. The next one has a connection of its own."""
    scene.limit(Limits(line_bytes=100_000))
    fake = await scene.fake()
    fake.answers["guest-exec"] = answer
    with pytest.raises(LostReply) as caught:
        await scene.ask("guest-exec")
    assert why in caught.value.problem
    assert await scene.ask() == {}
    assert fake.clients == 2


async def test_empty_lines_before_an_answer_are_none(scene: Scene) -> None:
    """Nor an error."""
    fake = await scene.fake()
    fake.answers["guest-ping"] = b'\r\n\n{"return": 1}\n'
    assert await scene.ask() == 1


@pytest.mark.parametrize("size", [100_000 - 13, 100_000 - 12])
async def test_the_longest_answer(scene: Scene, size: int) -> None:
    """A line of the limit is taken in, one byte more is not."""
    scene.limit(Limits(line_bytes=100_000))
    fake = await scene.fake()
    fake.answers["guest-ping"] = "x" * size
    if len(b'{"return":""}') + size <= 100_000:
        assert await scene.ask() == "x" * size
    else:
        with pytest.raises(LostReply, match="longer than"):
            await scene.ask()


# ------------------------------------------------- commands without a reply


async def test_a_command_without_a_reply_is_done_when_nobody_refused_it(scene: Scene) -> None:
    """A second later it counts as done."""
    scene.limit(SHORT)
    fake = await scene.fake()
    begun = asyncio.get_running_loop().time()
    assert await scene.ask("guest-shutdown", {"mode": "reboot"}, replies=False) == {}
    assert 0.09 < asyncio.get_running_loop().time() - begun < 3
    assert list(fake.commands) == [("guest-shutdown", {"mode": "reboot"})]
    await eventually(lambda: not fake.occupied)


async def test_a_guest_that_went_down_at_once_is_no_failure(scene: Scene) -> None:
    """QEMU closed the connection: that is what was asked for."""
    fake = await scene.fake()
    fake.answers["guest-shutdown"] = CUT
    assert await scene.ask("guest-shutdown", replies=False) == {}


async def test_a_command_without_a_reply_can_be_refused(scene: Scene) -> None:
    """A guest that forbids it says so at once, and the step must not count as done."""
    fake = await scene.fake()
    fake.answers["guest-shutdown"] = Refuse("Command guest-shutdown has been disabled")
    with pytest.raises(GuestError, match="has been disabled"):
        await scene.ask("guest-shutdown", replies=False)


async def test_a_command_without_a_reply_and_without_time_is_done(scene: Scene) -> None:
    """It was written: the rest of the second is not waited for."""
    await scene.fake()
    assert await scene.ask("guest-shutdown", timeout_s=0.2, replies=False) == {}


# ------------------------------------------------------------ connections


async def test_commands_in_a_row_share_a_connection_that_is_let_go(scene: Scene) -> None:
    """QEMU's chardev serves one client: others get their turn after the idle time."""
    scene.limit(Limits(idle_s=0.05))
    fake = await scene.fake()
    for _ in range(3):
        await scene.ask()
    assert (fake.clients, fake.syncs) == (1, 3)
    await eventually(lambda: not fake.occupied)
    await scene.ask()
    assert fake.clients == 2
    assert scene.agents.counters.connects == 2


async def test_a_connection_that_died_while_idle_is_replaced(scene: Scene) -> None:
    """QEMU was restarted between two commands: the second is sent on a new one."""
    fake = await scene.fake()
    await scene.ask()
    fake.cut()
    assert await scene.ask() == {}
    await eventually(lambda: fake.clients == 2)
    fake.cut()
    await eventually(lambda: not fake.occupied)
    for _ in range(5):
        await asyncio.sleep(0)
    assert await scene.ask() == {}


async def test_a_guest_that_is_forgotten(scene: Scene) -> None:
    """What waits is not sent; of what was sent nobody will know."""
    fake = await scene.fake()
    fake.answers["guest-fstrim"] = SILENT
    slow = scene.agents.send("web-1", "guest-fstrim", {}, timeout=5)
    waits = scene.agents.send("web-1", "guest-ping", {}, timeout=5)
    await eventually(lambda: fake.names)
    scene.agents.remove("web-1")
    with pytest.raises(LostReply, match="the guest is not watched any more"):
        await slow
    with pytest.raises(MonitorError, match="not sent: the guest is not watched any more"):
        await waits
    await eventually(lambda: not fake.occupied)
    scene.agents.remove("web-1")


async def test_closing_ends_a_sync_that_waits(scene: Scene) -> None:
    """The command was not sent."""
    fake = await scene.fake()
    fake.awake = False
    asked = scene.agents.send("web-1", "guest-ping", {}, timeout=5)
    await eventually(lambda: fake.occupied)
    await scene.agents.close()
    with pytest.raises(MonitorError, match="not sent"):
        await asked
    await eventually(lambda: not fake.occupied)


async def test_another_socket_for_the_same_guest(scene: Scene) -> None:
    """The last word of the settings counts."""
    await scene.fake("web-1")
    other = await scene.fake("other")
    scene.agents.add("web-1", scene.path("other"))
    await scene.ask()
    assert other.names == ["guest-ping"]


async def test_every_sync_has_another_number(scene: Scene) -> None:
    """A late answer to an earlier one proves nothing."""
    fake = await scene.fake()
    numbers = []
    for _ in range(3):
        fake.before = b""
        await scene.ask()
        numbers.append(fake.last_sync)
    assert len(set(numbers)) == 3
