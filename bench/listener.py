"""The subscriber of the row ``outbox`` as a helper process: what comes in, when, in which order."""

import asyncio
import time
from collections import defaultdict

import aiomqtt
import uvloop

from bench.publishing import BASE, read
from bench.serving import requests, until
from bench.talk import End, Heard, Meet, Reply, Request, say


class Listener:
    """Keeps the time of each message, by who published it."""

    def __init__(self) -> None:
        self._took: dict[str, list[float]] = defaultdict(list)
        self._last: dict[str, int] = {}
        self._problem = ""
        self._client: aiomqtt.Client | None = None
        self._task: asyncio.Task[None] | None = None

    async def live(self) -> None:
        """Serve until the bench says ``End``."""
        async for request in requests():
            say(await self._done(request))

    async def _done(self, request: Request) -> Reply:
        match request:
            case Meet(port):
                self._client = await aiomqtt.Client("127.0.0.1", port).__aenter__()
                await self._client.subscribe(f"{BASE}/told/#")
                self._task = asyncio.create_task(self._listen(self._client))
                return Reply()
            case Heard(publisher, count):
                took = self._took[publisher]
                found = await until(
                    lambda: bool(self._problem) or len(took) >= count,
                    f"message {count} of {publisher}",
                )
                if found.problem or self._problem:
                    return Reply(problem=self._problem or found.problem)
                del self._took[publisher]
                self._last.clear()
                if len(took) > count:
                    return Reply(problem=f"{len(took)} messages of {publisher} instead of {count}")
                return Reply(took)
            case End():
                if self._task is not None and self._client is not None:
                    self._task.cancel()
                    await asyncio.gather(self._task, return_exceptions=True)
                    await self._client.__aexit__(None, None, None)
                return Reply()
            case _:
                return Reply(problem=f"the listener cannot {request}")

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            now = time.monotonic()
            topic = str(message.topic)
            number, sent = read(bytes(message.payload))
            if number <= self._last.get(topic, -1):
                self._problem = f"{topic}: {number} came behind {self._last[topic]}"
            self._last[topic] = number
            self._took[topic.split("/")[3]].append(now - sent)


if __name__ == "__main__":
    uvloop.run(Listener().live())
