"""The example that tells Alertmanager and a phone: real web servers, broker and daemon."""

import datetime as dt
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from reactor.app.settings import MqttSettings
from reactor.core.orders import ClearMark, SetMark
from tests.app.house import House, hears, said
from tests.fakes.broker import Mosquitto, Subscriber, free_port
from tests.fakes.web import Got, Server
from tests.house.checkout import ROOT

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(90)]

RULES = ROOT / "examples" / "alertmanager-and-phone" / "rules" / "pager.yaml"
PAGER, PHONE = "http://127.0.0.1:9093", "https://ntfy.sh"


@dataclass
class Scene:
    """A host with the example's policies; Alertmanager and ntfy are servers on the loopback."""

    house: House
    pager: Server
    phone: Server
    heard: Subscriber

    async def mark(self) -> None:
        """A disk is marked."""
        reply = await self.house.daemon.orders.give(
            "test", SetMark("web-1", "disk", "data", "degraded", "bad read")
        )
        assert reply.ok, reply

    async def ended(self, policy: str) -> str:
        """The outcome of the one run of this policy."""

        def runs() -> list[str]:
            rows = self.house.daemon.journal.reader.runs(100)
            return [row.outcome for row in rows if row.policy == policy and row.ended is not None]

        await self.house.until(f"a run of {policy} ends", lambda: bool(runs()))
        (outcome,) = runs()
        return outcome

    async def alerts(self, count: int) -> list[str]:
        """The texts that whoever listens at the broker reads."""
        await self.heard.until(lambda: len(said(self.heard, "alert/critical")) >= count)
        return [str(one["text"]) for one in said(self.heard, "alert/critical")]


def posted(server: Server) -> list[tuple[str, str, Any]]:
    """Each request: method, path and the JSON in it."""
    return [(one.method, one.path, read(one)) for one in list(server.got)]


def read(got: Got) -> Any:  # noqa: ANN401 - JSON
    """What was sent, which says that it is JSON."""
    headers = {name.lower(): value for name, value in got.headers.items()}
    assert headers["content-type"] == "application/json"
    return json.loads(got.body)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """One for all tests here."""
    with Mosquitto(tmp_path_factory.mktemp("broker")) as started:
        yield started


@pytest_asyncio.fixture
async def begin(
    tmp_path: Path, broker: Mosquitto
) -> AsyncIterator[Callable[..., AsyncIterator[Scene]]]:
    """Starts the scene; ``pager_at`` is another address than that of its server."""
    with Server() as pager, Server() as phone, hears(broker) as heard:
        house = House(tmp_path, tmp_path)
        house.settings = replace(house.settings, mqtt=MqttSettings(broker.url))

        async def start(pager_at: str = "") -> Scene:
            text = RULES.read_text(encoding="utf-8")
            for old, new in {
                PAGER: pager_at or pager.url(""),
                PHONE: phone.url(""),
                "backoff: [5s, 30s, 2m]": "backoff: [10ms]",
                "timeout: 10s": "timeout: 5s",
            }.items():
                assert old in text
                text = text.replace(old, new)
            (house.rules / "pager.yaml").write_text(text, encoding="utf-8")
            await house.guest("web-1")
            await house.start("web-1")
            return Scene(house, pager, phone, heard)

        yield start  # type: ignore[misc]
        await house.clear()


async def test_a_mark_is_an_alert_until_it_is_cleared(begin: Any) -> None:  # noqa: ANN401
    """As Alertmanager's API wants it: a list, labels of text, RFC 3339, the same labels at its end.

    Source: Alertmanager, api/v2/openapi.yaml, postableAlerts.
    """
    scene: Scene = await begin()
    scene.pager.codes[:] = [503, 503]
    began = dt.datetime.now(dt.UTC)
    await scene.mark()
    assert await scene.ended("alert-begins") == "succeeded"
    await scene.house.daemon.orders.give("test", ClearMark("web-1", "disk", "data"))
    assert await scene.ended("alert-ends") == "succeeded"
    requests = posted(scene.pager)
    assert [one[:2] for one in requests] == [("POST", "/api/v2/alerts")] * 4
    first, second, (alert,), (over,) = (one[2] for one in requests)
    assert first[0].keys() == second[0].keys() == alert.keys()
    assert first[0]["labels"] == alert["labels"] == over["labels"]
    assert alert["labels"] == {
        "alertname": "GuestMarked",
        "severity": "warning",
        "host": "h",
        "guest": "web-1",
        "kind": "disk",
        "id": "data",
        "as": "degraded",
    }
    assert alert["annotations"] == {"summary": "web-1: disk data is degraded: bad read"}
    ends = [dt.datetime.fromisoformat(one["endsAt"]) for one in (alert, over)]
    assert ends[0] - began > dt.timedelta(days=6)
    assert began - dt.timedelta(seconds=5) < ends[1] < dt.datetime.now(dt.UTC)
    assert posted(scene.phone) == []
    assert said(scene.heard, "alert/critical") == []


@pytest.mark.parametrize("how", ["answers 503", "is not there"])
async def test_a_pager_that_is_down_is_told_to_the_phone_and_to_who_listens(
    begin: Any,  # noqa: ANN401
    how: str,
) -> None:
    """After four attempts, with the error; and never to the pager alone."""
    scene: Scene = await begin(f"http://127.0.0.1:{free_port()}" if how == "is not there" else "")
    scene.pager.codes[:] = [503] * 4
    before = len(said(scene.heard, "alert/critical"))
    await scene.mark()
    assert await scene.ended("alert-begins") == "failed"
    assert await scene.ended("duty-phone") == "succeeded"
    text = (await scene.alerts(before + 1))[-1]
    assert text.startswith("disk data is degraded, and Alertmanager was not told: http: ")
    ((method, path, ring),) = posted(scene.phone)
    assert (method, path, ring["topic"]) == ("POST", "/", "your-own-secret-topic")
    assert ring["title"] == "h: alert-begins on web-1"
    assert ring["message"].startswith("failed: http: ")
    assert len(scene.pager.got) == (4 if how == "answers 503" else 0)


async def test_a_pager_that_takes_the_request_and_says_nothing_is_not_asked_twice(
    begin: Any,  # noqa: ANN401
) -> None:
    """Nobody knows whether it rang: the run is `unknown`, and the phone says so."""
    scene: Scene = await begin()
    file = scene.house.rules / "pager.yaml"
    text = file.read_text(encoding="utf-8").replace("/api/v2/alerts", "/cut")
    file.write_text(text, encoding="utf-8")
    assert (await scene.house.daemon.rules.reload()) is not None
    await scene.mark()
    assert await scene.ended("alert-begins") == "unknown"
    assert await scene.ended("duty-phone") == "succeeded"
    assert len(scene.pager.got) == 1
    ((_, _, ring),) = posted(scene.phone)
    assert ring["message"].startswith("unknown: ")


async def test_with_both_down_who_listens_is_told_twice(begin: Any) -> None:  # noqa: ANN401
    """Of the mark, and that nobody's phone rang."""
    scene: Scene = await begin()
    scene.pager.codes[:] = [503] * 4
    scene.phone.codes[:] = [500] * 4
    await scene.mark()
    assert await scene.ended("duty-phone") == "failed"
    texts = await scene.alerts(2)
    assert any(text.startswith("disk data is degraded") for text in texts)
    assert any(text.startswith("the duty's phone was not reached: http: ") for text in texts)
