"""What lies outside of guests: web servers, programs of the host, its disks."""

from collections.abc import Mapping

import msgspec

from reactor.core.effect import CallHttp, StartProgram
from reactor.core.inputs import Answered, Refusal
from reactor.policyfile.policy_tests import Answering

HTTP_TAKES = 0.05
PROGRAM_TAKES = 0.05
FREE_BYTES = 100 << 30
"""Free space where a test says nothing of it."""


def http_answer(call: CallHttp, answering: Answering) -> Answered:
    """What a web server answers: `200` without a body, or what the test gives.

    A status that the step does not expect is an error, as it is outside of tests.
    """
    if answering.fails is not None:
        return _error(call.id, "Unreachable", f"{call.url}: {answering.fails}")
    given = answering.returns if isinstance(answering.returns, Mapping) else {}
    status = given.get("status", call.expect[0])
    value = given.get("json")
    body = given.get("body", "" if value is None else msgspec.json.encode(value).decode())
    if status not in call.expect:
        return _error(call.id, "Status", f"{status}: {body}" if body else str(status))
    return Answered(call.id, result={"status": status, "body": body, "json": value})


def program_answer(start: StartProgram, answering: Answering) -> Answered:
    """How a program ends: well and in silence, or as the test says."""
    if answering.fails is not None:
        return _error(start.id, "NotStarted", f"{start.program}: {answering.fails}")
    given = answering.returns if isinstance(answering.returns, Mapping) else {}
    code = given.get("code", 0)
    stdout, stderr = given.get("stdout", ""), given.get("stderr", "")
    if code != 0:
        words = f": {stderr}" if stderr else ""
        return _error(start.id, "ExitCode", f"it ended with exit code {code}{words}")
    return Answered(start.id, result={"code": code, "stdout": stdout, "stderr": stderr})


def _error(name: str, error_class: str, description: str) -> Answered:
    return Answered(name, error=Refusal(error_class, description))


def free_bytes(free: Mapping[str, int], path: str) -> int:
    """The space that is free where this path is: what is said of the nearest folder above it."""
    above = [folder for folder in free if f"{path}/".startswith(f"{folder.rstrip('/')}/")]
    return free[max(above, key=len)] if above else FREE_BYTES
