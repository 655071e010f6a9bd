"""What every monitor is asked right after its greeting, and what the answers mean."""

import os
import socket
import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from reactor.adapters.qmp.messages import Message, Version, encode
from reactor.core.inputs import Facts
from reactor.core.subject import Query
from reactor.core.subjects import first_queries, more_queries, read

CAPABILITIES: Final = "qmp_capabilities"
STATUS: Final = "query-status"

_ALWAYS = (
    CAPABILITIES,
    STATUS,
    "query-uuid",
    "query-memory-size-summary",
    "query-migrate",
    "query-dump",
)
_CPUS = "query-cpus-fast"

# The migration states in which none runs; any other word, also one that a
# later QEMU adds, counts as a migration that runs.
_NO_MIGRATION = frozenset({"", "none", "completed", "failed", "cancelled"})

_NO_UUID = "00000000-0000-0000-0000-000000000000"

_COMMAND_NOT_FOUND = "CommandNotFound"


class Peer(NamedTuple):
    """What a socket itself tells of who listens: ``peer_of`` and ``file_of``, empty over TCP."""

    process: str = ""
    file: str = ""


class Questions(NamedTuple):
    """The ids of some questions in their order, and all their lines in one piece."""

    ids: tuple[str, ...]
    lines: bytes


@lru_cache(maxsize=256)
def questions(compared: tuple[str, ...] = (), *, cpus: bool) -> Questions:
    """What a handshake asks.

    QEMU works the lines off in order, so nothing needs to wait for the
    capabilities (seen on 7.2).

    Args:
        compared: the subjects that are asked for.
        cpus: ask for the threads of the vCPUs too, where the epoch needs them.
    """
    commands = (*_ALWAYS, _CPUS) if cpus else _ALWAYS
    asked = [Query(command, command) for command in commands]
    asked += [query for query in first_queries(compared) if query.name not in commands]
    return _lines(asked)


def more_questions(compared: tuple[str, ...], answers: Mapping[str, Message]) -> Questions:
    """What the answers to the first questions lead to."""
    return _lines(more_queries(compared, _results(answers)))


def _lines(queries: Sequence[Query]) -> Questions:
    lines = b"".join(encode(query.command, query.arguments, query.name) for query in queries)
    return Questions(tuple(query.name for query in queries), lines)


def _results(answers: Mapping[str, Message]) -> dict[str, object]:
    return {
        name: None if message.result is msgspec.UNSET else message.result
        for name, message in answers.items()
    }


def refusal(answers: Mapping[str, Message]) -> tuple[str, str]:
    """The command that every monitor must answer and this one refused, and its words.

    Both are empty when there is none. A storage daemon does not know
    ``query-status``; that is an answer, not a refusal.
    """
    for command in (CAPABILITIES, STATUS):
        error = answers[command].error
        if error is None:
            continue
        if command != STATUS or error.error_class != _COMMAND_NOT_FOUND:
            return command, f"{error.error_class}: {error.description}"
    return "", ""


def facts_of(
    version: Version,
    answers: Mapping[str, Message],
    compared: tuple[str, ...] = (),
    held: Iterable[tuple[str, Mapping[str, object]]] = (),
) -> Facts:
    """The facts in a full set of answers; an error leaves that fact at its default.

    ``uuid`` is empty for QEMU's all-zero one: that means that none was given.

    Args:
        compared: the subjects that were asked for.
        held: name and data of the events that came in between.
    """
    memory = _returned(answers, "query-memory-size-summary")
    status = answers[STATUS]
    return Facts(
        kind="vm" if status.error is None else "storage-daemon",
        status=_text(answers, STATUS, "status") or "none",
        uuid=_uuid(answers),
        qemu_version=str(version.qemu),
        memory_bytes=_whole(memory.get("base-memory")) + _whole(memory.get("plugged-memory")),
        migrating=_text(answers, "query-migrate", "status") not in _NO_MIGRATION,
        dump=_text(answers, "query-dump", "status"),
        migration=_text(answers, "query-migrate", "status"),
        compared=read(compared, _results(answers), held) if compared else {},
    )


def epoch_of(peer: Peer, answers: Mapping[str, Message]) -> str:
    """The name of this life of QEMU: ``pid-starttime`` of the peer, where it is known.

    Elsewhere ``UUID/THREAD`` with the number of the first vCPU's thread, as QEMU's own pid
    namespace has it, and behind another ``/`` the file of the unix socket. Over TCP there is
    none: a QEMU in a container has threads of the same numbers after each start, and a storage
    daemon or ``-M none`` has no vCPU: there a restart cannot be told from a reconnect.
    """
    if peer.process:
        return peer.process
    life = f"{_uuid(answers) or 'no-uuid'}/{_first_thread(answers) or 'no-vcpu'}"
    return f"{life}/{peer.file}" if peer.file else life


def peer_of(connection: socket.socket) -> str:
    """``pid-starttime`` of the process that listens on a unix socket, or nothing.

    It is the process that called ``listen``: where a manager does that and
    hands the socket to QEMU, it is the manager, and a restart of QEMU behind
    it is not seen.
    """
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    pid, _uid, _gid = struct.unpack("iII", credentials)
    if not pid:
        return ""
    try:
        stat = _process(pid)
    except OSError:
        return ""
    # The second field is the program's name and may hold blanks and brackets;
    # the start time is the 22nd, in clock ticks since the host's start.
    return f"{pid}-{stat[stat.rindex(b')') + 2 :].split()[19].decode()}"


def file_of(path: str) -> str:
    """Number and time of the file of a unix socket, or nothing.

    Whoever listens has made it anew, since ``bind`` takes no file that is there: it is another
    one in each life of a process, from whatever pid namespace one looks. Its owner and mode may
    change without touching its time; its number alone is given away again.
    """
    try:
        file = os.stat(path)  # noqa: PTH116 - one look for each of thousands of connects
    except OSError:
        return ""
    return f"{file.st_ino}-{file.st_mtime_ns}"


def _process(pid: int) -> bytes:
    """The one line of proc(5) about a process, which is far shorter than what is read."""
    # Not by a Path and a file object: thousands of monitors come at once.
    descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


def _returned(answers: Mapping[str, Message], command: str) -> Mapping[str, object]:
    message = answers.get(command)
    result = message.result if message is not None else msgspec.UNSET
    return result if isinstance(result, dict) else {}


def _text(answers: Mapping[str, Message], command: str, member: str) -> str:
    value = _returned(answers, command).get(member)
    return value if isinstance(value, str) else ""


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _uuid(answers: Mapping[str, Message]) -> str:
    uuid = _text(answers, "query-uuid", "UUID")
    return "" if uuid == _NO_UUID else uuid


def _first_thread(answers: Mapping[str, Message]) -> str:
    message = answers.get(_CPUS)
    cpus = message.result if message is not None else None
    if not isinstance(cpus, list) or not cpus or not isinstance(cpus[0], dict):
        return ""
    return str(cpus[0].get("thread-id", ""))
