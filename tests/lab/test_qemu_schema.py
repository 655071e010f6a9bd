"""The shipped schema is what the QEMU of this machine says of itself."""

import asyncio
from pathlib import Path

import pytest

from reactor.demo.lab import Lab
from reactor.qapi.entities import convert_entities
from reactor.qapi.shipped import versions
from reactor.qapi.tidy import tidy_text
from scripts.qemu_schema import DATA, ask_program, ask_socket, main


@pytest.mark.asyncio
async def test_the_installed_qemu_says_what_is_shipped_of_it(
    lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one that is started for it and a running one say the same; it goes on."""
    guest = await lab.guest("web-1")
    version, reply = await asyncio.to_thread(ask_program, "qemu-system-x86_64")
    assert await asyncio.to_thread(ask_socket, str(guest.monitor)) == (version, reply)
    assert await guest.control.command("query-status")
    if version in versions():
        assert main(["--check"]) == 0
        assert capsys.readouterr().out == f"qemu-{version}.json is what this QEMU says\n"
        shipped = (DATA / f"qemu-{version}.json").read_bytes()
        assert tidy_text(convert_entities(reply)) == shipped
    else:
        assert main(["--check"], tmp_path) == 1
