"""Whether the daemon runs, and whether its journal takes what must be kept."""

from reactor.app.control.answers import DaemonLine
from reactor.app.doctor.findings import Finding, State, problem
from reactor.errors import ControlError, LostReply, NoDaemonError

_ROOM = "make room on its disk, or mend what ails it: reactor goes on by itself"


def examine_daemon(line: DaemonLine) -> list[Finding]:
    """A daemon that answers: a journal that cannot be written stops everything that it does."""
    runs = f"process {line.pid} runs, version {line.version}"
    found = [Finding("daemon", State.OK, runs)]
    if line.journal_problem:
        text = (
            f"{line.journal}: it cannot be written: {line.journal_problem}. "
            "Nothing is done to any guest until it can"
        )
        found.append(Finding("journal", State.PROBLEM, text, _ROOM))
    else:
        found.append(Finding("journal", State.OK, f"{line.journal} is written"))
    return found


def examine_silence(error: ControlError | LostReply) -> list[Finding]:
    """A daemon that does not answer, or not us: no problem before its first start."""
    if isinstance(error, NoDaemonError):
        return [Finding("daemon", State.WARNING, f"{error.place}: {error.problem}", error.fix)]
    return [problem("daemon", error)]
