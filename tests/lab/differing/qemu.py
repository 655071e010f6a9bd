"""A QEMU that is asked about calls, and carries none of them out."""

import json
import subprocess
from collections.abc import Sequence
from typing import Any, Self

from reactor.qapi.schema import convert_schema
from reactor.qapi.types import Schema
from tests.lab.differing.calls import Call

SENTINEL = "zz-no-such-argument"
"""QEMU reads all arguments first and then says which of them it does not know: with this one
it never carries out a command, whatever the others are."""

FITS = f"Parameter '{SENTINEL}' is unexpected"

TOGETHER = 50
"""Calls that are sent before an answer is read."""


class Judge:
    """QEMU without a machine, on its standard input and output."""

    def __init__(self, program: str = "qemu-system-x86_64") -> None:
        words = [program, "-accel", "tcg", "-machine", "none", "-nodefaults"]
        words += ["-display", "none", "-qmp", "stdio"]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
        self._read()
        self._ask("qmp_capabilities")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def schema(self) -> Schema:
        """What it says of itself."""
        version = self._ask("query-version")["return"]["qemu"]
        reply = self._ask("query-qmp-schema")["return"]
        return convert_schema(reply, f"{version['major']}.{version['minor']}")

    def said(self, calls: Sequence[Call]) -> list[str]:
        """Its words about each call; ``FITS`` where it has nothing against the arguments."""
        found: list[str] = []
        for start in range(0, len(calls), TOGETHER):
            some = calls[start : start + TOGETHER]
            for call in some:
                self._write(call.command, {**call.arguments, SENTINEL: True})
            found += (self._read_answer()["error"]["desc"] for _ in some)
        return found

    def _ask(self, command: str) -> dict[str, Any]:
        self._write(command, {})
        return self._read_answer()

    def _write(self, command: str, arguments: object) -> None:
        assert self._process.stdin is not None
        line = json.dumps({"execute": command, "arguments": arguments})
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _read_answer(self) -> dict[str, Any]:
        while "event" in (answer := self._read()):
            pass
        return answer

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            message = f"QEMU ended with {self._process.wait()}"
            raise AssertionError(message)
        answer: dict[str, Any] = json.loads(line)
        return answer
