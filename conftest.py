"""The snippets of README.md and docs/ are run, so that they cannot rot."""

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser()],
    patterns=["*.md"],
    excludes=["docs/adr/*"],
).pytest()
