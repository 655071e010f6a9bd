"""The rows `check` and `version`: the program from its start to its end.

Its modules are compiled before, as an installation or the first start leaves them.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.figures import Figure, Line, Pair, Wrong
from bench.policies import lifelike, mixed
from bench.scale import Scale

PARSE = """\
import sys, pathlib, yaml
files = [path for name in sys.argv[1:] for path in pathlib.Path(name).iterdir()]
print(sum(1 for path in files for _ in yaml.parse(path.read_text(), Loader=yaml.CSafeLoader)))
"""
"""The floor: as a program of its own, too, with nothing but PyYAML's events in C."""

FLOOR_IS = "PyYAML's parser in C over the same files"
VERSION = Line("version", "reactor --version, whole process", "s", "a bare interpreter", 6.0)
ONE = Line("check", "{policies} policies in one file, by the clock", "s", FLOOR_IS)
MANY = Line("check", "{policies} longer ones in a file each, by the clock", "s", FLOOR_IS)


def measure(scale: Scale) -> list[Figure]:
    """Seconds by the clock, which is what people wait for: several cores work at once."""
    with tempfile.TemporaryDirectory() as temporary:
        short, long = Path(temporary, "short"), Path(temporary, "long")
        _write(short, ["---\n".join(mixed(scale.policies).documents)])
        _write(long, lifelike(scale.policies))
        return [_figure(ONE, short, scale, 1), _figure(MANY, long, scale, scale.policies)]


def measure_version(scale: Scale) -> list[Figure]:
    """Seconds of processor time of the shortest, which every verb pays before anything else."""
    pairs = []
    for _ in range(scale.rounds):
        ran = _run("-m", "reactor", "--version")
        if not ran.said.startswith("reactor "):
            raise Wrong(f"no version: {ran.said[-200:]!r}")
        pairs.append(Pair(ran.processor_s, _run("-c", "pass").processor_s))
    return [VERSION.of(pairs)]


def _write(folder: Path, texts: Sequence[str]) -> None:
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"{number:05}.yaml").write_text(text, encoding="utf-8")


def _figure(line: Line, folder: Path, scale: Scale, files: int) -> Figure:
    sound = f"{scale.policies} sound policies in {files} file"
    pairs = []
    _run("-m", "reactor", "check", str(folder))  # compiles what has changed
    for _ in range(scale.rounds):
        ran = _run("-m", "reactor", "check", str(folder))
        if sound not in ran.said:
            raise Wrong(f"not {sound}: {ran.said[-200:]!r}")
        floor = _run("-c", PARSE, str(folder))
        if int(floor.said) < 10 * scale.policies:
            raise Wrong(f"the floor saw {floor.said.strip()} events of {scale.policies} policies")
        pairs.append(Pair(ran.clock_s, floor.clock_s))
    what = line.what.format(policies=f"{scale.policies:,}")
    return msgspec.structs.replace(line.of(pairs), what=what)


class _Ran(NamedTuple):
    """What a Python program took, and what it printed."""

    clock_s: float
    processor_s: float
    said: str


def _run(*words: str) -> _Ran:
    # What keeps Python from storing what it compiled would be measured with every start.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True, env=env)
    said = process.stdout.read() if process.stdout else ""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Wrong(f"`{words[1][:20]}` ended with {process.returncode}")
    clock = time.perf_counter() - start
    return _Ran(clock, used.ru_utime + used.ru_stime, said)
