"""Tells what happens, for people on a terminal or as JSON lines for programs."""

import json
import sys
import time
from collections.abc import Mapping
from typing import Any


class Narrator:
    """Prints as things happen; ``verdict`` ends the story with an exit code."""

    def __init__(self, output: str) -> None:
        self._json = output == "jsonl"
        self._began = time.monotonic()
        self._failed = 0
        self._checked = 0
        self._over = False
        self._console = None
        if not self._json and sys.stdout.isatty():
            # Only a terminal is worth the time that this import takes.
            from rich.console import Console  # noqa: PLC0415

            self._console = Console(highlight=False)

    def chapter(self, title: str) -> None:
        """Something new begins."""
        self._say("chapter", f"\n{title}", "bold")

    def did(self, text: str) -> None:
        """The demo itself did something."""
        self._say("demo", f"demo     {text}", "cyan")

    def heard(self, topic: str, payload: Any) -> None:  # noqa: ANN401 - any JSON
        """A message came from reactor over MQTT; nothing is told after the verdict."""
        if self._over:
            return
        text = _told(topic, payload)
        if text:
            self._say("mqtt", f"reactor  {text}", "", topic=topic, payload=payload)

    def check(self, promise: str, kept: bool, why_not: str = "") -> None:
        """Something that was promised is looked at."""
        self._checked += 1
        if kept:
            self._say("check", f"ok       {promise}", "green", kept=True)
        else:
            self._failed += 1
            self._say("check", f"NOT SO   {promise}: {why_not}", "bold red", kept=False)

    def verdict(self) -> int:
        """0 when all promises were kept, 1 otherwise."""
        self._over = True
        seconds = time.monotonic() - self._began
        kept = self._checked - self._failed
        text = f"\n{kept} of {self._checked} promises kept, in {seconds:.1f} s"
        self._say("verdict", text, "bold green" if not self._failed else "bold red")
        return 1 if self._failed else 0

    def _say(self, kind: str, text: str, style: str, **fields: object) -> None:
        after = round(time.monotonic() - self._began, 3)
        if self._json:
            line = {"after_s": after, "kind": kind, "text": text.strip(), **fields}
            print(json.dumps(line, default=str), flush=True)
            return
        stamp = "" if text.startswith("\n") else f"{after:7.2f} s  "
        if self._console is None:
            print(stamp + text, flush=True)
        else:
            self._console.print(stamp + text, style=style or None, markup=False)


def _told(topic: str, payload: Any) -> str:  # noqa: ANN401 - any JSON
    """What a message says, in one line; empty for those that say nothing new."""
    levels = topic.split("/")
    body: Mapping[str, Any] = payload if isinstance(payload, Mapping) else {}
    match levels:
        case ["guest", guest, "event", name]:
            data = json.dumps(body.get("data", {}))
            own = " (by our own command)" if body.get("own") else ""
            return f"{guest}: event {name} {data}{own}"
        case ["guest", guest, "availability"]:
            return f"{guest}: the monitor is {payload}"
        case ["guest", guest, "state"]:
            return f"{guest}: {body.get('status')}"
        case ["guest", guest, "mark", kind, mark_id, word]:
            return f"{guest}: mark {kind} {mark_id} {word}: {body.get('reason')}"
        case ["run", run]:
            return _told_run(run, body)
        case ["alert", level]:
            return f"alert {level}: {json.dumps(payload)}"
        case _:
            return ""


def _told_run(run: str, body: Mapping[str, Any]) -> str:
    if body.get("outcome"):
        why = f": {body['error']}" if body.get("error") else ""
        return f"run {run} of {body.get('policy')}: {body['outcome']}{why}"
    if body.get("step"):
        return f"run {run} of {body.get('policy')}: {body['step']}, {body.get('verb')}"
    return ""
