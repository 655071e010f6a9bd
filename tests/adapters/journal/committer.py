"""A process that commits numbered rows and says each number when its commit has returned.

Run by test_crash.py, which kills it.
"""

import asyncio
import itertools
import sys
import time
from pathlib import Path

from reactor.adapters.journal import Batch, InputRow, IntentRow, Journal, OutboxRow
from reactor.core.effect import Keep


async def commit(journal: Journal, numbers: "itertools.count[int]") -> None:
    """Batches for ever, each with a row in every table that recovery reads."""
    for number in numbers:
        await journal.commit(
            Batch(
                inputs=[InputRow(float(number), "web-1", "event", "RESET", b"x" * 200)],
                keeps=[Keep("number", str(number), b"x" * 200)],
                intents=[IntentRow(f"i-{number}", 1.0, "web-1", "cont", b"{}")],
                messages=[OutboxRow(f"t/{number}", b"x" * 200)],
            )
        )
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


async def main() -> None:
    """Eight committers at once."""
    journal = Journal.open(Path(sys.argv[1]), now=time.time)
    numbers = itertools.count(int(sys.argv[2]))
    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(commit(journal, numbers))


if __name__ == "__main__":
    asyncio.run(main())
