"""What an examination says: one line for each thing that was tried."""

from enum import StrEnum

import msgspec

from reactor.errors import ReactorError


class State(StrEnum):
    """How it stands; the order of the members is the order of alarm."""

    OK = "ok"
    UNTESTED = "untested"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was tried: ``about`` it, how it stands, a sentence, and what to do."""

    about: str
    state: State
    text: str
    fix: str = ""


def problem(about: str, error: ReactorError) -> Finding:
    """What an error says."""
    return Finding(about, State.PROBLEM, f"{error.place}: {error.problem}", error.fix)
