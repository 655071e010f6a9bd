"""The journal's place on disk: folder, file and the lock that keeps a second daemon out."""

import fcntl
import os
from pathlib import Path

from reactor.errors import JournalError

OTHER_PATH = "set 'journal.path' to a journal of reactor, or to a file that does not exist yet"
HEADER = b"SQLite format 3\0"


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
    """The file exists and is SQLite's or empty; one that is made here is for its owner only.

    SQLite would make it for everybody to read, and gives its ``-wal`` and
    ``-shm`` the rights that the file has.

    Raises:
        JournalError: it cannot be opened for writing, or holds something else.
    """
    if path.is_dir():
        raise JournalError(
            path,
            "this is a folder, not a file",
            f"name a file in 'journal.path', such as {path / 'journal.db'}",
        )
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise _unreadable(path, error) from error
    refuse_other_files(path)


def refuse_other_files(path: Path) -> None:
    """Nothing, when the file is empty or begins like every SQLite file.

    Raises:
        JournalError: it is not there, cannot be read, or holds something else.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(HEADER))
    except FileNotFoundError as error:
        raise JournalError(
            path,
            "there is no journal here",
            "start the daemon first ('reactor run'), or name its journal",
        ) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if start and start != HEADER:
        raise JournalError(path, "this is not an SQLite file", OTHER_PATH)


def _unreadable(path: Path, error: OSError) -> JournalError:
    return JournalError(
        path,
        f"the file cannot be opened: {error.strerror}",
        "give the user that runs reactor the right to read and write it, "
        "or set another 'journal.path'",
    )
