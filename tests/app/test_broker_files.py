"""The files of the broker, looked at by the daemon: when it starts, and each day."""

import asyncio
import threading
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from reactor.adapters.mqtt import MqttOptions
from reactor.adapters.mqtt.credentials import Doubt
from reactor.app import broker_files
from reactor.app.settings import MqttSettings
from reactor.demo.waiting import until
from tests.app.house import House
from tests.fakes.broker import Mosquitto

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

Logs = Sequence[MutableMapping[str, Any]]


def told(logs: Logs, event: str) -> list[Mapping[str, Any]]:
    """The lines of one kind, without their level."""
    return [
        {key: value for key, value in one.items() if key not in {"event", "log_level"}}
        for one in logs
        if one["event"] == event
    ]


async def test_a_start_at_night_does_without_the_broker(house: House, tmp_path: Path) -> None:
    """A password file that is missing is told, guests are watched; it connects when it is there."""
    password = tmp_path / "password"
    folder = tmp_path / "broker"
    folder.mkdir()
    with Mosquitto(folder, users={"reactor": "r"}) as broker, capture_logs() as logs:
        mqtt = MqttSettings(broker.url, username="reactor", password_file=password)
        house.settings = replace(house.settings, mqtt=mqtt)
        await house.guest("web-1")
        await house.start("web-1")
        await house.until("it is told", lambda: bool(told(logs, "broker trouble")))
        assert told(logs, "broker trouble") == [
            {
                "place": f"password_file {password}",
                "problem": "cannot be used: No such file or directory",
                "fix": "create it and let reactor's user read it, or correct password_file",
            }
        ]
        password.write_text("r\n")
        await house.until("it connects", lambda: bool(told(logs, "broker connected")))
        await house.stop()


async def test_a_secret_that_others_read_is_a_warning_and_used(
    house: House, tmp_path: Path
) -> None:
    """Refused, it would keep every alert from the broker for a chmod."""
    password = tmp_path / "password"
    password.write_text("r")
    password.chmod(0o644)
    folder = tmp_path / "broker"
    folder.mkdir()
    with Mosquitto(folder, users={"reactor": "r"}) as broker, capture_logs() as logs:
        mqtt = MqttSettings(broker.url, username="reactor", password_file=password)
        house.settings = replace(house.settings, mqtt=mqtt)
        await house.start()
        for event in ("broker file", "broker connected"):
            await house.until(event, lambda event=event: bool(told(logs, event)))  # type: ignore[misc]
        await house.stop()
    assert told(logs, "broker file") == [
        {
            "setting": "password_file",
            "problem": f"{password} can be read by everybody on this host",
            "fix": f"chmod 600 {password}, and let it belong to reactor's user",
        }
    ]


async def test_the_files_are_looked_at_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that ends soon is told each day; a file system that hangs stops nothing."""
    options = MqttOptions.parse("mqtt://b", host="h")
    looks, back = [], threading.Event()

    def look(given: MqttOptions, now: float) -> list[Doubt]:
        assert given is options
        looks.append(now)
        if len(looks) == 1:
            back.wait(30)
        return [Doubt("cert_file", Path("/c"), "expires on 2026-12-01", "renew it")]

    monkeypatch.setattr(broker_files, "doubts", look)
    monkeypatch.setattr(broker_files, "EVERY_S", 0.0)
    monkeypatch.setattr(broker_files, "LIMIT_S", 0.05)
    with capture_logs() as logs:
        task = asyncio.create_task(broker_files.watch_files(options))
        try:
            await until("it has looked", lambda: len(told(logs, "broker file")) >= 2, 20)
        finally:
            back.set()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert told(logs, "broker file")[0] == {
        "setting": "cert_file",
        "problem": "/c expires on 2026-12-01",
        "fix": "renew it",
    }
