"""How the program ends: one exit code for each kind of end."""

from enum import IntEnum

from reactor.errors import (
    BrokerError,
    ControlError,
    ExpressionError,
    ForbiddenError,
    GuestError,
    JournalError,
    LostReply,
    MonitorError,
    NoDaemonError,
    PolicyError,
    ReactorError,
    RecordingError,
    SettingsError,
    TemplateError,
)


class Exit(IntEnum):
    """Exit codes, the same for every verb."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    REFUSED = 3
    CANNOT_CONNECT = 4
    NOT_RUNNING = 5
    INTERNAL = 70
    INTERRUPTED = 130


class UsageError(ReactorError):
    """The command line itself is wrong."""


class RefusedError(ReactorError):
    """What was asked for is not done, on purpose."""


class NotRunningError(ReactorError):
    """The daemon does not run, or never did."""


_EXITS: tuple[tuple[type[ReactorError], Exit], ...] = (
    (UsageError, Exit.USAGE),
    (SettingsError, Exit.USAGE),
    (RefusedError, Exit.REFUSED),
    (GuestError, Exit.REFUSED),
    (ForbiddenError, Exit.REFUSED),
    (NotRunningError, Exit.NOT_RUNNING),
    (NoDaemonError, Exit.NOT_RUNNING),
    (ControlError, Exit.CANNOT_CONNECT),
    (JournalError, Exit.CANNOT_CONNECT),
    (RecordingError, Exit.CANNOT_CONNECT),
    (MonitorError, Exit.CANNOT_CONNECT),
    (BrokerError, Exit.CANNOT_CONNECT),
    (LostReply, Exit.CANNOT_CONNECT),
    (PolicyError, Exit.FINDINGS),
    (ExpressionError, Exit.FINDINGS),
    (TemplateError, Exit.FINDINGS),
)


def exit_of(error: ReactorError) -> Exit:
    """The exit code of an error that ends the program."""
    return next((code for kind, code in _EXITS if isinstance(error, kind)), Exit.FINDINGS)
