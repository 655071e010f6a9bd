"""Requests to a real server: what comes back, what is told, and what never goes anywhere."""

import asyncio
import base64
import json
import logging
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from reactor.adapters.http import HttpClient, Limits, shown_url
from reactor.core.effect import CallHttp
from reactor.core.inputs import Answered, Refusal
from tests.fakes.web import Server, make_certificate

pytestmark = pytest.mark.asyncio


def call(
    url: str,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    expect: tuple[int, ...] = (200,),
    **body: object,
) -> CallHttp:
    """What the core asks for; `json` is the body where it is given."""
    has_body = "json" in body
    return CallHttp(
        "q1",
        "web-1",
        method,
        url,
        headers or {},
        deadline=0.0,
        json=body.get("json"),
        has_body=has_body,
        expect=expect,
    )


async def echoed(client: HttpClient, asked: CallHttp) -> dict[str, object]:
    """The request as the server saw it."""
    answer = await client.send(asked, 5.0)
    assert isinstance(answer.result, dict), answer
    told: dict[str, object] = json.loads(answer.result["body"])
    return told


async def eventually(condition: Callable[[], object], limit_s: float = 5.0) -> None:
    """Wait until it holds; TimeoutError when it does not within the limit."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.002)


# --------------------------------------------------------------- what goes out


async def test_a_request_without_a_body(client: HttpClient, server: Server) -> None:
    """Only what must be there is sent with it."""
    told = await echoed(client, call(server.url("/echo?a=1"), headers={"X-Own": "ü"}))
    assert (told["method"], told["path"], told["body"]) == ("GET", "/echo?a=1", "")
    headers = told["headers"]
    assert isinstance(headers, dict)
    assert headers.pop("x-own").encode("latin-1") == "ü".encode()
    assert headers == {
        "host": f"127.0.0.1:{server.port}",
        "accept": "*/*",
        "accept-encoding": "identity",
        "user-agent": "reactor/0",
    }


@pytest.mark.parametrize(
    ("value", "body"),
    [
        pytest.param({"text": "ü", "n": 1}, '{"text":"ü","n":1}', id="an object"),
        pytest.param(None, "null", id="null is a body"),
        pytest.param("text", '"text"', id="a string"),
    ],
)
async def test_a_request_with_a_body(
    client: HttpClient, server: Server, value: object, body: str
) -> None:
    """It is JSON, and says so."""
    told = await echoed(client, call(server.url("/echo"), "POST", json=value))
    assert (told["method"], told["body"]) == ("POST", body)
    headers = told["headers"]
    assert isinstance(headers, dict)
    assert headers["content-type"] == "application/json"


async def test_headers_of_the_policy_win(client: HttpClient, server: Server) -> None:
    """Also where one has a default."""
    given = {"Content-Type": "application/problem+json", "User-Agent": "me", "ACCEPT": " x "}
    told = await echoed(client, call(server.url("/echo"), "PUT", given, json={}))
    headers = told["headers"]
    assert isinstance(headers, dict)
    assert headers["content-type"] == "application/problem+json"
    assert headers["user-agent"] == "me"
    assert headers["accept"] == "x"


async def test_a_user_in_the_address(client: HttpClient, server: Server) -> None:
    """Goes out as basic authentication; a header of the policy wins."""
    url = server.url("/echo", user="anna:p%40ss-word@")
    await client.send(call(url), 5.0)
    words = server.got[-1].headers["authorization"].split()
    assert words[0] == "Basic"
    assert base64.b64decode(words[1]) == b"anna:p@ss-word"
    await client.send(call(url, headers={"Authorization": "Bearer 1234"}), 5.0)
    assert server.got[-1].headers["authorization"] == "Bearer 1234"


async def test_no_cookie_is_kept(client: HttpClient, server: Server) -> None:
    """What one policy's server set does not go out with another's request."""
    await client.send(call(server.url("/cookie")), 5.0)
    told = await echoed(client, call(server.url("/echo")))
    assert "cookie" not in str(told["headers"])


async def test_no_proxy_of_the_environment(
    client: HttpClient, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nor a `.netrc`: what the daemon does must not depend on who started it."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    told = await echoed(client, call(server.url("/echo")))
    assert "authorization" not in str(told["headers"])


# ------------------------------------------------------------- what comes back


async def test_the_result_of_a_request(client: HttpClient, server: Server) -> None:
    """Status, text, and its value where it is JSON."""
    answer = await client.send(call(server.url('/status/200?{"a":[1,2.5,null]}')), 5.0)
    assert answer == Answered(
        "q1",
        result={"status": 200, "body": '{"a":[1,2.5,null]}', "json": {"a": [1, 2.5, None]}},
    )


@pytest.mark.parametrize(
    ("path", "body", "value"),
    [
        pytest.param("/status/200?text", "text", None, id="no JSON"),
        pytest.param("/status/200?", "", None, id="nothing"),
        pytest.param("/status/200?7", "7", 7, id="a number"),
        pytest.param("/status/200?" + "[" * 5000, "[" * 5000, None, id="too deep"),
        pytest.param(
            "/raw?content_type=text/plain;charset=latin-1|\xfc", "ü", None, id="another charset"
        ),
        pytest.param("/raw?content_type=text/plain;charset=no|a", "a", None, id="unknown charset"),
        pytest.param("/raw?x=y|\xfc", "�", None, id="no text"),
        pytest.param("/raw?content_encoding=gzip|7", "", None, id="compressed, unasked"),
        pytest.param("/raw?content_encoding=identity|7", "7", 7, id="not compressed"),
        pytest.param("/broken", '{"half": 1', None, id="broken off"),
    ],
)
async def test_the_body(
    client: HttpClient, server: Server, path: str, body: str, value: object
) -> None:
    """As text; it has a value only where it is whole and JSON."""
    answer = await client.send(call(server.url(path)), 5.0)
    assert answer.result == {"status": 200, "body": body, "json": value}


@pytest.mark.parametrize("size", [65535, 65536, 65537, 50_000_000])
async def test_64_kib_of_a_body_are_kept(client: HttpClient, server: Server, size: int) -> None:
    """The rest is not even read."""
    answer = await client.send(call(server.url(f"/bytes/{size}")), 5.0)
    assert answer.result == {"status": 200, "body": "x" * min(size, 65536), "json": None}


async def test_a_body_that_is_cut_has_no_value(server: Server) -> None:
    """A number that was cut would be another number."""
    tight = HttpClient(limits=Limits(body_bytes=4))
    assert (await tight.send(call(server.url("/status/200?1234")), 5.0)).result == {
        "status": 200,
        "body": "1234",
        "json": 1234,
    }
    assert (await tight.send(call(server.url("/status/200?12345")), 5.0)).result == {
        "status": 200,
        "body": "1234",
        "json": None,
    }
    await tight.close()


@pytest.mark.parametrize(
    ("path", "expect", "error"),
    [
        pytest.param("/status/201", (200, 201), None, id="one of the expected"),
        pytest.param("/redirect/302?/x", (302,), None, id="a redirect that is expected"),
        pytest.param("/status/201", (200,), "201 Created", id="another"),
        pytest.param(
            "/status/500?db%20is%20down", (200,), "500 Internal Server Error: db is down", id="why"
        ),
        pytest.param("/status/599?a%0Ab%1b", (200,), "599: a b?", id="a status of its own"),
        pytest.param(
            "/status/404?" + "x" * 999, (200,), f"404 Not Found: {'x' * 200}...", id="long"
        ),
        pytest.param("/status/302?", (200,), "302 Found", id="a redirect to nowhere"),
    ],
)
async def test_the_expected_status(
    client: HttpClient, server: Server, path: str, expect: tuple[int, ...], error: str | None
) -> None:
    """Any other is an error that tells what the server said."""
    answer = await client.send(call(server.url(path), expect=expect), 5.0)
    assert answer.error == (None if error is None else Refusal("Status", error))
    assert (answer.result is None) is (error is not None)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "shown"),
    [
        pytest.param("https://evil.test/x?token=abcd", "https://evil.test/x", id="elsewhere"),
        pytest.param("/other?token=abcd", "http://127.0.0.1:PORT/other", id="on the same server"),
        pytest.param("//evil.test/x", "http://evil.test/x", id="without a scheme"),
        pytest.param("http://a:b@evil.test:8/", "http://evil.test:8/", id="with a user"),
        pytest.param("http://[::1]:8/", "http://[::1]:8/", id="IPv6"),
        pytest.param("http://[", "a wrong address", id="nonsense"),
        pytest.param("http://h:x/", "a wrong address", id="no port"),
    ],
)
async def test_a_redirect_is_an_error_that_names_its_target(
    client: HttpClient, server: Server, code: int, location: str, shown: str
) -> None:
    """It is never followed: a request may hold what only its own server may know."""
    answer = await client.send(call(server.url(f"/redirect/{code}?{location}")), 5.0)
    assert answer.error is not None
    assert answer.error.error_class == "Redirect"
    assert f"leads to {shown.replace('PORT', str(server.port))}, and" in answer.error.description
    assert len(server.got) == 1


# ---------------------------------------------------------------- time limits


async def test_a_server_that_does_not_answer(client: HttpClient, server: Server) -> None:
    """The request was sent: what became of it nobody knows."""
    answer = await client.send(call(server.url("/silent?token=abcd"), "POST"), 1.0)
    where = server.url("/silent")
    assert answer == Answered("q1", lost=f"{where} did not answer within 1 s")


async def test_a_body_that_drips_is_cut_at_the_time(client: HttpClient, server: Server) -> None:
    """The time is that of the whole request; the status counts, it has come."""
    answer = await client.send(call(server.url("/drip")), 1.0)
    assert isinstance(answer.result, dict)
    assert answer.result["status"] == 200
    assert set(answer.result["body"]) <= {"."}


async def test_a_host_that_takes_no_connection(client: HttpClient) -> None:
    """Nothing was sent; that is certain, and an error."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        # The listen queue is full: the system lets the next one wait.
        fillers = [socket.socket() for _ in range(8)]
        for filler in fillers:
            filler.setblocking(False)  # noqa: FBT003 - by place only
            filler.connect_ex(("127.0.0.1", port))
        answer = await client.send(call(f"http://127.0.0.1:{port}/x"), 0.3)
        for filler in fillers:
            filler.close()
    problem = f"http://127.0.0.1:{port}/x: no connection within 0.3 s"
    assert answer.error == Refusal("Unreachable", problem)


async def test_nobody_listens(client: HttpClient) -> None:
    """An error at once."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    answer = await client.send(call(f"http://127.0.0.1:{port}/x?token=abcd"), 5.0)
    assert answer.error is not None
    assert answer.error.error_class == "Unreachable"
    assert answer.error.description.startswith(f"http://127.0.0.1:{port}/x: ")


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("no-such-host.invalid", id="unknown"),
        pytest.param("a..b", id="an empty part"),
        pytest.param("a" * 64 + ".invalid", id="a part too long"),
        pytest.param("1.2.3.4.5", id="nearly an address"),
    ],
)
async def test_a_name_that_nobody_knows(client: HttpClient, host: str) -> None:
    """The same."""
    answer = await client.send(call(f"http://{host}/"), 10.0)
    assert answer.error is not None
    assert answer.error.error_class == "Unreachable"


@pytest.mark.parametrize("path", ["/cut", "/garbage"])
async def test_an_answer_that_is_none(client: HttpClient, server: Server, path: str) -> None:
    """It was sent: its outcome is unknown."""
    answer = await client.send(call(server.url(path), "POST"), 5.0)
    assert answer.lost.startswith(f"{server.url(path)} did not answer: ")


# ------------------------------------------------------------------------ TLS


async def test_a_certificate_that_nobody_vouches_for(client: HttpClient, tmp_path: Path) -> None:
    """Nothing was sent to whoever that is."""
    context, _ = make_certificate(tmp_path)
    with Server(context) as server:
        answer = await client.send(call(server.url("/echo", "localhost")), 5.0)
        assert server.got == []
    assert answer.error is not None
    assert answer.error.error_class == "Unreachable"
    assert "CERTIFICATE_VERIFY_FAILED" in answer.error.description


@pytest.mark.parametrize(
    ("name", "is_right"),
    [
        pytest.param("localhost", True, id="its name"),
        pytest.param("elsewhere.test", False, id="another name"),
    ],
)
async def test_a_certificate_of_an_authority_of_the_system(
    client: HttpClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    is_right: bool,
) -> None:
    """It must stand for the host that is asked."""
    context, certificate = make_certificate(tmp_path, name)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with Server(context) as server:
        answer = await client.send(call(server.url("/status/200?7", "localhost")), 5.0)
        assert len(server.got) == is_right
    assert (answer.error is None) is is_right


# --------------------------------------------------------- what is not sent


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        pytest.param({"url": "ftp://h/x"}, "must be like http://host/path", id="scheme"),
        pytest.param({"url": "file:///etc/passwd"}, "must be like", id="a file"),
        pytest.param({"url": "http:///x"}, "must be like", id="no host"),
        pytest.param({"url": ""}, "must be like", id="nothing"),
        pytest.param({"url": "http://h/a b"}, "holds a space", id="a space"),
        pytest.param({"url": "http://h/a\r\nX: y"}, "holds a space, a line break", id="a line"),
        pytest.param({"url": "http://h/\x00"}, "control character", id="a NUL"),
        pytest.param({"url": "http://h:x/"}, "must be like", id="no port"),
        pytest.param({"url": "http://h:65536/"}, "must be like", id="port too high"),
        pytest.param({"url": "http://[/"}, "must be like", id="brackets"),
        pytest.param({"url": "http://[::1%25eth0]/"}, "must be like", id="a zone"),
        pytest.param({"url": "http://xn--.de/"}, "must be like", id="a wrong foreign name"),
        pytest.param({"url": "http://a%5b/"}, "must be like", id="no name of a host"),
        pytest.param({"url": f"http://{'a' * 254}/"}, "must be like", id="a host too long"),
        pytest.param({"method": "get"}, "'get' is no method", id="method in small letters"),
        pytest.param({"method": "G T"}, "is no method", id="method with a space"),
        pytest.param({"headers": {"a b": "x"}}, "'a b' is no name of a header", id="name"),
        pytest.param({"headers": {"": "x"}}, "'' is no name of a header", id="no name"),
        pytest.param({"headers": {"A\r\nB": "x"}}, "is no name of a header", id="line in name"),
        pytest.param({"headers": {"A": "x\r\nB: y"}}, "value of the header A holds", id="lines"),
        pytest.param({"headers": {"A": "x\ny"}}, "value of the header A holds", id="a line feed"),
        pytest.param({"headers": {"A": "x\0"}}, "value of the header A holds", id="NUL"),
        pytest.param({"headers": {"Host": "x"}}, "belongs to the connection", id="host"),
        pytest.param({"headers": {"content-length": "1"}}, "belongs to the conn", id="length"),
        pytest.param({"headers": {"Transfer-Encoding": "x"}}, "belongs to the", id="encoding"),
    ],
)
async def test_a_request_that_cannot_be_sent(
    client: HttpClient, server: Server, changed: dict[str, object], problem: str
) -> None:
    """A value from a template is never a second header or request."""
    asked = call(server.url("/echo"))
    fields = {name: getattr(asked, name) for name in asked.__struct_fields__} | changed
    answer = await client.send(CallHttp(**fields), 5.0)
    assert answer.error is not None
    assert answer.error.error_class == "Request"
    assert problem in answer.error.description
    assert server.got == []
    assert client.counters.requests == 0


# -------------------------------------------------------------------- secrets

SECRETS = ("s3cret-token", "p4ssword", "abc-key", "cr0ss")


@pytest.mark.parametrize(
    "path", ["/echo", "/status/500", "/redirect/302?http://h/s3cret-token", "/cut", "/silent"]
)
async def test_secrets_of_a_request_are_never_told(
    client: HttpClient, server: Server, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in results and errors, though a server may repeat them, nor in any log line."""
    headers = {"Authorization": "Bearer s3cret-token", "X-Api-Key": "abc-key", "Cookie": "x=cr0ss"}
    if path == "/status/500":
        path += "?s3cret-token%20p4ssword%20abc-key%20x=cr0ss"
    url = server.url(path, user="anna:p4ssword@")
    with caplog.at_level(logging.INFO):
        limit_s = 1.0 if path == "/silent" else 5.0
        answer = await client.send(call(url, "POST", headers, json={}), limit_s)
    assert len(server.got) == 1
    assert "s3cret-token" in server.got[0].headers["authorization"]
    told = repr(answer) + caplog.text
    assert [secret for secret in SECRETS if secret in told] == []


async def test_wrong_requests_tell_no_secret(client: HttpClient) -> None:
    """The address is not repeated where it cannot be read."""
    for url in ("http://anna:p4ssword@[/", "ftp://anna:p4ssword@h/", "http://anna:p4ssword@h/ x"):
        answer = await client.send(call(url), 1.0)
        assert answer.error is not None
        assert "p4ssword" not in answer.error.description


async def test_short_words_are_not_hidden(client: HttpClient, server: Server) -> None:
    """They stand in every text by chance."""
    answer = await client.send(call(server.url("/status/200?a1b", user="a:1@")), 5.0)
    assert answer.result == {"status": 200, "body": "a1b", "json": None}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h/a/b?token=x#y", "https://h/a/b"),
        ("http://anna:x@h:8080/", "http://h:8080/"),
        ("http://[::1]/", "http://[::1]/"),
        ("https://h:443", "https://h/"),
        ("http://[", "a wrong address"),
        ("http://h:65535/", "http://h:65535/"),
        ("http://h:65536/", "a wrong address"),
        ("http://h:x/", "a wrong address"),
        ("nonsense", "a wrong address"),
    ],
)
async def test_how_an_address_is_shown(url: str, shown: str) -> None:
    """Without what may be a secret."""
    assert shown_url(url) == shown


# --------------------------------------------------------------------- bounds


async def test_a_bounded_number_is_under_way(server: Server) -> None:
    """The others take their turn, and their time runs meanwhile."""
    client = HttpClient(limits=Limits(at_once=2))
    tasks = [asyncio.create_task(client.send(call(server.url("/silent")), 5.0)) for _ in range(2)]
    await eventually(lambda: len(server.got) == 2)
    late = await client.send(call(server.url("/echo")), 0.1)
    assert late == Answered("q1", unsent="other HTTP requests took all of its 0.1 s")
    assert len(server.got) == 2
    server.release.set()
    assert [(await task).result is not None for task in tasks] == [True, True]
    for _ in range(3):
        assert (await client.send(call(server.url("/status/200")), 5.0)).result is not None
    await client.close()


@pytest.mark.parametrize(("waiting", "refused"), [(1, False), (2, False), (3, True)])
async def test_a_bounded_number_waits(server: Server, waiting: int, refused: bool) -> None:
    """Beyond it a request is not sent, and it is known at once."""
    client = HttpClient(limits=Limits(at_once=1, waiting=2))
    tasks = [
        asyncio.create_task(client.send(call(server.url("/silent")), 5.0)) for _ in range(waiting)
    ]
    await eventually(lambda: server.got)
    late = await client.send(call(server.url("/echo")), 0.1)
    words = "3 HTTP requests wait already" if refused else "other HTTP requests took"
    assert words in late.unsent
    assert client.counters.unsent == refused
    server.release.set()
    await asyncio.gather(*tasks)
    await client.close()


async def test_a_client_that_sent_nothing_can_be_closed() -> None:
    """There is nothing to let go of."""
    await HttpClient().close()
