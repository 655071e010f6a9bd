"""What the journal says of deeds: enough to know what may have been done, and no secret."""

import json

import pytest

from reactor.app.calls import Deed
from reactor.app.records import Asking, asked_as, intent_row, outcome_rows
from reactor.core.effect import AskFree, AskPath, CallAgent, CallHttp, Execute, StartProgram
from reactor.core.inputs import Answered


@pytest.mark.parametrize(
    ("deed", "command", "arguments"),
    [
        pytest.param(
            Execute("r-1/1", "web-1", "balloon", {"value": 1}, 9.0, run="r-1"),
            "balloon",
            {"value": 1},
            id="QMP",
        ),
        pytest.param(
            CallAgent("r-1/1", "web-1", "guest-set-vcpus", {"vcpus": []}, 9.0, run="r-1"),
            "agent guest-set-vcpus",
            {"vcpus": []},
            id="agent",
        ),
        pytest.param(
            CallAgent(
                "r-1/1",
                "web-1",
                "guest-set-user-password",
                {"username": "anna", "password": "czNjcmV0", "crypted": False},
                9.0,
                run="r-1",
            ),
            "agent guest-set-user-password",
            {"username": "anna", "password": "***", "crypted": False},
            id="a password for the guest",
        ),
        pytest.param(
            Execute("r-1/1", "web-1", "set_password", {"password": "s3cret"}, 9.0, run="r-1"),
            "set_password",
            {"password": "***"},
            id="a password for the screen",
        ),
        pytest.param(
            Execute(
                "r-1/1",
                "web-1",
                "object-add",
                {"qom-type": "secret", "data": "s3cret"},
                9.0,
                run="r-1",
            ),
            "object-add",
            {"qom-type": "secret", "data": "***"},
            id="a secret of QEMU",
        ),
        pytest.param(
            Execute(
                "r-1/1", "web-1", "object-add", {"qom-type": "x", "data": "all"}, 9.0, run="r-1"
            ),
            "object-add",
            {"qom-type": "x", "data": "all"},
            id="another object",
        ),
        pytest.param(
            CallHttp(
                "r-1/1",
                "web-1",
                "POST",
                "https://anna:s3cret@h:8443/hook?token=s3cret",
                {"Authorization": "Bearer s3cret"},
                9.0,
                json={"password": "s3cret"},
                has_body=True,
                run="r-1",
            ),
            "http POST https://h:8443/hook",
            {},
            id="HTTP",
        ),
        pytest.param(
            StartProgram("r-1/1", "web-1", "/usr/local/bin/page", ("web-1", "a b"), 9.0, "r-1"),
            "exec /usr/local/bin/page",
            {"arguments": ["web-1", "a b"]},
            id="program",
        ),
    ],
)
def test_an_intent(deed: Deed, command: str, arguments: object) -> None:
    """The command as people read it, its arguments as JSON, whose it is."""
    row = intent_row(5.0, deed)
    assert (row.id, row.at, row.guest, row.run) == ("r-1/1", 5.0, "web-1", "r-1")
    assert row.command == command
    assert json.loads(row.arguments) == arguments
    assert "s3cret" not in repr(row)


@pytest.mark.parametrize(
    ("effect", "guest", "name", "outcomes"),
    [
        (
            Execute("q-1", "web-1", "query-status", {}, 9.0, changes=False),
            "web-1",
            "query-status",
            0,
        ),
        (Execute("r.1", "web-1", "stop", {}, 9.0), "web-1", "stop", 1),
        (CallAgent("r.1", "web-1", "guest-ping", {}, 9.0), "web-1", "agent guest-ping", 1),
        (AskPath("r.1", "/var/crash/x"), "", "path", 0),
        (AskFree("r.1", "/var/crash"), "", "free /var/crash", 0),
    ],
)
def test_what_was_asked_has_a_name_without_secrets(
    effect: Asking, guest: str, name: str, outcomes: int
) -> None:
    """The same that the intent has, if there is one; the host's own belong to no guest."""
    asked = asked_as(effect)
    assert (asked.guest, asked.what) == (guest, name)
    assert len(outcome_rows(1.0, Answered(effect.id), asked)) == outcomes
