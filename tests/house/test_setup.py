"""What `make setup` says and does on machines that lack something; all programs are fakes."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.house.checkout import ROOT

LACKING = "qemu-system-x86 qemu-system-common qemu-utils mosquitto qemu-guest-agent"
APT = "apt-get install --yes --quiet --no-install-recommends"
FOR_ROOT = f"{LACKING} systemd"
PROGRAMS = (
    *("qemu-system-x86_64", "qemu-storage-daemon", "qemu-img", "mosquitto", "qemu-ga"),
    "systemctl",
)
CREATE = f'for p in {" ".join(PROGRAMS)}; do : >"$bin/$p"; chmod +x "$bin/$p"; done'
"""What a package manager that works would do."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A folder of programs that is the whole PATH, and a checkout to set up.

    Every fake program writes its command line to ``log`` first.
    """

    programs: Path
    checkout: Path
    log: Path

    def fake(self, name: str, body: str) -> None:
        """Put a program there that does only this."""
        text = f'#!/bin/sh\nbin={self.programs}\necho "{name} $*" >>{self.log}\n{body}\n'
        (self.programs / name).write_text(text, encoding="utf-8")
        (self.programs / name).chmod(0o755)

    def set_up(self, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
        """Run the set-up to its end."""
        script = self.checkout / "scripts" / "setup"
        # The folders that the script adds to PATH may hold the real Mosquitto.
        text = script.read_text(encoding="utf-8").replace(":/usr/local/sbin:/usr/sbin:/sbin", "")
        script.write_text(text, encoding="utf-8")
        return subprocess.run(
            [script],
            check=False,
            capture_output=True,
            text=True,
            env={"PATH": str(self.programs), "PYTHON": python},
        )

    def calls(self) -> list[str]:
        """The command lines of the fakes, in order."""
        return self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with a shell and nothing else."""
    made = Machine(tmp_path / "bin", tmp_path / "checkout", tmp_path / "log")
    made.programs.mkdir()
    (made.checkout / "scripts").mkdir(parents=True)
    for name in ("scripts/setup", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, made.checkout / name)
    for name in (
        "bash",
        "env",
        "dirname",
        "tr",
        "cat",
        "sha256sum",
        "cut",
        "sed",
        "grep",
        "rm",
        "chmod",
        "readlink",
    ):
        found = shutil.which(name)
        assert found, name
        (made.programs / name).symlink_to(found)
    return made


def a_python(machine: Machine) -> str:
    """A Python that is new enough and notes what it is asked to make and to install."""
    machine.fake(
        "python",
        'case "$*" in *"--clear .venv"*)\n'
        '    mkdir() { /bin/mkdir "$@"; }; mkdir -p .venv/bin\n'
        '    /bin/cp "$bin/python" .venv/bin/python; /bin/cp "$bin/python" .venv/bin/pip ;;\n'
        "esac",
    )
    return str(machine.programs / "python")


def installs(machine: Machine) -> list[str]:
    """What pip and venv were asked for."""
    return [call.partition(" -m ")[2] for call in machine.calls() if " -m " in call]


def test_a_python_that_is_too_old_is_refused(machine: Machine) -> None:
    """The sentence names it and how to choose another; nothing is made."""
    machine.fake("id", "echo 0")
    for name in PROGRAMS:
        machine.fake(name, "")
    machine.fake("old", "exit 1")
    result = machine.set_up("old")
    assert result.returncode == 1
    assert result.stderr == (
        "setup: old is not Python 3.11 or newer\n  fix: make setup PYTHON=/path/to/python3.11\n"
    )
    assert not (machine.checkout / ".venv").exists()


def test_without_rights_the_line_to_type_is_printed(machine: Machine) -> None:
    """Who may not install packages can hand that line to the administrator."""
    machine.fake("id", "echo 1000")
    machine.fake("sudo", "exit 1")
    machine.fake("apt-get", "")
    result = machine.set_up()
    assert result.returncode == 1
    assert result.stderr == (
        f"setup: missing: {LACKING}\n"
        f"  fix: run 'sudo apt install {LACKING}', then 'make setup' again\n"
    )
    assert machine.calls() == ["id -u", "id -u", "sudo -n true"]


def test_without_apt_the_packages_are_named(machine: Machine) -> None:
    """Other distributions have the same programs under other names."""
    machine.fake("id", "echo 0")
    result = machine.set_up()
    assert result.returncode == 1
    assert result.stderr == (
        f"setup: missing: {FOR_ROOT}\n"
        "  fix: install what your distribution calls these Debian packages, "
        "then run 'make setup' again\n"
    )


def test_root_installs_only_what_is_missing_and_says_so(machine: Machine) -> None:
    """One call of apt-get, announced before it runs."""
    machine.fake("id", "echo 0")
    machine.fake("apt-get", CREATE)
    machine.fake("qemu-img", "")
    result = machine.set_up(a_python(machine))
    assert result.returncode == 0, result.stderr
    lacking = "qemu-system-x86 qemu-system-common mosquitto qemu-guest-agent systemd"
    assert f"setup: apt install {lacking} (this machine lacks them)\n" in result.stdout
    assert [call for call in machine.calls() if "apt-get" in call] == [f"{APT} {lacking}"]


def test_with_sudo_that_asks_nothing_it_installs_as_root(machine: Machine) -> None:
    """The operator need not be root."""
    machine.fake("id", "echo 1000")
    machine.fake("sudo", 'shift; exec "$@"')
    machine.fake("true", "")
    machine.fake("apt-get", CREATE)
    assert machine.set_up(a_python(machine)).returncode == 0
    assert f"sudo -n env DEBIAN_FRONTEND=noninteractive {APT} {LACKING}" in machine.calls()


def test_stale_package_lists_are_renewed_once(machine: Machine) -> None:
    """When the first try fails, the lists are fetched and it is tried again."""
    machine.fake("id", "echo 0")
    update = 'if [ "$1" = update ]; then : >"$bin/fresh"; exit; fi'
    machine.fake("apt-get", f'{update}; [ -e "$bin/fresh" ] || exit 100; {CREATE}')
    assert machine.set_up(a_python(machine)).returncode == 0
    apt = [call for call in machine.calls() if call.startswith("apt-get")]
    assert apt == [f"{APT} {FOR_ROOT}", "apt-get update --quiet", f"{APT} {FOR_ROOT}"]


def test_packages_that_do_not_bring_the_programs_are_an_error(machine: Machine) -> None:
    """A package manager that says yes and installs nothing is not believed."""
    machine.fake("id", "echo 0")
    machine.fake("apt-get", "")
    result = machine.set_up()
    assert result.returncode == 1
    assert result.stderr == (
        f"setup: still missing after the installation: {FOR_ROOT}\n"
        "  fix: see whether PATH leads to another Python or QEMU\n"
    )


def test_the_second_set_up_does_nothing_until_the_pins_change(machine: Machine) -> None:
    """Instant when all is there; a changed pin is installed into the same environment."""
    machine.fake("id", "echo 0")
    machine.fake("apt-get", CREATE)
    python = a_python(machine)
    quiet = "pip install -qq --disable-pip-version-check"
    libraries = [
        f"{quiet} --no-deps --require-hashes --only-binary :all: --requirement constraints.txt",
        "pip check",
        f"{quiet} --no-deps --no-build-isolation --editable .",
    ]
    assert machine.set_up(python).returncode == 0
    assert installs(machine) == ["venv --clear .venv", *libraries]

    second = machine.set_up(python)
    assert (second.returncode, second.stdout) == (0, "")
    assert installs(machine) == ["venv --clear .venv", *libraries]

    with (machine.checkout / "constraints.txt").open("a", encoding="utf-8") as pins:
        pins.write("new==1 --hash=sha256:00\n")
    assert machine.set_up(python).returncode == 0
    assert installs(machine) == ["venv --clear .venv", *libraries, *libraries]


def test_a_moved_checkout_gets_a_new_environment(machine: Machine, tmp_path: Path) -> None:
    """The absolute paths in the old one would lead to the old place."""
    machine.fake("id", "echo 0")
    machine.fake("apt-get", CREATE)
    python = a_python(machine)
    assert machine.set_up(python).returncode == 0
    moved = Machine(machine.programs, machine.checkout.rename(tmp_path / "moved"), machine.log)
    assert moved.set_up(python).returncode == 0
    assert installs(moved).count("venv --clear .venv") == 2


def test_a_failed_installation_is_tried_again_next_time(machine: Machine) -> None:
    """Half an environment never counts as ready, not even when the old pins come back."""
    machine.fake("id", "echo 0")
    machine.fake("apt-get", CREATE)
    python = a_python(machine)
    assert machine.set_up(python).returncode == 0
    pins = machine.checkout / "constraints.txt"
    before = pins.read_text(encoding="utf-8")

    pins.write_text(f"{before}new==1 --hash=sha256:00\n", encoding="utf-8")
    (machine.checkout / ".venv" / "bin" / "python").write_text(
        '#!/bin/sh\n[ "$2" != pip ]\n', encoding="utf-8"
    )
    assert machine.set_up(python).returncode == 1

    pins.write_text(before, encoding="utf-8")
    assert machine.set_up(python).returncode == 1


def test_a_link_to_the_environment_of_another_checkout_is_left_alone(machine: Machine) -> None:
    """It would be emptied, and be missing there."""
    machine.fake("id", "echo 0")
    for name in PROGRAMS:
        machine.fake(name, "")
    other = machine.checkout.with_name("other")
    (other / "bin").mkdir(parents=True)
    (other / "bin" / "reactor").touch()
    (machine.checkout / ".venv").symlink_to(other)
    result = machine.set_up(a_python(machine))
    assert result.returncode == 1
    assert result.stderr == (
        f"setup: .venv is a link to {other}, which was not made for this checkout\n"
        "  fix: remove the link, then run 'make setup' again; or call the programs in it "
        "without make\n"
    )
    assert installs(machine) == []
    assert (other / "bin" / "reactor").exists()
