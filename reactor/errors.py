"""Every intentional error: a place, a problem and a fix, with the blame in the type."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec


class Place(msgspec.Struct, frozen=True, order=True):
    """Where in a file; line and column count from 1, 0 when they are not known."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """``file:line:column``, as editors and compilers write it."""
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"


class Code(StrEnum):
    """The number of a finding: stable for ever, so that tools can filter by it."""

    YAML = "R001"
    DUPLICATE_KEY = "R002"
    UNKNOWN_KEY = "R003"
    FORBIDDEN_YAML = "R004"
    WRONG_VALUE = "R005"
    MISSING_KEY = "R006"
    NOT_BUILT = "R007"
    EXPRESSION = "R008"
    DUPLICATE_NAME = "R009"
    NOT_ALLOWED = "R010"
    UNREADABLE = "R011"
    UNKNOWN_NAME = "R012"
    CALL = "R013"
    BROKER_FILE = "R014"
    LATE_WAIT = "R020"
    ENDLESS_WAIT = "R021"
    UNCHECKED_SUCCESS = "R022"
    UNAWAITED_UNPLUG = "R023"
    LOST_JOB = "R024"
    UNARMED = "R030"
    LEFT_STOPPED = "R031"
    RESUMED_PANIC = "R032"
    OLD_STATUS = "R033"
    STANDS_STILL = "R034"
    SILENT_MIGRATION = "R035"
    LOWER_BOUND = "R040"
    MIXED_COUNT = "R041"
    UNLIMITED = "R042"
    HASTY_RESUME = "R043"
    ERROR_AS_SUCCESS = "R050"
    DEADLY = "R051"
    NEEDS_PERMISSION = "R052"
    OPEN_PATH = "R053"
    OUTDATED = "R054"
    OPEN_SHELL = "R055"
    UNREACHABLE = "R060"
    NEVER_HOLDS = "R061"
    OPPOSED = "R070"
    LOOP = "R071"
    NOBODY_INHIBITED = "R072"
    USELESS_IGNORE = "R080"
    CUT_TEXT = "R090"
    FOREIGN_TEMPLATE = "R091"


class Severity(StrEnum):
    """How bad a finding is: only an error stops a policy from being loaded."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding in a file: what is wrong where, and how to mend it.

    ``path`` is the place inside the policy, such as ``steps/2/payload``.
    """

    place: Place
    code: Code
    problem: str
    fix: str
    severity: Severity = Severity.ERROR
    path: str = ""

    def __str__(self) -> str:
        """Two lines for people: the finding and its fix."""
        return f"{self.place}: {self.code} {self.problem}\n  fix: {self.fix}"


class ReactorError(Exception):
    """The parent of every error that is raised on purpose.

    Args:
        place: a file, socket, broker or policy, as the operator names it.
        problem: what is wrong, one sentence without a full stop.
        fix: what to do about it, an imperative.
    """

    def __init__(self, place: object, problem: str, fix: str) -> None:
        super().__init__(f"{place}: {problem}\n  fix: {fix}")
        self.place = place
        self.problem = problem
        self.fix = fix


class PolicyError(ReactorError):
    """The author of a policy must act; carries every problem of one pass."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(first.place, first.problem, first.fix)

    def __str__(self) -> str:
        """All the problems, two lines each."""
        return "\n".join(map(str, self.problems))


class SettingsError(ReactorError):
    """The admin of the host must act: a settings file, flag or folder is wrong."""


class ExpressionError(ReactorError):
    """An expression cannot be compiled; ``column`` counts from 1 inside its source."""

    def __init__(self, source: str, column: int, problem: str, fix: str) -> None:
        super().__init__(f"expression {source!r}, column {column}", problem, fix)
        self.source = source
        self.column = column


class TemplateError(ReactorError):
    """Expressions in a text cannot be compiled; ``errors`` has one at least."""

    def __init__(self, errors: Sequence[ExpressionError]) -> None:
        self.errors = tuple(errors)
        first = self.errors[0]
        super().__init__(first.place, first.problem, first.fix)


class RecordingError(ReactorError):
    """A recording holds what cannot be read: a newer format, or lines that are none."""


class MonitorError(ReactorError):
    """A QMP monitor or guest agent cannot be reached, or does not speak its protocol."""


class GuestError(ReactorError):
    """QEMU itself, or the guest's agent, said no.

    ``error_class`` and ``description`` are its own words (the ``error`` of QMP).
    """

    def __init__(
        self,
        guest: str,
        command: str,
        error_class: str,
        description: str,
        *,
        fix: str = "look the command up with `reactor docs`; nothing was changed",
    ) -> None:
        place = f"guest {guest}, command {command}"
        super().__init__(place, f"{error_class}: {description}", fix)
        self.error_class = error_class
        self.description = description


class LostReply(ReactorError):  # noqa: N818 - a fact about the link, not an error of ours
    """No reply came after a command was sent: its outcome is unknown.

    The command may or may not have been carried out; it must never be
    repeated blindly.
    """


class JournalError(ReactorError):
    """The journal cannot be opened, read or written."""


class BrokerError(ReactorError):
    """The MQTT broker cannot be reached or refuses us."""


class ControlError(ReactorError):
    """The daemon's control socket cannot be made, or not be asked."""


class NoDaemonError(ControlError):
    """Nobody listens at the control socket."""


class ForbiddenError(ControlError):
    """The daemon runs, and this user may not ask it."""
