"""Problems as the commands by which a job of GitHub Actions marks lines of a change.

Source: GitHub's documentation, "Workflow commands for GitHub Actions".
"""

from reactor.app.printable import printable
from reactor.cli.files_shown import from_here
from reactor.errors import Problem, Severity

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_IN_TEXT = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def annotation(problem: Problem) -> str:
    """The problem as one line of the job's output."""
    place = problem.place
    said = {"file": printable(from_here(place.file))}
    if place.line:
        said |= {"line": str(place.line), "col": str(place.column)}
    said["title"] = problem.code.value
    properties = ",".join(f"{key}={text.translate(_IN_PROPERTY)}" for key, text in said.items())
    message = f"{printable(problem.problem)}\nfix: {printable(problem.fix)}"
    return f"::{_COMMANDS[problem.severity]} {properties}::{message.translate(_IN_TEXT)}"
