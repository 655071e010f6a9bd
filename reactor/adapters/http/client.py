"""Sending HTTP requests: bounded in time, number and size, and nowhere but where they are sent.

httpx's transport is used without its client: cookies of one policy's server must not
go out with another's request, redirects are not followed, and no proxy or ``.netrc`` of
the shell that started the daemon takes part. No connection is kept: one that died while
idle would leave open whether a request was carried out.
"""

import asyncio
import contextlib
import http
import ssl
from dataclasses import dataclass, field

import httpx
import msgspec

from reactor.adapters.http.request import Prepared, WrongRequestError, prepare, shown_url
from reactor.core.effect import CallHttp
from reactor.core.foreign import UNREADABLE
from reactor.core.inputs import Answered, Refusal

_EXCERPT = 200
"""Characters of an answer that are told when its status is not the expected one."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Limits:
    """``at_once`` requests are under way, ``waiting`` more wait for their turn.

    Of an answer ``body_bytes`` are kept, and the rest is not read.
    """

    at_once: int = 16
    waiting: int = 256
    body_bytes: int = 64 * 1024


@dataclass(slots=True)
class Counters:
    """What was sent since the start; ``unsent`` found too many waiting."""

    requests: int = 0
    unsent: int = 0


@dataclass(slots=True)
class _Way:
    """How far a request has come; ``deadline`` is on the loop's clock."""

    deadline: float
    has_turn: bool = False
    is_sent: bool = False

    async def trace(self, name: str, _info: object) -> None:
        """Told by httpcore at each step of a request."""
        if name.endswith(".send_request_headers.started"):
            self.is_sent = True


@dataclass(slots=True)
class HttpClient:
    """Sends the requests of all policies; use it inside a running loop.

    TLS certificates are checked against the system's authorities (``SSL_CERT_FILE`` and
    ``SSL_CERT_DIR``, as OpenSSL reads them).
    """

    user_agent: str = "qemu-reactor"
    limits: Limits = field(default_factory=Limits)
    counters: Counters = field(default_factory=Counters)
    _present: int = 0
    _slots: asyncio.Semaphore = field(init=False)
    _transport: httpx.AsyncHTTPTransport | None = None

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.limits.at_once)

    async def send(self, call: CallHttp, timeout_s: float) -> Answered:
        """What became of a request, within this many seconds over all.

        ``result`` is ``{status, body, json}`` when the status is an expected one: ``body``
        the text, ``json`` its value where it is whole and JSON. ``error`` is another status
        or redirect, an address that cannot be reached, a request that cannot be sent;
        ``lost``: it was sent, and no answer came.
        """
        if self._present >= self.limits.at_once + self.limits.waiting:
            self.counters.unsent += 1
            return Answered(call.id, unsent=f"{self._present} HTTP requests wait already")
        self._present += 1
        way = _Way(asyncio.get_running_loop().time() + timeout_s)
        try:
            prepared = prepare(call, self.user_agent)
            async with asyncio.timeout_at(way.deadline):
                await self._slots.acquire()
            try:
                way.has_turn = True
                return await self._exchange(call, prepared, way)
            finally:
                self._slots.release()
        except (WrongRequestError, httpx.LocalProtocolError) as error:
            return _error(call, "Request", str(error))
        except TimeoutError:
            return _too_late(call, way, timeout_s)
        except httpx.TransportError as error:
            return _broken(call, way, error)
        finally:
            self._present -= 1

    async def close(self) -> None:
        """Let go of what is left of connections."""
        if self._transport is not None:
            await self._transport.aclose()

    async def _exchange(self, call: CallHttp, prepared: Prepared, way: _Way) -> Answered:
        request = prepared.request
        request.extensions["trace"] = way.trace
        async with asyncio.timeout_at(way.deadline):
            transport = await self._ready()
            self.counters.requests += 1
            response = await transport.handle_async_request(request)
        try:
            body, is_whole = await self._body(response, way.deadline)
        finally:
            await response.aclose()
        text = prepared.hide(_text(response, body))
        if response.status_code in call.expect:
            value = _json(text) if is_whole else None
            result = {"status": response.status_code, "body": text, "json": value}
            return Answered(call.id, result=result)
        return _refused(call, response, prepared.hide(_target(response, request.url)), text)

    async def _ready(self) -> httpx.AsyncHTTPTransport:
        if self._transport is None:
            # Reading the authorities takes a while.
            context = await asyncio.to_thread(ssl.create_default_context)
            none_kept = httpx.Limits(max_keepalive_connections=0)
            self._transport = httpx.AsyncHTTPTransport(verify=context, limits=none_kept)
        return self._transport

    async def _body(self, response: httpx.Response, deadline: float) -> tuple[bytes, bool]:
        """What is kept of the body, and whether that is all of it.

        The status has come: the request is answered, also when its body breaks off or its
        time is over.
        """
        limit = self.limits.body_bytes
        body = bytearray()
        # Only `identity` was asked for: what is compressed all the same would be noise.
        if response.headers.get("content-encoding", "identity") != "identity":
            return b"", False
        is_whole = False
        with contextlib.suppress(httpx.TransportError, TimeoutError):
            async with asyncio.timeout_at(deadline):
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > limit:
                        break
                else:
                    is_whole = True
        return bytes(body[:limit]), is_whole


def _text(response: httpx.Response, body: bytes) -> str:
    try:
        return body.decode(response.charset_encoding or "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _json(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except UNREADABLE:
        return None


def _target(response: httpx.Response, url: httpx.URL) -> str:
    """Where a redirect leads, as people read it; empty when it is none."""
    location = response.headers.get("location", "")
    if response.status_code not in _REDIRECTS or not location:
        return ""
    try:
        return shown_url(str(url.join(location)))
    except httpx.InvalidURL:
        return shown_url(location)


def _refused(call: CallHttp, response: httpx.Response, target: str, text: str) -> Answered:
    status = _status(response.status_code)
    if target:
        problem = f"{status} leads to {_excerpt(target)}, and redirects are not followed"
        return _error(call, "Redirect", f"{problem}: write the address that is meant")
    words = _excerpt(text)
    return _error(call, "Status", f"{status}: {words}" if words else status)


def _status(code: int) -> str:
    try:
        return f"{code} {http.HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


def _excerpt(text: str) -> str:
    """The start of a text, on one line, safe to print: what stands there may come from anybody."""
    line = " ".join(text[: 2 * _EXCERPT].split())
    shown = "".join(char if char.isprintable() else "?" for char in line[:_EXCERPT])
    return shown + ("..." if len(line) > _EXCERPT else "")


def _error(call: CallHttp, error_class: str, description: str) -> Answered:
    return Answered(call.id, error=Refusal(error_class, description))


def _too_late(call: CallHttp, way: _Way, timeout_s: float) -> Answered:
    limit = f"within {timeout_s:.3g} s"
    if way.is_sent:
        return Answered(call.id, lost=f"{shown_url(call.url)} did not answer {limit}")
    if way.has_turn:
        return _error(call, "Unreachable", f"{shown_url(call.url)}: no connection {limit}")
    return Answered(call.id, unsent=f"other HTTP requests took all of its {timeout_s:.3g} s")


def _broken(call: CallHttp, way: _Way, error: httpx.TransportError) -> Answered:
    """What a connection that failed means; httpx's own words hold no address or header."""
    why = str(error) or type(error).__name__
    if way.is_sent:
        return Answered(call.id, lost=f"{shown_url(call.url)} did not answer: {why}")
    return _error(call, "Unreachable", f"{shown_url(call.url)}: {why}")
