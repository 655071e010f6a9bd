"""The journal's place on disk: folder, file and the lock that keeps a second daemon out."""

import contextlib
import fcntl
import os
from pathlib import Path

from reactor.errors import JournalError


class Lock:
    """A lock on ``<journal>.lock`` that ends with this process at the latest.

    The file stays behind on purpose: removing it would let two processes hold
    locks on two files of one name. It holds the owner's process id for people.

    Raises:
        JournalError: another process has it (named by its id), or the folder
            cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._file = -1
        try:
            file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(
                path,
                f"the folder {path.parent} cannot be written: {error.strerror}",
                "give the user that runs reactor the right to write there, "
                "or set another 'journal.path'",
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(file, 32).decode("ascii", "replace").strip()
            os.close(file)
            raise JournalError(
                path,
                f"another reactor (process {owner or 'unknown'}) uses this journal",
                "stop that process, or set another 'journal.path' for this one",
            ) from error
        # For people only: a disk without room for it may still have room in the journal.
        with contextlib.suppress(OSError):
            os.truncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode("ascii"), 0)
        self._file = file

    def release(self) -> None:
        """The journal is free for the next daemon; a second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def make_folder(path: Path) -> None:
    """The folder of ``path`` exists; one that is made here is for its owner only.

    Raises:
        JournalError: it cannot be made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise JournalError(
            path,
            f"the folder {path.parent} cannot be made: {error.strerror}",
            "make it and let the user that runs reactor write there, or set another 'journal.path'",
        ) from error


def make_file(path: Path) -> None:
    """The file exists and may be written; one that is made here is for its owner only.

    SQLite would make it for everybody to read, and gives its ``-wal`` and
    ``-shm`` the rights that the file has.

    Raises:
        JournalError: it cannot be made or written, or is a folder.
    """
    if path.is_dir():
        raise JournalError(
            path,
            "this is a folder, not a file",
            f"name a file in 'journal.path', such as {path / 'journal.db'}",
        )
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        demand(path, os.R_OK | os.W_OK)
    except OSError as error:
        raise JournalError(
            path,
            f"the file cannot be made: {error.strerror}",
            "give the user that runs reactor the right to write in its folder, "
            "or set another 'journal.path'",
        ) from error


NO_ROOM_BYTES = 64 << 10
"""SQLite needs at least so much beside its file when it opens one."""


def has_no_room(folder: Path) -> bool:
    """Whether its disk is so full that not even SQLite's small files can be made there."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < NO_ROOM_BYTES


def demand(path: Path, rights: int) -> None:
    """Nothing, when this process has the rights (of ``os.access``) on the file.

    Asked without opening it: a process that closes any handle of a file loses
    all its locks on it, also those by which SQLite tells other programs that
    the write-ahead log is still needed. For the same reason nothing in the
    daemon may open the journal but SQLite.

    Raises:
        JournalError: the file is not there or the rights are.
    """
    if os.access(path, rights, effective_ids=True):
        return
    try:
        path.stat()
    except FileNotFoundError as error:
        raise JournalError(
            path,
            "there is no journal here",
            "start the daemon first ('reactor run'), or name its journal",
        ) from error
    except OSError as error:
        raise _forbidden(path, error.strerror) from error
    raise _forbidden(path, "Permission denied")


def _forbidden(path: Path, reason: str | None) -> JournalError:
    return JournalError(
        path,
        f"the file cannot be opened: {reason}",
        "give the user that runs reactor the right to read and write it, "
        "or set another 'journal.path'",
    )


_NETWORK = frozenset(
    "9p afs beegfs ceph cifs coda fuse.ceph fuse.glusterfs fuse.s3fs fuse.sshfs gfs2 lustre "
    "ncpfs nfs nfs4 ocfs2 smb3 smbfs vboxsf virtiofs".split()
)


def network_file_system(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """What kind of network file system the file lies on, such as ``nfs4``; empty for a local one.

    Source: Linux, proc_pid_mountinfo(5): the third field is the device, the first one behind
    the dash the type. A file whose device is not there (btrfs) counts as local.
    """
    try:
        device = path.stat().st_dev
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in lines:
        front, _, behind = line.partition(" - ")
        fields, kind = front.split(), behind.split(" ", 1)[0]
        if fields[2:3] == [wanted] and kind in _NETWORK:
            return kind
    return ""
