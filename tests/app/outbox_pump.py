"""A process that journals numbered messages and publishes them; run by test_outbox_over_kills.py.

It says each number when its commit has returned, and ``empty`` when the broker has them all.
"""

import asyncio
import random
import sys
import time
from pathlib import Path

from reactor.adapters.journal import Batch, Journal, OutboxRow
from reactor.adapters.mqtt import Inbox, Limits, MqttOptions, Publisher
from reactor.app.outbox import OutboxPort
from reactor.demo.waiting import until
from tests.adapters.mqtt.support import Ear, Recorder

TOPICS = 7


def say(text: object) -> None:
    """Tell the parent."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def main(path: str, url: str, first: int, last: int) -> None:
    """All of them, some in each commit; then wait to be killed."""
    journal = Journal.open(Path(path), now=time.time)
    publisher = Publisher(
        MqttOptions.parse(url, host="h"),
        OutboxPort(journal.outbox),
        announce=list,
        inbox=Inbox(Ear(), time.monotonic),
        listener=Recorder(),
        now=time.time,
        rng=random.Random(1),  # noqa: S311 - jitter
        limits=Limits(first_delay_s=0.05, max_delay_s=0.2),
    )
    running = asyncio.create_task(publisher.run())
    for number in range(first, last, 4):
        some = range(number, min(number + 4, last))
        rows = [OutboxRow(f"reactor/h/t/{n % TOPICS}", b"%d" % n) for n in some]
        await journal.commit(Batch(messages=rows))
        publisher.nudge()
        for n in some:
            say(n)
    await until("it is empty", lambda: not journal.outbox.counters()["waiting"], 30.0)
    say("empty")
    await running


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
