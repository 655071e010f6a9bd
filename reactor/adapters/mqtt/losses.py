"""What lost connections mean: what is told of them, and how long to wait before the next one."""

import random
from collections import deque

from reactor.adapters.mqtt import faults
from reactor.adapters.mqtt.faults import Lost
from reactor.adapters.mqtt.messages import Limits
from reactor.adapters.mqtt.options import MqttOptions
from reactor.errors import BrokerError

# Mosquitto gives no reason to a client whose id another one takes over: that so
# many connections are closed in so short a time is no accident.
_THROWN_OUT = 3


class Losses:
    """Judges lost connections, one after the other."""

    def __init__(self, options: MqttOptions, limits: Limits) -> None:
        self._options = options
        self._limits = limits
        self._failures = 0
        self._fights = 0
        self._closed_at: deque[float] = deque(maxlen=_THROWN_OUT)
        self._lost_at = 0.0
        self._told = ""

    def no_connect(self) -> None:
        """There was no connection at all."""
        self._failures += 1

    def judge(self, how: Lost, lasted_s: float, now: float) -> BrokerError | None:
        """What is to be told; None where that was told already.

        Args:
            lasted_s: how long the connection was there.
            now: the loop's clock.
        """
        limits = self._limits
        self._failures = 0 if lasted_s >= limits.stable_s else self._failures + 1
        if now - self._lost_at > limits.recent_s:
            self._told = ""
            self._closed_at.clear()
        self._lost_at = now
        error = faults.lost(self._options, how)
        if how == Lost():
            self._closed_at.append(now)
            if len(self._closed_at) == _THROWN_OUT:
                error = faults.thrown_out(self._options, _THROWN_OUT)
        self._count_fights(how, lasted_s)
        if str(error) == self._told:
            return None
        self._told = str(error)
        return error

    def _count_fights(self, how: Lost, lasted_s: float) -> None:
        """Two daemons with one client id throw each other out: each time one waits for longer."""
        is_fight = how.code == faults.TAKEN_OVER or len(self._closed_at) == _THROWN_OUT
        goes_on = self._fights and how == Lost() and lasted_s < self._limits.calm_s
        self._fights = self._fights + 1 if is_fight or goes_on else 0

    def pause(self, rng: random.Random) -> float:
        """Seconds to wait; with jitter, so that a restarted broker is not met by all at once."""
        limits = self._limits
        longest: float = min(
            limits.first_delay_s * 2 ** min(self._failures, 20), limits.max_delay_s
        )
        if self._fights:
            fight = limits.fight_s * 2 ** min(self._fights - 1, 20)
            longest = max(longest, min(fight, limits.fight_max_s))
        return longest * rng.uniform(0.5, 1.0)
