"""Commands by hand, held against the schema of the guest's QEMU before they are sent."""

from typing import Any

import pytest

from reactor.adapters.control import Answer, Code
from reactor.app.control.fitting import misfit
from reactor.app.lacks.judge import Judge
from reactor.core.config import EngineConfig
from reactor.core.orders import HoldGuests, Order, RunCommand
from reactor.policyfile.lacks import Standing
from reactor.qapi.shipped import schema_of
from tests.core.simulation import Host

pytestmark = pytest.mark.asyncio

COMMANDS = frozenset(["query-*", "stop", "send-key", "__vendor", "send-kye"])
HOST = Host(guests=("web-1",), config=EngineConfig(host="h1", commands=COMMANDS)).connect()
NEW = Standing(qemu="11.1.3", schema=schema_of("11.1"))


async def _said(order: Order, standing: Standing | None = None) -> Answer | None:
    known = {} if standing is None else {"web-1": standing}
    return await misfit(HOST.engine.world, Judge(known), order)


def _command(command: str, guest: str = "web-1", **arguments: Any) -> RunCommand:  # noqa: ANN401
    return RunCommand(guest, command, arguments)


KEYS = _command("send-key", keys=[{"type": "number", "data": 30}])


@pytest.mark.parametrize(
    ("order", "standing"),
    [
        pytest.param(KEYS, None, id="it fits the schema of its version"),
        pytest.param(KEYS, NEW, id="it fits its own"),
        pytest.param(_command("__vendor", a=1), None, id="only its own schema would know"),
        pytest.param(_command("query-block", "web-9"), None, id="no such guest: not said here"),
        pytest.param(_command("cont", a=1), NEW, id="not allowed: not said here"),
        pytest.param(HoldGuests(), NEW, id="another order"),
    ],
)
async def test_what_may_be_taken_goes_on(order: Order, standing: Standing | None) -> None:
    """To the engine."""
    assert await _said(order, standing) is None


async def test_of_a_version_that_is_not_known_qemu_judges_itself() -> None:
    """Nothing is refused for a schema that may be another one."""
    other = Host(guests=("web-1",), config=HOST.config)
    assert await misfit(other.engine.world, Judge({}), _command("stop", a=1)) is None


@pytest.mark.parametrize(
    ("order", "standing", "text", "fix"),
    [
        pytest.param(
            _command("stop", now=True),
            None,
            "QEMU 7.2.22 would refuse it: `stop` takes no arguments",
            "take `now` out",
            id="an argument that is none, by the schema of its version",
        ),
        pytest.param(
            _command("__vendor"),
            NEW,
            "QEMU 7.2.22 of web-1 has no command '__vendor'",
            "`query-commands` lists those that it has",
            id="no such command there",
        ),
        pytest.param(
            _command("send-kye"),
            NEW,
            "QEMU 7.2.22 of web-1 has no command 'send-kye'",
            "did you mean 'send-key'?",
            id="nobody has it",
        ),
    ],
)
async def test_what_qemu_would_refuse_is_refused(
    order: Order, standing: Standing | None, text: str, fix: str
) -> None:
    """With what is wrong, and what to do about it."""
    assert await _said(order, standing) == Answer(Code.REFUSED, text, fix)


@pytest.mark.parametrize(
    ("wrong", "said", "more"),
    [
        pytest.param(5, 5, "`a4`", id="all"),
        pytest.param(6, 5, "; and 1 more", id="one too many"),
    ],
)
async def test_only_the_first_misfits_are_named(wrong: int, said: int, more: str) -> None:
    """Whoever sends nonsense decides how many there are."""
    keys: object = [{"type": "number", "data": 30}]
    arguments = {"keys": keys} | {f"a{number}": 1 for number in range(wrong)}
    found = await _said(RunCommand("web-1", "send-key", arguments), NEW)
    assert found is not None
    assert found.text.count("`send-key` has no argument") == said
    assert found.text.endswith(more)


async def test_the_same_is_said_once() -> None:
    """Of however many arguments."""
    found = await _said(_command("stop", a=1, b=2), NEW)
    assert found is not None
    assert found.text == "QEMU 7.2.22 would refuse it: `stop` takes no arguments"
