"""The demo, as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from reactor.demo.dumps import dump_files, dump_is_valid


@pytest.mark.timeout(60)
def test_the_demo_keeps_all_its_promises(tmp_path: Path) -> None:
    """It exits with 0, every promise was checked and kept, the dump is there to look at."""
    command = [sys.executable, "-m", "reactor", "demo", "--keep", str(tmp_path), "-o", "jsonl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    checks = [line for line in lines if line["kind"] == "check"]
    assert done.returncode == 0, done.stderr
    assert len(checks) == 7
    assert all(check["kept"] for check in checks)
    assert any("guest: dump" in line["text"] for line in lines if line["kind"] == "mqtt")
    assert [dump_is_valid(path) for path in dump_files(tmp_path / "dumps")] == [True]
