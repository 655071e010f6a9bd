"""Ask a real YAML language server about policies: `python -m tests.editor PATH-TO-SERVER`.

It gets the schema as `reactor init` leaves it, and what people type. Exit code 0: it offered and
marked what it should.
"""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from reactor.policyfile.json_schema import json_schema

LIMIT_S = 60.0
HEAD = "# yaml-language-server: $schema=policy.schema.json\npolicy: p\ndescription: d\n"
STEPS = "steps:\n  - log: x\n"

OFFERED = {
    "an event": ("trigger:\n  event: GUEST_PAN", "GUEST_PANICKED"),
    "an event of reactor": ("trigger:\n  event: REACTOR_GUEST", "REACTOR_GUEST_LOST"),
    "a command": (f"{STEPS}  - qmp: query-st", "query-status"),
    "an action": (f"{STEPS}  - guest: re", "reset"),
    "an argument": (f"{STEPS}  - qmp: block_resize\n    args:\n      node", "node-name"),
    "a key": ("trigger: {event: RESET}\ncoold", "cooldown"),
}
"""What stands before the cursor, and what must be among what is offered."""

MARKED = {
    "a sound policy": (f"trigger: {{event: GUEST_PANICKED}}\n{STEPS}", None),
    "an unknown key": (f"trigger: {{event: RESET}}\n{STEPS}limitz: []\n", 6),
    "a verb that is none": ("trigger: {event: RESET}\nsteps:\n  - lgo: x\n", 5),
    "an event that cannot be one": (f"trigger: {{event: guest panicked}}\n{STEPS}", 3),
    "an action that is none": ("trigger: {event: RESET}\nsteps:\n  - guest: restart\n", 5),
    "a duration without a unit": (f"trigger: {{event: RESET}}\n{STEPS}cooldown: 5\n", 6),
    "no steps": ("trigger: {event: RESET}\n", 1),
}
"""What a policy says, and the line that must be marked, from 0."""


@dataclass
class Server:
    """A language server, and what it has said."""

    write: IO[bytes]
    read: IO[bytes]
    last: int = 0
    said: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def _send(self, **message: object) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.write.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.write.flush()

    def _next(self) -> dict[str, Any]:
        length = 0
        while line := self.read.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        if not length:
            raise SystemExit("the server has ended, or did not answer in time")
        message: dict[str, Any] = json.loads(self.read.read(length))
        if message.get("method") == "textDocument/publishDiagnostics":
            about = message["params"]
            self.said[about["uri"]] = about["diagnostics"]
        elif "method" in message and "id" in message:
            items = message.get("params", {}).get("items", [])
            self._send(id=message["id"], result=[{} for _ in items])
        return message

    def ask(self, method: str, **params: object) -> Any:  # noqa: ANN401 - JSON
        """The result of a request."""
        self.last += 1
        number = self.last
        self._send(id=number, method=method, params=params)
        while True:
            message = self._next()
            if message.get("id") == number and "method" not in message:
                return message.get("result")

    def tell(self, method: str, **params: object) -> None:
        """Say something that has no answer."""
        self._send(method=method, params=params)

    def open(self, path: Path, text: str) -> str:
        """The URI of a file that an editor has opened."""
        path.write_text(text, encoding="utf-8")
        document = {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", textDocument=document)
        return path.as_uri()

    def marked(self, uri: str) -> list[dict[str, Any]]:
        """What is marked in a file, once that is known."""
        while uri not in self.said:
            self._next()
        return self.said[uri]


@contextmanager
def serving(command: list[str], folder: Path) -> Iterator[Server]:
    """The server, with this folder open; killed when it takes too long."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(LIMIT_S, process.kill)
        timer.start()
        try:
            server = Server(process.stdin, process.stdout)
            server.ask("initialize", processId=None, rootUri=folder.as_uri(), capabilities={})
            server.tell("initialized")
            yield server
        finally:
            timer.cancel()
            process.kill()


def judged(server: Server, folder: Path) -> Iterator[tuple[str, str]]:
    """Each question, and what is wrong with its answer."""
    for index, (what, (typed, wanted)) in enumerate(OFFERED.items()):
        text = HEAD + typed
        uri = server.open(folder / f"offered{index}.yaml", text)
        lines = text.split("\n")
        position = {"line": len(lines) - 1, "character": len(lines[-1])}
        found = server.ask("textDocument/completion", textDocument={"uri": uri}, position=position)
        items = found["items"] if isinstance(found, dict) else found or []
        labels = [item["label"] for item in items]
        yield f"offers {what}", "" if wanted in labels else f"{wanted} is not in {labels[:9]}"
    for index, (what, (typed, line)) in enumerate(MARKED.items()):
        uri = server.open(folder / f"marked{index}.yaml", HEAD + typed)
        found = server.marked(uri)
        starts = {one["range"]["start"]["line"] for one in found}
        shown = str([(one["range"]["start"]["line"], one["message"]) for one in found])
        is_right = line in starts if line is not None else not found
        yield (
            f"marks {what}" if found else f"marks nothing in {what}",
            "" if is_right else shown,
        )


def main(program: str) -> int:
    """Exit code 1 when an answer is wrong."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        schema = json.dumps(json_schema())
        (folder / "policy.schema.json").write_text(schema, encoding="utf-8")
        failed = 0
        with serving(["node", program, "--stdio"], folder) as server:
            for what, wrong in judged(server, folder):
                sys.stdout.write(f"editor: {what}: {wrong or 'ok'}\n")
                failed += bool(wrong)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
