"""A daemon on a journal that was salvaged: it starts, whatever was lost."""

import random
import shutil
from pathlib import Path

import pytest

from reactor.adapters.journal import findings, salvage
from reactor.app.salvaging import unsound
from reactor.core.effect import Keep
from reactor.errors import JournalError
from tests.app.house import House

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "journal-v1.db"
PAGE = 4096
AT = 1_800_000_000.0
STOPS = "policy: stop-it\ndescription: d\ntrigger: {event: WATCHDOG}\nsteps:\n  - qmp: stop\n"

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("seed", range(4))
async def test_the_daemon_starts_and_works(seed: int, house: House, tmp_path: Path) -> None:
    """One page is gone, some bytes of others; it watches, reacts and journals as ever."""
    chance = random.Random(seed)  # noqa: S311 - the same damage again
    content = bytearray(GOLDEN.read_bytes())
    at = chance.randrange(2, len(content) // PAGE) * PAGE
    content[at : at + PAGE] = chance.randbytes(PAGE)
    for _ in range(30):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(content)
    path = house.settings.journal.path
    salvage(damaged, path, now=AT, unsound=unsound)
    house.policy(STOPS)
    guest = await house.guest()
    await house.start("web-1")
    guest.event("WATCHDOG")
    await house.until("the guest is stopped", lambda: "stop" in [c.execute for c in guest.commands])
    await house.stop()
    assert findings(path) == []


async def test_what_it_cannot_take_up_is_left_out(house: House, tmp_path: Path) -> None:
    """A daemon would not start with it; the other rows of the state stay."""
    good = Keep("number", "run", b"7")
    bad = [Keep("number", "silence", b'"seven"'), Keep("run", "r-1", b"{}")]
    assert list(unsound([good])) == []
    assert list(unsound([bad[0], good, bad[1]])) == bad
    sound = tmp_path / "sound.db"
    shutil.copy(GOLDEN, sound)
    assert salvage(sound, house.settings.journal.path, now=AT, unsound=unsound).whole


async def test_a_damaged_journal_tells_the_way_out(house: House) -> None:
    """The start is refused with the verb that saves what can be read."""
    content = bytearray(GOLDEN.read_bytes())
    content[4 * PAGE : 5 * PAGE] = b"\xff" * PAGE
    house.settings.journal.path.write_bytes(content)
    with pytest.raises(JournalError, match="'reactor journal salvage DAMAGED NEW'"):
        await house.start()
