"""The files that the broker needs, looked at while there is time: when it starts, and each day."""

import asyncio
import time
from collections.abc import Iterator

import structlog

from reactor.adapters.mqtt import MqttOptions
from reactor.adapters.mqtt.credentials import Doubt, doubts, read_secrets
from reactor.errors import BrokerError, Code, Place, Problem, Severity

EVERY_S = 86_400.0
LIMIT_S = 10.0

log = structlog.get_logger("reactor")


async def watch_files(options: MqttOptions) -> None:
    """Say once a day which files should not stay as they are: a certificate that ends soon.

    What cannot be used at all the link says itself, when it connects.
    """
    while True:
        for one in await _look(options):
            log.warning("broker file", setting=one.name, problem=one.text, fix=one.fix)
        await asyncio.sleep(EVERY_S)


async def _look(options: MqttOptions) -> list[Doubt]:
    try:
        async with asyncio.timeout(LIMIT_S):
            return await asyncio.to_thread(doubts, options, time.time())
    except TimeoutError:
        return []  # a file system that hangs: the connect says so


def file_problems(options: MqttOptions, file: str) -> Iterator[Problem]:
    """All that is wrong with these files, as ``reactor check`` tells it; never an error.

    Args:
        file: the settings file.
    """

    def problem(text: str, fix: str) -> Problem:
        return Problem(Place(file), Code.BROKER_FILE, text, fix, Severity.WARNING, "mqtt")

    try:
        read_secrets(options)
    except BrokerError as error:
        yield problem(f"{error.place} {error.problem}", error.fix)
    for one in doubts(options, time.time()):
        yield problem(f"{one.name} {one.text}", one.fix)
