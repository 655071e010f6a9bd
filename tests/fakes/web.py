"""A real web server on the loopback, in a thread: what it answers stands in the path."""

import http.server
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class Got:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Server:
    """Answers until it is closed.

    `/status/CODE`, `/redirect/CODE?LOCATION`, `/echo`, `/bytes/N`, `/drip` (a byte now and
    then, without end), `/silent` (nothing, until `release`), `/broken` (half a body),
    `/cut` (no answer), `/garbage`, `/cookie`, `/raw?HEADERS|BODY`. Any other path: the next of
    `codes`, and 200 when there is none left.
    """

    tls: ssl.SSLContext | None = None
    got: list[Got] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    codes: list[int] = field(default_factory=list)

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"server_of": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        if self.tls is not None:
            # The handshake belongs to the thread of the request, not to who accepts.
            self._server.socket = self.tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_why: object) -> None:
        self.release.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def url(self, path: str, host: str = "127.0.0.1", user: str = "") -> str:
        """The address of a path."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{user}{host}:{self.port}{path}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server_of: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_words: object) -> None:
        """Tests are quiet."""

    def handle(self) -> None:
        """A client that goes away is no news."""
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def __getattr__(self, name: str) -> object:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        got = Got(self.command, self.path, dict(self.headers.items()), body)
        self.server_of.got.append(got)
        _, kind, *rest = self.path.partition("?")[0].split("/")
        query = unquote(self.path.partition("?")[2])
        answer = getattr(self, f"_{kind}", None) if kind else None
        (answer or self._next)(rest[0] if rest else "", query)

    def _send(self, code: int, body: bytes, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _status(self, code: str, query: str) -> None:
        self._send(int(code), query.encode())

    def _next(self, _rest: str, _query: str) -> None:
        codes = self.server_of.codes
        self._send(codes.pop(0) if codes else 200, b"")

    def _redirect(self, code: str, query: str) -> None:
        self._send(int(code), b"elsewhere", location=query)

    def _echo(self, _rest: str, _query: str) -> None:
        got = self.server_of.got[-1]
        told = {
            "method": got.method,
            "path": got.path,
            "headers": {name.lower(): value for name, value in got.headers.items()},
            "body": got.body.decode(),
        }
        self._send(200, json.dumps(told).encode(), content_type="application/json")

    def _bytes(self, count: str, _query: str) -> None:
        self._send(200, b"x" * int(count))

    def _drip(self, _rest: str, _query: str) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.server_of.release.wait(0.01):
            self.wfile.write(b".")
            self.wfile.flush()
        self.close_connection = True

    def _silent(self, _rest: str, _query: str) -> None:
        self.server_of.release.wait(30)
        self._send(200, b"late")

    def _broken(self, _rest: str, _query: str) -> None:
        self.send_response(200)
        self.send_header("content-length", "100")
        self.end_headers()
        self.wfile.write(b'{"half": 1')
        self._cut("", "")

    def _cut(self, _rest: str, _query: str) -> None:
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def _garbage(self, _rest: str, _query: str) -> None:
        self.wfile.write(b"this is not the web\r\n\r\n")
        self._cut("", "")

    def _cookie(self, _rest: str, _query: str) -> None:
        self._send(200, b"", set_cookie="session=abc; Path=/")

    def _raw(self, _rest: str, query: str) -> None:
        headers, _, body = query.partition("|")
        pairs = dict(part.split("=", 1) for part in headers.split("&"))
        self._send(200, body.encode("latin-1"), **pairs)


def make_certificate(folder: Path, name: str = "localhost") -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS with a certificate of its own making, and that certificate."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-keyout", str(key), "-out", str(certificate), "-days", "2"),
            *("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate
