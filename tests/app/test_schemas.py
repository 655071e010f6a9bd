"""Which QEMUs policies are checked for, and one that is asked."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import msgspec
import pytest

from reactor.app.live_schema import ask_target, live_target
from reactor.app.schemas import targets_of
from reactor.errors import GuestError, MonitorError, ReactorError, SettingsError
from reactor.qapi.shipped import schema_of
from tests.fakes.qmp_server import VM, Answer, FakeMonitor, Refuse

SCHEMA = msgspec.json.decode(files("reactor.qapi").joinpath("data", "qemu-7.2.json").read_bytes())


def test_without_a_name_all_that_are_shipped_count() -> None:
    """The oldest first."""
    assert [one.name for one in targets_of(None, None, live_target)] == ["QEMU 7.2", "QEMU 11.1"]


def test_versions_stand_with_commas_between_them() -> None:
    """In their order."""
    assert [one.name for one in targets_of("11.1, 7.2", None, live_target)] == [
        "QEMU 11.1",
        "QEMU 7.2",
    ]


@pytest.mark.parametrize(
    ("named", "problem", "fix"),
    [
        pytest.param("7.3", "no schema of QEMU 7.3", "did you mean 7.2?", id="near"),
        pytest.param("4", "no schema of QEMU 4 ", "write some of: 7.2, 11.1", id="far"),
        pytest.param("7.2,", "no schema of QEMU without a version", "write some of", id="empty"),
    ],
)
def test_a_version_that_is_not_shipped_is_refused(named: str, problem: str, fix: str) -> None:
    """And a QEMU that runs may be asked."""
    with pytest.raises(SettingsError) as caught:
        targets_of(named, None, live_target)
    assert caught.value.problem.startswith(problem)
    assert caught.value.fix.startswith(fix)
    assert caught.value.fix.endswith("or ask a QEMU that runs, with --live")


async def asked(folder: Path, answers: Mapping[str, Answer]) -> object:
    """The target that a QEMU with these answers is, or what was raised."""
    monitor, path = FakeMonitor({**VM, **answers}), str(folder / "q")
    await monitor.listen(path)
    try:
        return await ask_target(path)
    except ReactorError as error:
        return error
    finally:
        await monitor.close()


@pytest.mark.asyncio
async def test_a_qemu_that_runs_is_asked(tmp_path: Path) -> None:
    """Its schema is the one that it tells, and it has its version's name."""
    found = await asked(tmp_path, {"query-qmp-schema": SCHEMA})
    assert getattr(found, "name", found) == f"QEMU 7.2.22 at {tmp_path}/q"
    schema = getattr(found, "schema", None)
    assert schema is not None
    assert schema.commands == schema_of("7.2").commands
    assert not getattr(found, "is_shipped", True)


@pytest.mark.parametrize(
    ("answer", "kind", "problem"),
    [
        pytest.param(Refuse("not now"), GuestError, "GenericError: not now", id="it says no"),
        pytest.param(
            [{"name": "x"}], MonitorError, "its answer to query-qmp-schema is no schema", id="odd"
        ),
    ],
)
@pytest.mark.asyncio
async def test_one_that_does_not_tell_its_schema(
    tmp_path: Path, answer: Answer, kind: type[ReactorError], problem: str
) -> None:
    """It is an error that names the monitor."""
    found = await asked(tmp_path, {"query-qmp-schema": answer})
    assert isinstance(found, kind)
    assert found.problem.startswith(problem)


@pytest.mark.asyncio
async def test_nobody_at_the_socket(tmp_path: Path) -> None:
    """It is not waited for."""
    with pytest.raises(MonitorError, match="there is no such socket"):
        await ask_target(str(tmp_path / "nobody"))
