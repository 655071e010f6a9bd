"""Hot reload through the whole daemon: all valid or the old set stays, and nothing is lost."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from reactor.app.replay.replaying import Request, replay
from reactor.app.replay.sources import Skipped, open_source
from tests.app.house import House

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

HEAD = "policy: {0}\ndescription: d\ntrigger: {{event: {1}}}\nmode: queued\n"
SLOW = HEAD.format("slow", "WATCHDOG") + (
    "steps:\n  - wait: {until: guest.status == 'suspended', timeout: 1m}\n"
    "  - mark: {guest: self, as: old, reason: r}\n"
)
COUNTS = (
    "policy: counts\ndescription: d\n"
    "trigger: {event: BLOCK_IO_ERROR, count: 3, within: 10m}\ncooldown: 1h\n"
    "steps: [{mark: {guest: self, as: counted, reason: r}}]\n"
)
LIMITED = HEAD.format("limited", "POWERDOWN") + (
    "limits: [1 per 1h per guest]\nsteps: [{log: x}]\n"
)


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A host with one guest to be."""
    run = tmp_path / "run"
    run.mkdir()
    made = House(tmp_path, run)
    yield made
    await made.clear()


def _marks(house: House) -> set[str]:
    return {mark.word for mark in house.daemon.engine.world.marks}


def _loaded(house: House) -> dict[str, str]:
    index = house.daemon.engine.world.index
    return {name: policy.revision for name, policy in index.policies.items()}


async def _reloaded(house: House, before: dict[str, str]) -> None:
    await house.until("other policies are loaded", lambda: _loaded(house) != before)


async def test_a_broken_file_leaves_the_old_set_whole(house: House) -> None:
    """It is told; another change beside it is not taken over either, until all is right."""
    guest = await house.policy(SLOW, LIMITED).guest()
    await house.start("web-1")
    before = _loaded(house)
    with capture_logs() as lines:
        house.policy(LIMITED.replace("1 per 1h", "2 per 1h"))
        (house.rules / "slow.yaml").write_text("policy: slow\nsteps: [\n")
        os.kill(os.getpid(), signal.SIGHUP)
        await house.until(
            "it is told", lambda: any("rules not reloaded" in x["event"] for x in lines)
        )
    assert _loaded(house) == before
    assert house.daemon.rules.problems
    guest.event("POWERDOWN")
    await house.until("the old set acts", lambda: len(house.runs()) == 1)
    house.policy(SLOW)
    await _reloaded(house, before)
    assert house.daemon.rules.problems == ()


@pytest.mark.parametrize("restart", [False, True], ids=["alive", "restarted"])
async def test_a_run_keeps_the_revision_that_started_it(house: House, restart: bool) -> None:
    """Over a restart after the reload too: then its text comes from the journal."""
    guest = await house.policy(SLOW).guest()
    await house.start("web-1")
    guest.event("WATCHDOG", {"action": "none"})
    await house.until("it waits", lambda: len(house.daemon.engine.world.runs) == 1)
    before = _loaded(house)
    house.policy(SLOW.replace("as: old", "as: new"))
    await _reloaded(house, before)
    if restart:
        await house.stop()
        await house.start("web-1")
    guest.status = "suspended"
    guest.event("SUSPEND")
    await house.until("it went on", lambda: bool(_marks(house)))
    assert _marks(house) == {"old"}


async def test_a_policy_that_is_removed_lets_its_open_run_end(house: House) -> None:
    """No other is started."""
    guest = await house.policy(SLOW).guest()
    await house.start("web-1")
    guest.event("WATCHDOG", {"action": "none"})
    await house.until("it waits", lambda: len(house.daemon.engine.world.runs) == 1)
    (house.rules / "slow.yaml").unlink()
    await house.until("it is gone", lambda: not _loaded(house))
    guest.event("WATCHDOG", {"action": "none"})
    guest.status = "suspended"
    guest.event("SUSPEND")
    assert await house.outcomes(1) == [("slow", "succeeded")]
    await house.rest()
    assert len(house.runs()) == 1


async def test_what_unchanged_policies_counted_survives(house: House) -> None:
    """Windows, cooldowns and limits, over a change of another policy."""
    guest = await house.policy(COUNTS, LIMITED, SLOW).guest()
    await house.start("web-1")
    io_error = {"device": "disk0", "action": "report"}
    guest.event("BLOCK_IO_ERROR", io_error)
    guest.event("BLOCK_IO_ERROR", io_error)
    guest.event("POWERDOWN")
    await house.until("the first ran", lambda: len(house.runs()) == 1)
    before = _loaded(house)
    house.policy(SLOW.replace("as: old", "as: new"))
    await _reloaded(house, before)
    guest.event("BLOCK_IO_ERROR", io_error)
    guest.event("POWERDOWN")
    await house.until("the third counted", lambda: "counted" in _marks(house))
    near = house.daemon.engine.near_misses("limited")
    assert [row.verdict for row in near] == ["limited"]


async def test_an_editor_saves_by_a_rename(house: House) -> None:
    """A new file takes the place of the old one; the one between the two is no policy."""
    await house.policy(SLOW).guest()
    await house.start("web-1")
    before = _loaded(house)
    draft = house.rules / ".slow.yaml.swp"
    draft.write_text(SLOW.replace("as: old", "as: new"))
    draft.replace(house.rules / "slow.yaml")
    await _reloaded(house, before)
    assert list(_loaded(house)) == ["slow"]


async def test_many_saves_and_signals_end_with_what_the_files_say(house: House) -> None:
    """The last one counts, however many came before it could be looked at."""
    await house.policy(SLOW).guest()
    await house.start("web-1")
    for number in range(30):
        house.policy(SLOW.replace("as: old", f"as: w{number}"))
        os.kill(os.getpid(), signal.SIGHUP)
    last = SLOW.replace("as: old", "as: w29")

    def is_last() -> bool:
        policy = house.daemon.engine.world.index.policies["slow"]
        return policy.source.strip() == last.strip()

    await house.until("the last is loaded", is_last)


async def test_a_journal_of_a_daemon_is_played_word_for_word(house: House) -> None:
    """With reloads and restarts in it, also while the daemon writes it: nothing differs."""
    guest = await house.policy(SLOW, COUNTS, LIMITED).guest()
    await house.start("web-1")
    guest.event("WATCHDOG", {"action": "none"})
    guest.event("POWERDOWN")
    guest.event("POWERDOWN")
    await house.until("it ran", lambda: len(house.runs()) == 1)
    before = _loaded(house)
    house.policy(SLOW.replace("as: old", "as: new"))
    await _reloaded(house, before)
    await house.stop()
    await house.start("web-1")
    guest.status = "suspended"
    guest.event("SUSPEND")
    await house.until("two ended", lambda: len(house.runs()) == 2)
    source = open_source(house.settings.journal.path, Skipped(lambda _line: None))
    found = replay([source], Request(compares=True))
    source.close()
    assert found.exact
    assert found.differing == []
    assert found.tally.policies["limited"].refused == {"limited": 1}
    assert len(found.assumed) == 1
