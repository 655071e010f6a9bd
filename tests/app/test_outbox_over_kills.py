"""Daemon and broker are killed in turns; every message that was journaled arrives, in order."""

import itertools
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.app import outbox_pump
from tests.fakes.broker import Mosquitto, Subscriber
from tests.house.checkout import ROOT

PER_LIFE = 200
VICTIMS = ["daemon", "both"]


@contextmanager
def life(path: Path, broker: Mosquitto, number: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that publishes; killed at the end, wherever it stands."""
    first = number * PER_LIFE
    with subprocess.Popen(
        [sys.executable, outbox_pump.__file__, path, broker.url, str(first), str(first + PER_LIFE)],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT)},
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def numbers(child: "subprocess.Popen[bytes]", count: int | None = None) -> list[int]:
    """So many that it says next, or all until it ends."""
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(count)] if count else list(child.stdout)
    return [int(line) for line in lines if line.endswith(b"\n") and line != b"empty\n"]


@pytest.mark.timeout(120)
def test_at_least_once_and_in_order_over_kills_of_both_sides(tmp_path: Path) -> None:
    """SIGKILL in the midst of the stream, of the one, of the other, of both; then a quiet end."""
    path = tmp_path / "journal.db"
    folder = tmp_path / "broker"
    folder.mkdir()
    told: list[int] = []
    with (
        Mosquitto(folder) as broker,
        # Quality 0: what the broker has acknowledged is with the subscriber then.
        Subscriber(broker.port, "reactor/h/t/#", qos=0) as subscriber,
    ):
        for number, victim in enumerate(VICTIMS):
            with life(path, broker, number) as child:
                told += numbers(child, 40 + 30 * number)
                if victim == "both":
                    broker.kill()
                    told += numbers(child, 20)
                child.kill()
                told += numbers(child)
            if victim == "both":
                before = subscriber.subscriptions
                broker.start()
                subscriber.wait_for(lambda before=before: subscriber.subscriptions > before)  # type: ignore[misc]
        with life(path, broker, 2) as child:
            told += numbers(child, PER_LIFE)
            assert child.stdout is not None
            assert child.stdout.readline() == b"empty\n"
            subscriber.wait_for(
                lambda: set(told) <= {int(message.payload) for message in subscriber.messages}
            )
    assert len(told) >= PER_LIFE + 2 * 40
    for topic in range(outbox_pump.TOPICS):
        heard = [int(payload) for payload in subscriber.payloads(f"reactor/h/t/{topic}")]
        # None overtakes another; the last of a life may come again in the next one, in order.
        assert list(dict.fromkeys(heard)) == sorted(set(heard))
        assert sum(late < early for early, late in itertools.pairwise(heard)) <= len(VICTIMS)
