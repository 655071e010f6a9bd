"""The daemon, whole, with an outbox that is too small for an outage: what is lost is told."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from reactor.adapters.journal import Limits, RunRow
from reactor.app import daemon as daemon_module
from reactor.app import outbox as outbox_module
from reactor.app.control.asks import AskWhy
from reactor.app.settings import MqttSettings
from reactor.app.why.reasons import Why
from reactor.core.drops import DROPPED_EVENT
from tests.app.house import FakeGuest, House, hears, said
from tests.app.test_operator import look, status
from tests.fakes.broker import Mosquitto, Subscriber

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

ROOM = 20
ALARM = (
    "policy: alarm\ndescription: d\nmode: parallel\ntrigger: {event: WATCHDOG}\n"
    "steps:\n  - publish: alert/critical\n    payload: '${data.number}'\n"
)
PAGER = (
    "policy: pager\ndescription: d\nguests: {name: web-1}\n"
    f"trigger: {{event: {DROPPED_EVENT}, where: data.lost > 0}}\n"
    "steps:\n  - log: 'lost ${data.lost}'\n"
)
TOPIC = f"event/{DROPPED_EVENT}"


@pytest.mark.parametrize(
    "name", [pytest.param("RTC_CHANGE", id="events"), pytest.param("WATCHDOG", id="alerts")]
)
async def test_what_an_outage_costs_is_told(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """To a policy at once; on MQTT when the broker is back, also where only alerts wait."""
    monkeypatch.setattr(daemon_module, "limits_of", lambda _settings: Limits(outbox_rows=ROOM))
    monkeypatch.setattr(outbox_module, "LOOK_S", 0.02)
    monkeypatch.setattr(outbox_module, "PAUSE_S", 0.05)
    folder, password = tmp_path / "broker", tmp_path / "password"
    folder.mkdir()
    password.write_text("right")
    users = {"reactor": "right", "reader": "reader"}
    with Mosquitto(folder, users=users) as broker, hears(broker, "reader") as heard:
        house.settings = replace(
            house.settings,
            mqtt=MqttSettings(broker.url, username="reactor", password_file=password),
        )
        guests = [await house.guest("web-1"), await house.guest("web-2")]
        await house.policy(ALARM, PAGER).start("web-1", "web-2")
        await house.until("all is out", lambda: linked(house) and not counters(house)["waiting"])
        broker.kill()
        password.write_text("wrong")
        await house.until("it is away", lambda: not linked(house))
        flood(guests, name)
        await house.until("some are lost", lambda: counters(house)["refused"] > ROOM)
        await house.until("it is acted on", lambda: bool(paged(house)))
        await house.rest()
        assert counters(house)["waiting"] >= ROOM
        broker.start()
        # Nothing is published before there is somebody who hears it.
        await heard.until(lambda: heard.subscriptions == 2)
        assert said(heard, TOPIC) == []
        password.write_text("right")
        await house.until("all is told", lambda: told(heard) == drops(house), 30.0)
        await look_around(house, heard)


async def look_around(house: House, heard: Subscriber) -> None:
    """What the world, the policy and an operator see of it."""
    assert {body["source"] for body in said(heard, TOPIC)} == {"/h"}
    assert {(row.guest, row.outcome) for row in paged(house)} == {("web-1", "succeeded")}
    assert said(heard, f"guest/web-1/{TOPIC}") == []
    dropped = (await status(house)).daemon.dropped
    assert dropped["outbox: refused"] == counters(house)["refused"]
    why = await look(house, AskWhy("pager", "web-1"), Why)
    assert DROPPED_EVENT in {moment.event for moment in why.moments}


def flood(guests: Iterable[FakeGuest], name: str) -> None:
    """More events than there is room for."""
    for number in range(3 * ROOM):
        for guest in guests:
            guest.event(name, {"action": "none", "number": number})


def linked(house: House) -> bool:
    """Whether the daemon has its broker."""
    broker = house.daemon.broker
    return broker is not None and broker.publisher.connected


def counters(house: House) -> dict[str, int]:
    """Those of the outbox."""
    return house.daemon.journal.outbox.counters()


def paged(house: House) -> list[RunRow]:
    """The runs of the policy that listens."""
    return [row for row in house.runs() if row.policy == "pager"]


def drops(house: House) -> dict[str, int]:
    """What was dropped, by why."""
    return {why: counters(house)[why] for why in ("expired", "evicted", "refused", "superseded")}


def told(heard: Subscriber) -> dict[str, int]:
    """The sum of what was published of that."""
    bodies = said(heard, TOPIC)
    return {
        why: sum(int(body["data"][why]) for body in bodies)
        for why in ("expired", "evicted", "refused", "superseded")
    }
