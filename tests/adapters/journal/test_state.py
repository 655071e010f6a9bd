"""The engine's snapshot: whatever was kept, in whatever batches, comes back."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.adapters.journal import Batch, Journal
from reactor.core.effect import Keep
from tests.adapters.journal.support import now

NAMES = st.sampled_from(["a", "b", "", "ü/%", "a\x00"])
KEEPS = st.builds(Keep, NAMES, NAMES, st.none() | st.binary(max_size=3))
BATCHES = st.lists(st.lists(KEEPS, max_size=12), max_size=6)


def fold(lives: list[list[list[Keep]]]) -> list[tuple[str, str, bytes]]:
    """What the state must be after all the keeps, one after the other."""
    state: dict[tuple[str, str], bytes] = {}
    for keep in (keep for batches in lives for batch in batches for keep in batch):
        if keep.value is None:
            state.pop((keep.kind, keep.key), None)
        else:
            state[keep.kind, keep.key] = keep.value
    return sorted((*key, value) for key, value in state.items())


async def live(path: Path, batches: list[list[Keep]]) -> list[tuple[str, str, bytes]]:
    """The state at the end of one life of the daemon, its commits all under way at once."""
    journal = Journal.open(path, now=now)
    try:
        await asyncio.gather(*(journal.commit(Batch(keeps=keeps)) for keeps in batches))
        return journal.reader.state()
    finally:
        await journal.close()


@settings(max_examples=40)
@given(st.lists(BATCHES, min_size=1, max_size=3))
def test_the_state_is_the_fold_of_all_keeps(lives: list[list[list[Keep]]]) -> None:
    """However they are spread over batches, groups of commits and lives of the daemon."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        for number, batches in enumerate(lives, 1):
            assert asyncio.run(live(path, batches)) == fold(lives[:number])
