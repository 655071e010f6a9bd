"""Tries what a service that was taken over might try; prints what came of each, as JSON.

Runs on the machine, under the unit, with nothing but Python's own library.
"""

import ctypes
import errno
import json
import mmap
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

NEW_USER_NAMESPACE = 0x10000000
NO_RANDOM_ADDRESSES = 0x0040000

libc = ctypes.CDLL(None, use_errno=True)


def called(result: int) -> None:
    """Raise what a function of the C library failed with."""
    if result < 0:
        raise OSError(ctypes.get_errno(), "")


def write(folder: str) -> Callable[[], object]:
    """Make a file in a folder."""
    return lambda: Path(folder, "probe").write_text("x")


def set_the_uid_bit() -> None:
    """On a program of its own: who starts it would be reactor."""
    file = Path("/tmp/set")  # noqa: S108 - its own
    file.touch()
    file.chmod(0o4755)


def become_root() -> str:
    """By a program of root's with the set-uid bit."""
    return subprocess.check_output(["/var/open/id", "-u"], text=True).strip()


def in_a_namespace() -> None:
    """In a child: this process goes on outside."""
    child = os.fork()
    if child == 0:
        called_ = libc.unshare(NEW_USER_NAMESPACE)
        os._exit(ctypes.get_errno() if called_ < 0 else 0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, "")


def writable_code() -> None:
    """Memory that is written and executed."""
    protection = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    mmap.mmap(-1, 4096, prot=protection).close()


def netlink() -> None:
    """The kernel's own network, its routes and rules."""
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()


ATTEMPTS: dict[str, Callable[[], object]] = {
    "write the journal's folder": write("/var/lib/reactor"),
    "write the dumps": write("/var/lib/reactor-dumps"),
    "write /tmp": write("/tmp"),  # noqa: S108 - its own
    "write in /var": write("/var/open"),
    "write in /etc": write("/etc/open"),
    "write in /run": write("/run/open"),
    "see what others have in /tmp": lambda: Path("/tmp/others").read_text(),  # noqa: S108
    "look into home folders": lambda: list(Path("/home").iterdir()),
    "start a program as root": become_root,
    "set the set-uid bit": set_the_uid_bit,
    "make a namespace": in_a_namespace,
    "write and execute memory": writable_code,
    "talk to the kernel's network": netlink,
    "change its personality": lambda: called(libc.personality(NO_RANDOM_ADDRESSES)),
    "change its scheduling": lambda: os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0)),
}


def tried(attempt: Callable[[], object]) -> str:
    """``done``, or the name of the error."""
    try:
        result = attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return f"as {result}" if attempt is become_root else "done"


print(json.dumps({name: tried(attempt) for name, attempt in ATTEMPTS.items()}))
