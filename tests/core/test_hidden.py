"""Secrets in the arguments of commands stay out of the journal, wherever they stand in them."""

from collections.abc import Mapping

import pytest

from reactor.core.hidden import holds_secrets, request_shown, without_secrets
from tests.core.simulation import Host, document


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        pytest.param({"id": "d0"}, {"id": "d0"}, id="none"),
        pytest.param({"password": "s"}, {"password": "***"}, id="a password"),
        pytest.param({"password": ""}, {"password": "***"}, id="an empty password"),
        pytest.param(
            {"qom-type": "secret", "id": "k", "data": "s"},
            {"qom-type": "secret", "id": "k", "data": "***"},
            id="an object that is a secret",
        ),
        pytest.param(
            {"qom-type": "secret_keyring", "props": {"data": "s", "format": "raw"}},
            {"qom-type": "secret_keyring", "props": {"data": "***", "format": "raw"}},
            id="an object as of old",
        ),
        pytest.param(
            {"actions": [{"type": "x", "data": {"node": "n"}}]},
            {"actions": [{"type": "x", "data": {"node": "n"}}]},
            id="data that are no secret",
        ),
        pytest.param(
            {"driver": "raw", "file": {"driver": "https", "url": "u", "cookie": "s"}},
            {"driver": "raw", "file": {"driver": "https", "url": "u", "cookie": "***"}},
            id="a disk that comes over the web",
        ),
        pytest.param(
            {"options": [{"file": {"cookie": "s", "n": [1, [{"password": "s"}]]}}]},
            {"options": [{"file": {"cookie": "***", "n": [1, [{"password": "***"}]]}}]},
            id="deep within",
        ),
        pytest.param(
            {"path": "/bin/login", "input-data": "s"},
            {"path": "/bin/login", "input-data": "***"},
            id="what a program in the guest reads",
        ),
        pytest.param(
            {"command-line": "set_password vnc s"},
            {"command-line": "set_password ***"},
            id="a line for people's monitor",
        ),
        pytest.param(
            {"command-line": "  change vnc password s"},
            {"command-line": "change vnc ***"},
            id="such a line with blanks",
        ),
        pytest.param(
            {"command-line": "change cd0 /srv/rescue.iso"},
            {"command-line": "change cd0 /srv/rescue.iso"},
            id="another medium",
        ),
        pytest.param(
            {"path": "/objects/k", "property": "data", "value": "s"},
            {"path": "/objects/k", "property": "data", "value": "***"},
            id="a property of such an object",
        ),
        pytest.param(
            {"path": "/objects/k", "property": "size", "value": 7},
            {"path": "/objects/k", "property": "size", "value": 7},
            id="another property",
        ),
        pytest.param(
            {"command-line": "info block"}, {"command-line": "info block"}, id="a harmless line"
        ),
        pytest.param({"command-line": "change"}, {"command-line": "change"}, id="half a line"),
        pytest.param({"command-line": 7}, {"command-line": 7}, id="no line at all"),
    ],
)
def test_what_is_kept_of_arguments(
    given: Mapping[str, object], shown: Mapping[str, object]
) -> None:
    """All but the secret itself."""
    assert without_secrets(given) == shown
    assert holds_secrets(given) is holds_secrets(shown) is (given != shown)


@pytest.mark.parametrize(
    ("request_", "shown"),
    [
        pytest.param(("https://h/x", None, None), {"url": "https://h/x"}, id="no secret"),
        pytest.param(
            ("https://u:s@h:8/x?token=s#s", {"Authorization": "s"}, {"a": "s"}),
            {"url": "https://h:8/x", "headers": {"Authorization": "***"}, "json": "***"},
            id="everywhere",
        ),
        pytest.param(("https://h?s", None, None), {"url": "https://h"}, id="no path"),
        pytest.param(("<error: x>", None, None), {"url": "<error: x>"}, id="no address"),
    ],
)
def test_what_is_told_of_a_request(
    request_: tuple[object, object, object], shown: Mapping[str, object]
) -> None:
    """Where it would go."""
    assert request_shown(*request_) == shown


@pytest.mark.parametrize(
    "step",
    [
        "{qmp: set_password, args: {protocol: vnc, password: s3cret}}",
        "{agent: guest-set-user-password, args: {username: a, password: s3cret, crypted: false}}",
        "{qmp: object-add, args: {qom-type: secret, id: k, data: s3cret}}",
        "{http: {method: PUT, url: 'https://u:s3cret@h?s3cret', headers: {A: s3cret}, json: b}}",
    ],
)
def test_an_audit_tells_no_secret(step: str) -> None:
    """It keeps its first step as it would run, where operators and journal see it."""
    host = Host([document("p", f"[{step}]", more="enforcement: audit\n")]).connect()
    host.event("web-1", "GO", {})
    host.run(1)
    (trace,) = host.traces("would run")
    assert "s3cret" not in str(trace)
    assert "***" in str(trace.values)
