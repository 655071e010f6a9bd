"""What the language has and this version cannot do yet: refused in words, never ignored.

Each key leads to the fix. A later version that learns one takes it out here.
"""

from collections.abc import Mapping

_TAKE_OUT = "take it out"

POLICY_KEYS: Mapping[str, str] = {
    "debounce": "take it out, or use `cooldown`",
    "inhibit_if": "take it out, or put the opposite into `if`",
    "approval": "take it out, or use `enforcement: audit`",
}
ENFORCEMENTS: Mapping[str, str] = {"approve": "use `audit` or `enforce`"}
MODES: Mapping[str, str] = {
    "restart": "use `single` or `queued`",
    "parallel": "use `single` or `queued`",
}

_SOURCE = "use an `event` trigger"
TRIGGER_KEYS: Mapping[str, str] = {
    "count": "take it out, or limit the runs with `cooldown` or `limits`",
    "within": _TAKE_OUT,
    "not_followed_by": "take it out, or wait for the second event in a step",
    "followed_by": "take it out, or wait for the second event in a step",
    "cancel_on": _TAKE_OUT,
    "state": _SOURCE,
    "for": _TAKE_OUT,
    "schedule": _SOURCE,
    "timezone": _TAKE_OUT,
    "catch_up": _TAKE_OUT,
    "mqtt": _SOURCE,
    "guest": "take it out, or select with `guests`",
    "topic": _TAKE_OUT,
    "max_age": _TAKE_OUT,
    "own": _TAKE_OUT,
    "synthetic": "take it out, or ask `event.synthetic` in `where`",
}

STEP_VERBS: Mapping[str, str] = {
    "agent": _TAKE_OUT,
    "choose": "give each step its own `if`",
    "repeat": "use `retry` on the step",
    "parallel": "write the steps one after the other",
    "run": "write the runbook's steps here",
    "http": "use `publish`",
    "exec": "use `publish`",
    "inhibit": "take it out, or set a `mark` and ask for it with `marked()`",
}
WAIT_KEYS: Mapping[str, str] = {
    "stays": "use `until`",
    "for": _TAKE_OUT,
}
GUEST_ACTIONS: Mapping[str, str] = {
    "shutdown": "use `qmp: system_powerdown` with a `wait` for SHUTDOWN",
    "reboot": "use `guest: reset`, or `publish` and let people do it",
    "start": "use `guest: resume` where the guest is in `prelaunch`",
    "destroy": "use `qmp: quit` and `settings.qmp.allow`",
    "inject-nmi": "use `qmp: inject-nmi`",
}
DOCUMENTS: Mapping[str, str] = {
    "runbook": "write its steps into the policies that need them",
    "test": "keep it in a folder that is not loaded",
}
