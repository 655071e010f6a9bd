"""The file of the control socket: made without a moment in which anybody else could connect.

The socket is bound under another name, given its rights, and only then listens
and gets its name, which replaces what a dead daemon left. A lock beside it keeps
two daemons from doing so at the same time.
"""

import contextlib
import errno
import fcntl
import grp
import os
import secrets
import socket
import stat
from pathlib import Path

from reactor.errors import ControlError

MODE = 0o660

_LIVE = {errno.EAGAIN, errno.EINPROGRESS, errno.EPROTOTYPE}
"""Somebody has the socket: it is only too busy, or of another kind."""

_ELSEWHERE = "set another `control.socket`"


class InUseError(ControlError):
    """Another process listens there; it is left alone."""


def short(folder: int, name: str) -> str:
    """A path of a file in an open folder that fits into a socket's address (107 bytes)."""
    return f"/proc/self/fd/{folder}/{name}"


class Place:
    """Where the daemon listens; ``claim``, then listen, ``publish``, and ``release`` at the end.

    Args:
        path: absolute.
        group: whose members may connect; None: only root and this process's user.
    """

    def __init__(self, path: Path, group: str | None = None) -> None:
        self.path = path
        self.gid: int | None = None
        self._group = group
        self._folder = self._lock = -1
        self._made = ""
        self._inode: tuple[int, int] | None = None

    def claim(self) -> socket.socket:
        """A socket with its rights that nobody can find yet.

        Raises:
            InUseError: another process has it.
            ControlError: the folder, the file or the group cannot be used.
        """
        try:
            self.gid = self._find_group()
            self._open_folder()
            self._take_lock()
            self._refuse_what_lives()
            return self._bind()
        except OSError as error:
            self.release()
            problem = f"the control socket cannot be made: {error.strerror}"
            fix = f"let the user that runs reactor write to {self.path.parent}, or {_ELSEWHERE}"
            raise ControlError(self.path, problem, fix) from None
        except ControlError:
            self.release()
            raise

    def publish(self) -> None:
        """Give the socket its name; what a dead daemon left there is replaced.

        Raises:
            OSError: the folder is gone or may not be written any more.
        """
        os.rename(self._made, self.path.name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._made = self.path.name

    def release(self) -> None:
        """Take the socket's file away if it is still ours; a second call does nothing."""
        if self._made:
            with contextlib.suppress(OSError):
                if self._inode == self._look(self._made):
                    os.unlink(self._made, dir_fd=self._folder)
            self._made = ""
        for file in (self._lock, self._folder):
            if file >= 0:
                os.close(file)
        self._folder = self._lock = -1

    def _find_group(self) -> int | None:
        if self._group is None:
            return None
        try:
            return grp.getgrnam(self._group).gr_gid
        except KeyError:
            fix = "name a group that `getent group` lists, or leave it out"
            raise ControlError("control.group", f"there is no group {self._group}", fix) from None

    def _open_folder(self) -> None:
        folder = self.path.parent
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True)
            if self.gid is not None:
                os.chown(folder, -1, self.gid)
                folder.chmod(0o710)
        self._folder = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        mode = os.fstat(self._folder).st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            problem = f"everybody may write to {folder}, and could put another socket in its place"
            raise ControlError(self.path, problem, f"`chmod o-w {folder}`, or {_ELSEWHERE}")

    def _take_lock(self) -> None:
        # The file stays behind on purpose: removing it would let two processes
        # hold locks on two files of one name.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._lock = os.open(f"{self.path.name}.lock", flags, 0o600, dir_fd=self._folder)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(self._lock, 32).decode("ascii", "replace").strip()
            raise self._in_use(f"another reactor (process {owner or 'unknown'})") from None
        # For people only: a full disk does not keep the daemon from its work.
        with contextlib.suppress(OSError):
            os.truncate(self._lock, 0)
            os.pwrite(self._lock, f"{os.getpid()}\n".encode("ascii"), 0)

    def _refuse_what_lives(self) -> None:
        try:
            found = os.stat(self.path.name, dir_fd=self._folder, follow_symlinks=False)
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(found.st_mode):
            problem = "there is a file that is no socket"
            raise ControlError(self.path, problem, f"move it away, or {_ELSEWHERE}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(0.0)
            failure = probe.connect_ex(short(self._folder, self.path.name))
        if failure in {0, *_LIVE}:
            raise self._in_use("another program")
        if failure not in {errno.ECONNREFUSED, errno.ENOENT}:
            raise OSError(failure, os.strerror(failure))

    def _bind(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.settimeout(0.0)
            name = f"{self.path.name}.{secrets.token_hex(4)}"
            path = short(self._folder, name)
            made.bind(path)
            self._made = name
            os.chmod(path, MODE)  # noqa: PTH101 - no Path is as short
            self._give_to_group(path)
            self._inode = self._look(name)
        except BaseException:
            made.close()
            raise
        return made

    def _give_to_group(self, path: str) -> None:
        # A sandbox may forbid it even to a member: not done where it is so already.
        if self.gid is None or os.stat(path).st_gid == self.gid:  # noqa: PTH116 - no Path is as short
            return
        try:
            os.chown(path, -1, self.gid)
        except PermissionError:
            problem = f"reactor may not give the socket to the group {self._group}"
            fix = (
                f"run it in that group (`Group={self._group}` in its unit), or make the folder "
                f"the group's: `chgrp {self._group} {self.path.parent}`, then `chmod g+s` on it"
            )
            raise ControlError("control.group", problem, fix) from None

    def _look(self, name: str) -> tuple[int, int]:
        found = os.stat(name, dir_fd=self._folder, follow_symlinks=False)
        return found.st_dev, found.st_ino

    def _in_use(self, who: str) -> InUseError:
        problem = f"{who} listens on this control socket"
        return InUseError(self.path, problem, f"stop it, or {_ELSEWHERE} for this one")
