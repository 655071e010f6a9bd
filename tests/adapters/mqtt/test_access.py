"""Who is let in by name: users, and passwords from files."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from reactor.adapters.mqtt import MqttOptions, link
from reactor.adapters.mqtt.credentials import Secrets
from tests.adapters.mqtt.support import QUICK, rig, text, until
from tests.fakes.broker import Mosquitto

pytestmark = pytest.mark.asyncio

SAY_WHO = "correct username, or the password in password_file: it is read at every connect"


async def test_a_wrong_password_is_told_and_a_corrected_file_needs_no_restart(
    tmp_path: Path,
) -> None:
    """The password is read again at every connect, without its line end."""
    password = tmp_path / "password"
    password.write_text("wrong\n")
    with Mosquitto(tmp_path, users={"reactor": "right"}) as broker:
        setup = rig(broker.url, username="reactor", password_file=password)
        async with setup.running() as publisher:
            await until(lambda: setup.listener.troubles)
            password.write_text("right\r\n")
            await until(lambda: publisher.connected)
    assert setup.listener.troubles == [
        text(
            f"broker {broker.url}",
            "it does not let the user 'reactor' in with this password",
            SAY_WHO,
        )
    ]


async def test_a_password_file_that_vanishes_is_told_and_asked_for_again(
    tmp_path: Path, broker: Mosquitto
) -> None:
    """The daemon goes on, and connects when the file is back."""
    password = tmp_path / "password"
    password.write_text("x")
    setup = rig(broker.url, username="reactor", password_file=password)
    password.unlink()
    async with setup.running() as publisher:
        await until(lambda: setup.listener.troubles)
        password.write_text("x")
        await until(lambda: publisher.connected)
    assert setup.listener.troubles == [
        text(
            f"password_file {password}",
            "cannot be used: No such file or directory",
            "create it and let reactor's user read it, or correct password_file",
        )
    ]


async def test_a_broker_that_knows_its_clients_wants_a_name(tmp_path: Path) -> None:
    """Without a user in the settings the fix is to write one."""
    with Mosquitto(tmp_path, users={"reactor": "right"}) as broker:
        setup = rig(broker.url)
        async with setup.running():
            await until(lambda: setup.listener.troubles)
    assert setup.listener.troubles == [
        text(
            f"broker {broker.url}",
            "it does not let anybody in without a user name",
            "write username and password_file",
        )
    ]


@pytest.mark.parametrize("host", ["broker.invalid", "x" * 64 + ".example"])
async def test_a_name_that_cannot_be_resolved(host: str) -> None:
    """``.invalid`` never exists, and no part of a name may be longer than 63 letters."""
    setup = rig(f"mqtt://{host}")
    async with setup.running():
        await until(lambda: setup.listener.troubles, within_s=15)
    assert setup.listener.troubles == [
        text(
            f"broker mqtt://{host}:1883",
            f"the name '{host}' cannot be resolved",
            "correct url in the settings, or the name service",
        )
    ]


async def test_a_password_file_that_is_no_text(tmp_path: Path, broker: Mosquitto) -> None:
    """A password that is not UTF-8 cannot be sent."""
    password = tmp_path / "password"
    password.write_bytes(b"\xff\xfe")
    setup = rig(broker.url, username="reactor", password_file=password)
    async with setup.running():
        await until(lambda: setup.listener.troubles)
    assert setup.listener.troubles == [
        text(
            f"password_file {password}",
            "cannot be used: 'utf-8' codec can't decode byte 0xff in position 0: "
            "invalid start byte",
            "mend it, or correct password_file",
        )
    ]


async def test_a_file_system_that_hangs_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a dead network share does; the loop goes on."""
    password = tmp_path / "password"
    password.write_text("x")
    setup = rig(
        "mqtt://127.0.0.1:1",
        replace(QUICK, connect_s=0.1),
        username="reactor",
        password_file=password,
    )
    back = threading.Event()

    def hang(_: MqttOptions) -> Secrets:
        back.wait(30)
        return Secrets("x", None)

    monkeypatch.setattr(link, "read_secrets", hang)
    async with setup.running():
        await until(lambda: setup.listener.troubles)
        back.set()
    assert setup.listener.troubles[0] == text(
        "broker mqtt://127.0.0.1:1",
        "the files of the password and of TLS cannot be read in time",
        "keep them on a local file system",
    )
