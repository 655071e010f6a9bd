"""Which kinds of requests there are, by the words of the settings."""

from enum import StrEnum


class Kind(StrEnum):
    """What can be asked for over MQTT; the value is the first level, or two, of its topics."""

    APPROVE = "approve"
    MARK = "set/mark"
    SILENCE = "set/silence"
    POLICY = "set/policy"
    HOLD = "set/hold"
    INHIBIT = "set/inhibit"
    RUN = "set/run"
    TRIGGER = "set/trigger"
    ASK = "ask"
    COMMAND = "cmd"


NAMED = tuple(kind.value for kind in Kind if kind is not Kind.COMMAND)
"""What ``mqtt.allow`` can switch on; commands are named one by one, in ``mqtt.commands``."""
