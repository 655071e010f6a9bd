"""What a policy wants to send, checked before anything leaves, and what must never be shown.

Values come out of templates, so a guest's name or an event's data may stand in them: a line
break in a header or address would be a second header or request.
"""

import base64
import re
import unicodedata
from dataclasses import dataclass

import httpx
import msgspec

from reactor.core.effect import CallHttp
from reactor.core.hidden import HIDDEN

_METHOD = re.compile(r"[A-Z]{1,20}")
# Source: RFC 9110, 5.6.2 (token).
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST = re.compile(r"[a-z0-9._-]{1,253}|[0-9a-f.]*:[0-9a-f:.]*", re.IGNORECASE)
_PORT_MAX = 65535
_FRAMING = frozenset({"connection", "content-length", "host", "transfer-encoding", "upgrade"})
_SECRET_NAME = re.compile(r"auth|cookie|token|secret|passw|key|signature|credential", re.IGNORECASE)
_SECRET_LENGTH = 4
"""Shorter ones are in every text by chance; to hide them there would hide nothing."""


class WrongRequestError(Exception):
    """The request cannot be sent as it is; the text is for the author of the policy."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request as it goes out; ``secrets`` are the texts that no answer may give back."""

    request: httpx.Request
    secrets: tuple[str, ...]

    def hide(self, text: str) -> str:
        """The text without the secrets of the request: a server may repeat what it got."""
        for secret in self.secrets:
            text = text.replace(secret, HIDDEN)
        return text


def shown_url(text: str) -> str:
    """Where a request goes, for people: no user, password or query, in which tokens stand."""
    url = _parsed(text)
    if url is None:
        return "a wrong address"
    host = f"[{url.host}]" if ":" in url.host else url.host
    port = "" if url.port is None else f":{url.port}"
    return f"{url.scheme}://{host}{port}{url.path}"


def prepare(call: CallHttp, user_agent: str) -> Prepared:
    """The request that is meant.

    Raises:
        WrongRequestError: method, address or a header cannot be sent.
    """
    url = _url(call.url)
    headers = {"accept": "*/*", "accept-encoding": "identity", "user-agent": user_agent}
    if call.has_body:
        headers["content-type"] = "application/json"
    if url.userinfo:
        headers["authorization"] = f"Basic {base64.b64encode(_user(url)).decode('ascii')}"
    for name, value in call.headers.items():
        headers[name.lower()] = _checked(name, value)
    if not _METHOD.fullmatch(call.method):
        raise WrongRequestError(f"{call.method!r} is no method: write GET, POST, PUT, ...")
    request = httpx.Request(
        call.method,
        url.copy_with(userinfo=b""),
        headers=[(name.encode("ascii"), value.encode()) for name, value in headers.items()],
        content=msgspec.json.encode(call.json) if call.has_body else None,
    )
    return Prepared(request, _secrets(url, headers))


def _parsed(text: str) -> httpx.URL | None:
    """The address with a host that can be looked up, or None: httpx itself takes nearly all."""
    try:
        url = httpx.URL(text)
        known = url.scheme and url.host and _HOST.fullmatch(url.raw_host.decode("ascii"))
    except (httpx.InvalidURL, ValueError):  # ValueError: its host begins with a wrong xn--
        return None
    return url if known and (url.port or 0) <= _PORT_MAX else None


def _url(text: str) -> httpx.URL:
    # The address itself is not told: a password may stand in it.
    if any(unicodedata.category(char) == "Cc" or char.isspace() for char in text):
        raise WrongRequestError("the address holds a space, a line break or a control character")
    url = _parsed(text)
    if url is None or url.scheme not in {"http", "https"}:
        raise WrongRequestError("the address must be like http://host/path or https://host:1/path")
    return url


def _user(url: httpx.URL) -> bytes:
    return f"{url.username}:{url.password}".encode()


def _checked(name: str, value: str) -> str:
    if not _NAME.fullmatch(name):
        raise WrongRequestError(f"{name!r} is no name of a header")
    if name.lower() in _FRAMING:
        raise WrongRequestError(f"the header {name} belongs to the connection: leave it out")
    if any(unicodedata.category(char) == "Cc" for char in value):
        problem = f"the value of the header {name} holds a line break or a control character"
        raise WrongRequestError(problem)
    return value.strip()


def _secrets(url: httpx.URL, headers: dict[str, str]) -> tuple[str, ...]:
    found = {url.username, url.password}
    for name, value in headers.items():
        if _SECRET_NAME.search(name):
            found |= {value, value.partition(" ")[2]}
    long = {text for text in found if len(text) >= _SECRET_LENGTH}
    # The longest first: one may hold another.
    return tuple(sorted(long, key=lambda text: (-len(text), text)))
