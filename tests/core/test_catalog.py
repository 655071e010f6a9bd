"""What is known of QMP commands: effect, permission, idempotence."""

import pytest

from reactor.core import catalog
from reactor.core.catalog import EffectClass


@pytest.mark.parametrize(
    ("command", "effect", "changes"),
    [
        pytest.param("query-status", EffectClass.READ, False, id="read"),
        pytest.param("set-action", EffectClass.ADJUST, True, id="adjust"),
        pytest.param("stop", EffectClass.DISRUPT, True, id="disrupt"),
        pytest.param("system_reset", EffectClass.DESTROY, True, id="destroy"),
        pytest.param("human-monitor-command", EffectClass.ESCAPE, True, id="escape"),
        pytest.param("no-such-command", EffectClass.ESCAPE, True, id="unknown: the worst"),
    ],
)
def test_how_much_a_command_can_do(command: str, effect: EffectClass, changes: bool) -> None:
    """Whatever is more than a read holds the guest."""
    assert catalog.effect_of(command) is effect
    assert catalog.changes(command) is changes


def test_every_command_has_one_class() -> None:
    """A name in two lists would be what its last list says."""
    from reactor.core import catalog_commands as lists  # noqa: PLC0415

    named = [*lists.READ, *lists.ADJUST, *lists.DISRUPT, *lists.DESTROY, *lists.ESCAPE]
    assert len(named) == len(set(named)) == len(catalog.known_commands())
    assert catalog.is_known("query-status")
    assert not catalog.is_known("query-statuz")


@pytest.mark.parametrize(
    ("command", "arguments", "needed"),
    [
        pytest.param("quit", None, True, id="quit"),
        pytest.param("human-monitor-command", None, True, id="human-monitor-command"),
        pytest.param("blockdev-add", None, True, id="blockdev-add"),
        pytest.param("drive-mirror", None, True, id="by glob: drive-*"),
        pytest.param("chardev-add", None, True, id="by glob: chardev-*"),
        pytest.param("snapshot-load", None, True, id="by glob: snapshot-*"),
        pytest.param("pmemsave", None, True, id="a read that writes files"),
        pytest.param("screendump", None, True, id="screendump"),
        pytest.param("device_del", None, True, id="device_del"),
        pytest.param("change", None, True, id="removed in 6.0, and known all the same"),
        pytest.param("query-cpus", None, False, id="a read that was removed in 6.0"),
        pytest.param("invented", None, True, id="unknown"),
        pytest.param("stop", None, False, id="stop"),
        pytest.param("system_reset", None, False, id="system_reset: guarded and limited instead"),
        pytest.param("dump-guest-memory", None, False, id="dump: obeys the dumps settings"),
        pytest.param("migrate", None, False, id="migrate: not known yet where to"),
        pytest.param("migrate", {"uri": "tcp:h:4444"}, False, id="migrate to a host"),
        pytest.param("migrate", {"uri": "exec:cat"}, True, id="migrate to a program"),
        pytest.param("migrate", {"uri": "file:/x"}, True, id="migrate to a file"),
        pytest.param("migrate", {"channels": []}, True, id="migrate by channels"),
    ],
)
def test_what_needs_the_allow_list(
    command: str,
    arguments: dict[str, object] | None,
    needed: bool,
) -> None:
    """Commands that destroy, write files of the host, start programs or open doors."""
    assert catalog.needs_allow(command, arguments) is needed


@pytest.mark.parametrize(
    ("command", "again"),
    [
        pytest.param("stop", True, id="stop"),
        pytest.param("set-action", True, id="set-action"),
        pytest.param("query-block", True, id="a query"),
        pytest.param("cont", False, id="cont: another panic may lie between"),
        pytest.param("system_reset", False, id="system_reset"),
        pytest.param("dump-guest-memory", False, id="dump"),
        pytest.param("pmemsave", False, id="a read that writes a file"),
        pytest.param("invented", False, id="unknown"),
    ],
)
def test_what_may_be_sent_twice(command: str, again: bool) -> None:
    """Only what leaves the same when it is done once or twice."""
    assert catalog.is_idempotent(command) is again


@pytest.mark.parametrize(
    ("command", "kind"),
    [("system_reset", "reset"), ("dump-guest-memory", "dump"), ("quit", "destroy"), ("stop", None)],
)
def test_what_the_settings_limit(command: str, kind: str | None) -> None:
    """By the command that goes out."""
    assert catalog.limited_as(command) == kind


@pytest.mark.parametrize(
    ("command", "arguments", "reason"),
    [
        pytest.param(
            "blockdev-reopen",
            {"options": []},
            "blockdev-reopen with empty options aborts QEMU",
            id="empty options",
        ),
        pytest.param("blockdev-reopen", {"options": [{}]}, None, id="some options"),
        pytest.param("stop", {"options": []}, None, id="another command"),
    ],
)
def test_arguments_that_would_kill_qemu(
    command: str, arguments: dict[str, object], reason: str | None
) -> None:
    """They are valid by the schema."""
    assert catalog.deadly_arguments(command, arguments) == reason
