"""Check policy files against the JSON Schema that `reactor schema` gives editors.

    .venv/bin/python scripts/schema_check.py rules examples

`reactor check` does not use the schema, so only this notices when the two
disagree. A policy file is a stream of documents and check-jsonschema reads one
document a file, so each document is written to a file of its own, which is named
after the place that it came from.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent


_KINDS = r"^(policy|runbook|test):"


def documents(text: str) -> Iterator[tuple[int, str]]:
    """Each document that the schema knows, with the number of its first line."""
    line = 1
    for document in re.split(r"^---.*\n", text, flags=re.MULTILINE):
        if re.search(_KINDS, document, flags=re.MULTILINE):
            yield line, document
        line += document.count("\n") + 1


def split(folders: Sequence[str], target: Path) -> list[str]:
    """Write every document below the folders to its own file; their names."""
    names = []
    for path in sorted(p for folder in folders for p in (ROOT / folder).rglob("*.y*ml")):
        for line, document in documents(path.read_text(encoding="utf-8")):
            name = path.relative_to(ROOT).with_suffix(f".line-{line}.yaml")
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_text(document, encoding="utf-8")
            names.append(str(name))
    return names


def main(folders: Sequence[str]) -> int:
    """The exit code of check-jsonschema; 1 where there is no schema or no policy."""
    with tempfile.TemporaryDirectory() as temporary:
        target = Path(temporary)
        names = split(folders, target)
        if not names:
            print(f"no policy found below {', '.join(folders)}")
            return 1
        with (target / "schema.json").open("wb") as schema:
            made = subprocess.run([BIN / "reactor", "schema"], check=False, stdout=schema)
        if made.returncode:
            print(f"`reactor schema` failed with exit code {made.returncode}")
            return 1
        command = [str(BIN / "check-jsonschema"), "--schemafile", "schema.json", *names]
        return subprocess.run(command, check=False, cwd=target).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
