"""Guests of the settings and of the discovery: their monitors, and the engine's view of them."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from reactor.adapters.agent import Agents
from reactor.adapters.qmp import Monitors
from reactor.adapters.qmp.survey import Found
from reactor.app.depth import cut, is_too_deep
from reactor.app.lacks.looking import CHANGING_EVENTS, Looker
from reactor.app.settings import Discovery, NamedGuest
from reactor.core.event import Event
from reactor.core.inputs import (
    Connected,
    Disconnected,
    Facts,
    GuestForgotten,
    GuestKnown,
    Happened,
    Input,
)
from reactor.errors import ReactorError, SettingsError

FORGET_AFTER_S = 60.0
"""Seconds a guest whose socket vanished is remembered: QEMU may be starting again."""

log = structlog.get_logger("reactor")


def _nothing(_guest: str, _labels: Mapping[str, str]) -> tuple[str, ...]:
    return ()


class Guests:
    """Tells the engine what the monitors tell, and keeps the set of guests.

    Args:
        submit: takes the engine's inputs.
        now: the engine's clock.
        discoveries: what the settings say of the guests that a pattern finds.
        agents: learns where the agents of guests are reached.
        control: where reactor itself listens for operators: a pattern may find that too.
        compared: says by name and labels what a guest's connect is to ask for, to compare
            it at the next one.
        looker: looks at guests whose equipment may be another one; None: nobody does.

    ``troubles`` are why monitors cannot be used now, by guest.
    """

    def __init__(  # noqa: PLR0913 - the ports of the guests
        self,
        submit: Callable[[Input], None],
        now: Callable[[], float],
        discoveries: Sequence[Discovery],
        agents: Agents,
        control: Path | None = None,
        *,
        compared: Callable[[str, Mapping[str, str]], tuple[str, ...]] = _nothing,
        looker: Looker | None = None,
    ) -> None:
        self._submit = submit
        self._now = now
        self._discoveries = {found.discover: found for found in discoveries}
        self._agents = agents
        self._control = None if control is None else os.path.realpath(control)
        self._looker = looker
        self._named: dict[str, str] = {}
        self._found: set[str] = set()
        self._forgetting: dict[str, asyncio.TimerHandle] = {}
        self.troubles: dict[str, str] = {}
        self._compared = compared
        self._labels: dict[str, Mapping[str, str]] = {}
        self.monitors = Monitors(self, compared=self._compared_of)

    def name(self, guest: NamedGuest) -> None:
        """Watch a guest of the settings: what the discovery says of its name or socket is moot."""
        self._named[guest.name] = os.path.realpath(guest.qmp.removeprefix("unix:"))
        self.add(guest.name, guest.qmp, guest.labels, guest.agent)

    def expect(self, guest: str) -> None:
        """Forget a guest of an earlier life after a while, unless it is named or found again."""
        loop = asyncio.get_running_loop()
        self._forgetting[guest] = loop.call_later(FORGET_AFTER_S, self._forget, guest)

    def add(
        self, guest: str, address: str, labels: Mapping[str, str], agent: str | None = None
    ) -> None:
        """Watch a guest; what is wrong with it is told, and the others go on."""
        timer = self._forgetting.pop(guest, None)
        if timer is not None:
            timer.cancel()
        self._labels[guest] = labels
        try:
            self.monitors.add(guest, address)
        except SettingsError as error:
            self.on_trouble(guest, error)
            return
        if agent is not None:
            self._agents.add(guest, agent)
        self._submit(GuestKnown(guest, labels, agent is not None))

    # ------------------------------------------------ what discovery tells

    def on_found(self, found: Found) -> None:
        """A socket appeared."""
        if found.real in self._named.values():
            return
        if found.real == self._control:
            log.info("not a guest: reactor's own control socket", socket=found.path)
            return
        if found.guest in self._named:
            self._tell(found.guest, _taken(found))
            return
        log.info("guest found", guest=found.guest, monitor=found.path)
        self._found.add(found.guest)
        told = self._discoveries.get(found.pattern, Discovery(found.pattern))
        self.add(found.guest, found.path, told.labels, told.agent_of(found.guest))

    def on_vanished(self, guest: str) -> None:
        """A socket is gone: its monitor is watched no more, the guest is remembered a while."""
        if guest not in self._found:
            return
        self._found.remove(guest)
        log.info("guest's socket vanished", guest=guest)
        self.monitors.remove(guest)
        self._agents.remove(guest)
        self.troubles.pop(guest, None)
        self.expect(guest)

    def on_problem(self, error: SettingsError) -> None:
        """Something keeps sockets from being found."""
        log.warning("discovery", place=str(error.place), problem=error.problem, fix=error.fix)

    # ------------------------------------------------- what monitors tell

    def _compared_of(self, guest: str) -> tuple[str, ...]:
        return self._compared(guest, self._labels.get(guest, {}))

    def on_connected(self, guest: str, epoch: str, facts: Facts) -> None:
        """A monitor is ready."""
        self.troubles.pop(guest, None)
        log.info("monitor connected", guest=guest, status=facts.status, qemu=facts.qemu_version)
        self._submit(Connected(guest, epoch, facts))
        if self._looker is not None:
            self._looker.connected(guest, facts.kind, epoch)

    def on_disconnected(self, guest: str, reason: str) -> None:
        """A monitor went away."""
        log.warning("monitor lost", guest=guest, reason=reason)
        self._submit(Disconnected(guest, reason))
        if self._looker is not None:
            self._looker.disconnected(guest)

    def on_event(
        self,
        guest: str,
        name: str,
        data: dict[str, object],
        qemu_time: float,
        foretold: bool = False,
    ) -> None:
        """QEMU sent an event."""
        if is_too_deep(data):
            log.warning("event cut", guest=guest, event_name=name, reason="its data has no end")
            data = {member: cut(value) for member, value in data.items()}
        if name in CHANGING_EVENTS and self._looker is not None:
            self._looker.changed(guest)
        self._submit(Happened(Event(name, guest, data, qemu_time, self._now(), foretold=foretold)))

    def on_trouble(self, guest: str, error: ReactorError) -> None:
        """A monitor cannot be used; told once for each change of the reason."""
        self.troubles[guest] = error.problem
        self._tell(guest, error)

    def close(self) -> None:
        """Forget nothing more: the daemon stops."""
        for timer in self._forgetting.values():
            timer.cancel()

    def _forget(self, guest: str) -> None:
        self._forgetting.pop(guest, None)
        self._labels.pop(guest, None)
        self._submit(GuestForgotten(guest))

    def _tell(self, guest: str, error: ReactorError) -> None:
        log.warning(
            "monitor cannot be used",
            guest=guest,
            place=str(error.place),
            problem=error.problem,
            fix=error.fix,
        )


def _taken(found: Found) -> SettingsError:
    return SettingsError(
        f"discover: {found.pattern}",
        f"{found.path} is not watched: the settings name the guest {found.guest} with another "
        "monitor",
        "rename the socket, or the guest in the settings",
    )
