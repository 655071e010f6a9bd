"""What is known of the commands of the guest agent: effect, reply, idempotence."""

import pytest

from reactor.core import catalog, catalog_agent
from reactor.core.catalog import EffectClass


@pytest.mark.parametrize(
    ("command", "effect"),
    [
        pytest.param("guest-ping", EffectClass.READ, id="read"),
        pytest.param("guest-fsfreeze-thaw", EffectClass.ADJUST, id="adjust"),
        pytest.param("guest-fsfreeze-freeze", EffectClass.DISRUPT, id="disrupt"),
        pytest.param("guest-shutdown", EffectClass.DESTROY, id="destroy"),
        pytest.param("guest-exec", EffectClass.ESCAPE, id="escape"),
        pytest.param("guest-invented", EffectClass.ESCAPE, id="unknown: the worst"),
    ],
)
def test_how_much_a_command_can_do(command: str, effect: EffectClass) -> None:
    """To the guest that it is sent to."""
    assert catalog.agent_effect_of(command) is effect


def test_every_command_has_one_class() -> None:
    """All 44 of QEMU 11.1; what is said of some is said of commands that exist."""
    lists = (
        catalog_agent.READ,
        catalog_agent.ADJUST,
        catalog_agent.DISRUPT,
        catalog_agent.DESTROY,
        catalog_agent.ESCAPE,
    )
    assert sum(map(len, lists)) == len(catalog.agent_commands()) == 44
    assert catalog_agent.SILENT.issubset(catalog.agent_commands())
    assert catalog_agent.IDEMPOTENT.issubset(catalog.agent_commands())


@pytest.mark.parametrize(
    ("command", "replies"),
    [
        pytest.param("guest-shutdown", False, id="the guest is down before it could answer"),
        pytest.param("guest-suspend-ram", False, id="asleep"),
        pytest.param("guest-suspend-disk", False, id="off"),
        pytest.param("guest-suspend-hybrid", False, id="both"),
        pytest.param("guest-ping", True, id="a question"),
        pytest.param("guest-invented", True, id="unknown: most answer"),
    ],
)
def test_which_commands_answer(command: str, replies: bool) -> None:
    """A wait for a reply that never comes would fail a step that went well."""
    assert catalog.agent_replies(command) is replies


@pytest.mark.parametrize(
    ("command", "again"),
    [
        pytest.param("guest-ping", True, id="a question"),
        pytest.param("guest-get-fsinfo", True, id="another"),
        pytest.param("guest-fsfreeze-thaw", True, id="thaw: a guest must not stay frozen"),
        pytest.param("guest-set-vcpus", True, id="the same processors"),
        pytest.param("guest-fsfreeze-freeze", False, id="freeze: refused when frozen"),
        pytest.param("guest-set-time", False, id="a time that has passed"),
        pytest.param("guest-exec", False, id="a program"),
        pytest.param("guest-exec-status", False, id="tells the end of a program once"),
        pytest.param("guest-file-read", False, id="goes on in the file"),
        pytest.param("guest-file-write", False, id="writes"),
        pytest.param("guest-shutdown", False, id="a second reboot"),
        pytest.param("guest-invented", False, id="unknown"),
    ],
)
def test_which_commands_may_be_sent_again(command: str, again: bool) -> None:
    """After a reply that was lost: only what leaves the same when it is done twice."""
    assert catalog.agent_is_idempotent(command) is again
