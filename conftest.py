"""The snippets of the documents are run, so that they cannot rot.

Python blocks are executed, in order, with one namespace for each document. YAML
blocks that are policies are given to `reactor check`, as a reader would do it.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from scripts.schema_check import documents


def check_policy(example: Example) -> None:
    """Fail with what `reactor check` prints when it refuses the policy."""
    text = str(example.parsed)
    # A test needs the policies of its page: tests/docs/test_blocks.py plays it with them.
    if not list(documents(text)) or text.startswith("test:"):
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "snippet.yaml")
        file.write_text(text, encoding="utf-8")
        checked = subprocess.run(
            [Path(sys.executable).with_name("reactor"), "check", file],
            check=False,
            capture_output=True,
            text=True,
        )
    assert checked.returncode == 0, checked.stdout + checked.stderr


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), CodeBlockParser("yaml", check_policy)],
    patterns=["*.md"],
    excludes=["docs/adr/*"],
).pytest()
