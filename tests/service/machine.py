"""A machine inside of this one: a real systemd as its first process, in namespaces of its own.

It has an `/etc`, `/var`, `/run` and `/opt` of its own and no network. The programs are those of
this machine, which it cannot write to. Its root is root here as well: only what a test writes
down runs in it.
"""

import os
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from reactor.demo.process import find_program
from tests.house.checkout import ROOT

SYSTEMD: Final = Path("/lib/systemd/systemd")
BOOT: Final = Path(__file__).with_name("boot.sh")

PROGRAM: Final = """\
#!/opt/reactor/.venv/bin/python
import sys
from reactor.cli.main import main
sys.exit(main())
"""
"""What pip makes of the entry point."""

_OF_ETC: Final = (
    "passwd group shadow gshadow login.defs pam.d security nsswitch.conf hosts localtime "
    "ld.so.cache ld.so.conf ld.so.conf.d alternatives python3 python3.11 os-release"
).split()

_MASKED: Final = (
    # Nobody logs in, and what is here of hardware and kernel is not the machine's.
    "getty.target systemd-logind.service dbus.service dbus.socket systemd-udevd.service "
    "modprobe@.service systemd-modules-load.service kmod-static-nodes.service "
    "dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount "
    "sys-kernel-config.mount sys-fs-fuse-connections.mount systemd-remount-fs.service "
    "systemd-update-utmp.service systemd-update-utmp-runlevel.service remote-fs.target "
    "systemd-tmpfiles-setup-dev.service cryptsetup.target"
).split()

_BOOT_S: Final = 40.0
_NAMESPACES: Final = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TRIAL: Final = (
    "mount --make-rprivate / && mount -t cgroup2 cgroup2 /mnt && "
    "mkdir /mnt/reactor-trial-$$ && rmdir /mnt/reactor-trial-$$"
)
_WHY: Final = "a systemd of its own cannot be started here: "


def python_of_the_service() -> Path | None:
    """A Python like the one that runs here, where a service may reach it: in no home folder."""
    here = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]  # noqa: SLF001
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    hidden = tuple(map(Path, ("/root", "/home", "/tmp", "/opt", "/run", "/var")))  # noqa: S108
    candidates = [here] if not any(here.is_relative_to(one) for one in hidden) else []
    candidates += [Path("/usr/bin", name), Path("/usr/local/bin", name)]
    return next((path for path in candidates if path.exists()), None)


def cannot_boot() -> str:
    """Why no machine can be had here; empty when one can."""
    if os.geteuid() != 0:
        return f"{_WHY}it needs root"
    if not SYSTEMD.exists():
        return f"{_WHY}install it, on Debian: apt install systemd"
    if python_of_the_service() is None:
        return f"{_WHY}no Python of this version lies outside of the home folders"
    tried = subprocess.run(
        ["unshare", "--mount", "sh", "-c", _TRIAL], check=False, capture_output=True, text=True
    )
    return f"{_WHY}{tried.stderr.strip()}" if tried.returncode else ""


class Machine:
    """``with Machine() as machine``: nothing of it is left behind.

    Attributes:
        folder: its `etc`, `var` and `opt` as they are seen from here.
    """

    def __init__(self) -> None:
        # Short, because a unix socket's path has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="reactor-"))
        self._boot: subprocess.Popen[bytes] | None = None
        self._init = ""

    def __enter__(self) -> Self:
        self.folder.chmod(0o755)
        self._furnish()
        self._install_program()
        self.boot()
        return self

    def __exit__(self, *_error: object) -> None:
        self.power_off()
        shutil.rmtree(self.folder)

    # ------------------------------------------------------------- its disk

    def _furnish(self) -> None:
        """A Debian that was just installed: nobody has set up anything."""
        etc, var = self.folder / "etc", self.folder / "var"
        units = etc / "systemd" / "system"
        units.mkdir(parents=True)
        (etc / "tmpfiles.d").mkdir()
        there = [f"/etc/{name}" for name in _OF_ETC if Path("/etc", name).exists()]
        subprocess.run(["cp", "-a", *there, etc], check=True)
        (etc / "machine-id").write_text(f"{uuid.uuid4().hex}\n", encoding="ascii")
        for name in _MASKED:
            (units / name).symlink_to("/dev/null")
        (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
        for name in ("lib", "log", "cache", "backups", "tmp"):
            (var / name).mkdir(parents=True)

    def _install_program(self) -> None:
        """What step 1 of the how-to leaves below `/opt/reactor`, without the network for it."""
        python = python_of_the_service()
        assert python is not None
        top = self.folder / "opt" / "reactor"
        packages = top / ".venv" / "lib" / python.name / "site-packages"
        for path in (packages, top / ".venv" / "bin", top / "packages"):
            path.mkdir(parents=True)
        for name in ("reactor", "rules"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, top / name, ignore=ignored)
        # As pip does; the service may not write it, and would compile all at each start.
        subprocess.run([python, "-m", "compileall", "-q", top / "reactor"], check=True)
        (self.folder / "packages").symlink_to(sysconfig.get_path("purelib"))
        (packages / "reactor.pth").write_text("/opt/reactor\n/opt/reactor/packages\n")
        (top / ".venv" / "pyvenv.cfg").write_text(f"home = {python.parent}\n")
        (top / ".venv" / "bin" / "python").symlink_to(python)
        program = top / ".venv" / "bin" / "reactor"
        program.write_text(PROGRAM)
        program.chmod(0o755)

    def path(self, inside: str) -> Path:
        """Where this machine sees a file of that one; `/run` and `/tmp` only while it runs."""
        top = inside.split("/")[1]
        return Path(self.folder if top in {"etc", "var", "opt"} else self.root, inside[1:])

    def rights(self, inside: str) -> str:
        """Owner, group and mode of a file of that machine, by its own names."""
        found = self.path(inside).stat()
        owner, group = self._name("passwd", found.st_uid), self._name("group", found.st_gid)
        return f"{owner} {group} {stat.S_IMODE(found.st_mode):04o}"

    def _name(self, table: str, number: int) -> str:
        rows = [row.split(":") for row in (self.folder / "etc" / table).read_text().splitlines()]
        return next((row[0] for row in rows if row[2] == str(number)), f"{number}")

    @property
    def root(self) -> Path:
        """All that its first process sees."""
        return Path("/proc", self._init, "root")

    # ----------------------------------------------------------- on and off

    def boot(self) -> None:
        """Switch it on, and wait until it has started all that it is to start."""
        # All of it ends with the thread that started it, however that ends.
        command = [find_program("setpriv"), "--pdeathsig", "KILL", "--", "unshare", "--mount"]
        with (self.folder / "console").open("ab") as console:
            self._boot = subprocess.Popen(
                [*command, BOOT, self.folder],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                process_group=0,
            )
        self.until("it boots", self._is_up, _BOOT_S)

    def _is_up(self) -> bool:
        assert self._boot is not None
        assert self._boot.poll() is None, (self.folder / "console").read_text()
        self._init = self._init or _child_of(_child_of(str(self._boot.pid)))
        if not self._init or not (self.root / "run/systemd/private").exists():
            return False
        told = self.call("systemctl", "is-system-running", check=False)
        return told.stdout.strip() in {"running", "degraded"}

    def power_off(self) -> None:
        """Switch it off as its power button does; its disk stays."""
        if self._boot is None:
            return
        if self._init:
            # SIGRTMIN+4: what systemd takes for `systemctl poweroff`.
            os.kill(int(self._init), signal.SIGRTMIN + 4)
        try:
            self._boot.wait(_BOOT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._boot.pid, signal.SIGKILL)
            self._boot.wait()
        self._boot, self._init = None, ""

    # ------------------------------------------------------------- commands

    def call(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in it as root, to its end."""
        done = subprocess.run(
            ["nsenter", "--target", self._init, *_NAMESPACES, "--wd=/", "--", *command],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_BOOT_S,
            env={"PATH": _PATH, "LC_ALL": "C.UTF-8", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"},
        )
        if check:
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def shell(self, lines: str) -> str:
        """Run lines as a person types them; what they print."""
        return self.call("sh", "-euc", lines).stdout

    def until(self, what: str, true: Callable[[], bool], within: float = 40.0) -> None:
        """Return when it is so."""
        end = time.monotonic() + within
        while not true():
            assert time.monotonic() < end, f"after {within:g} s not yet: {what}\n{self.log()}"
            time.sleep(0.03)

    def log(self, unit: str = "", *, after: str = "") -> list[str]:
        """The lines of its journal since a cursor, of one unit or of all."""
        words = ["journalctl", "--quiet", "--output=cat"]
        words += [f"--unit={unit}"] if unit else []
        words += [f"--after-cursor={after}"] if after else []
        return self.call(*words, check=False).stdout.splitlines() if self._init else []

    def now(self) -> str:
        """A cursor: what is logged later comes after it."""
        told = self.call("journalctl", "--quiet", "--lines=1", "--output=cat", "--show-cursor")
        return told.stdout.rsplit("-- cursor: ", 1)[1].strip()


def _child_of(pid: str) -> str:
    """The one child of a process; empty where it has none yet."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return ""
    return children.strip()
