"""Looking at guests after a connect, off the hot path: what they have, which QEMU they are.

A look costs a few small queries. It comes a moment after the connect, when the policies are
armed, after whatever may have changed the guest's equipment, and once an hour, because QEMU
sends no event when somebody else plugs something in.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable

import structlog

from reactor.adapters.qmp.equipment import Build, Sends, Unanswered, ask_build, ask_equipment
from reactor.app.lacks.judge import Judge
from reactor.app.lacks.schemas import Schemas
from reactor.app.ports import AgentCommands
from reactor.core.equipment import Aspect
from reactor.core.guest import Guest, Readiness
from reactor.core.policy import Policy
from reactor.core.timers import Timers
from reactor.core.world import World
from reactor.errors import ReactorError
from reactor.policyfile.lacks import NO_AGENT, Lack, Standing

SETTLE_S = 1.0
"""Seconds from a connect or a change to the look: several changes are one look."""

PATIENCE_S = 10.0
"""Seconds that a look which is due waits at most while monitors go on connecting.

A look changes nothing that reactor does, and costs as much as a connect: when thousands come
at once, all of them are watched first.
"""

RETRY_S = 60.0
"""Seconds until a guest is looked at again that did not answer, or whose agent did not."""

EVERY_S = 3600.0
"""Seconds until a guest is looked at again without a cause."""

LOOKS_MAX = 8
"""Looks at once."""

AGENT_S = 5.0
"""Seconds that a guest agent has for its answer."""

POLICIES_AT_ONCE = 5
"""Policies that are judged before others have their turn."""

TOLD_MAX = 10_000
"""Different lacks that are told in the log; beyond it only those that ask hear of them."""

SHARED_MAX = 1000

CHANGING_EVENTS = frozenset(
    {"DEVICE_DELETED", "MEMORY_DEVICE_SIZE_CHANGE", "MIGRATION", "VSERPORT_CHANGE"}
)
"""After these a guest may have another equipment, or its agent answers now."""

CHANGING_COMMANDS = frozenset(
    {
        "block-set-write-threshold",
        "blockdev-add",
        "blockdev-del",
        "device_add",
        "migrate-set-capabilities",
        "x-blockdev-change",
    }
)

log = structlog.get_logger("reactor")


class Looker:
    """Keeps ``standings``: what is known of each connected guest.

    Args:
        world: the engine's present state.
        send: sends a command to a guest's monitor.
    """

    def __init__(self, world: Callable[[], World], send: Sends, agents: AgentCommands) -> None:
        self._world = world
        self._send = send
        self._agents = agents
        self.standings: dict[str, Standing] = {}
        self.judge = Judge(self.standings)
        self.schemas = Schemas(send, self._builds_in_use)
        self._connected: dict[str, tuple[str, str]] = {}
        self._builds: dict[str, Build] = {}
        self._shared: dict[Standing, Standing] = {}
        self._told: set[tuple[str, str]] = set()
        self._due = Timers()
        self._calm = 0.0
        self._wake = asyncio.Event()

    # ---------------------------------------------------------- what is told

    def connected(self, guest: str, kind: str, epoch: str) -> None:
        """A monitor is ready: its guest is looked at soon."""
        self._connected[guest] = (kind, epoch)
        self._calm = asyncio.get_running_loop().time() + SETTLE_S
        self._plan(guest, SETTLE_S)

    def disconnected(self, guest: str) -> None:
        """A monitor is away: nothing is known of its guest."""
        for known in (self._connected, self.standings, self._builds):
            known.pop(guest, None)
        self._due.set(guest, None)

    def changed(self, guest: str) -> None:
        """Its equipment may be another one now."""
        if guest in self._connected:
            self._plan(guest, SETTLE_S)

    def adopt(self, policies: Iterable[Policy]) -> None:
        """Other policies are loaded: other things may be needed of each guest."""
        self.judge.adopt(policies)
        self._told.clear()
        for guest in self._connected:
            self._plan(guest, SETTLE_S)

    @property
    def is_busy(self) -> bool:
        """Whether a guest that is connected was not looked at yet."""
        return bool(self._connected.keys() - self.standings.keys())

    # -------------------------------------------------------------- the looks

    async def run(self) -> None:
        """Look at guests when they are due, until cancelled."""
        free = asyncio.Semaphore(LOOKS_MAX)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await free.acquire()
                guest = await self._next()
                task = tasks.create_task(self._visit(guest), name=f"look {guest}")
                task.add_done_callback(lambda _task: free.release())

    async def _next(self) -> str:
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            wait = None
            if (due := self._due.next()) is not None:
                wait = max(due, min(self._calm, due + PATIENCE_S)) - loop.time()
                if wait <= 0:
                    return self._due.first()
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _plan(self, guest: str, after_s: float) -> None:
        """Look at the guest in so many seconds, unless it is due before."""
        due = asyncio.get_running_loop().time() + after_s
        before = self._due.at(guest)
        if before is None or before > due:
            self._due.set(guest, due)
            self._wake.set()

    async def _visit(self, name: str) -> None:
        connection = self._connected.get(name)
        if connection is None:
            return
        world = self._world()
        guest = world.guests.get(name)
        if guest is None or not guest.connected or _is_being_armed(guest):
            # The engine has not heard of the connect yet, or an arm is about to change it.
            self._plan(name, SETTLE_S)
            return
        standing = await self._look_if_possible(world, guest, *connection)
        if self._connected.get(name) != connection:
            return  # it went away meanwhile: the next connect looks again
        if standing is None:
            self._plan(name, RETRY_S)
            return
        if len(self._shared) >= SHARED_MAX:
            self._shared.clear()
        self.standings[name] = self._shared.setdefault(standing, standing)
        await self._tell(world, guest)
        silent = standing.agent not in ("", NO_AGENT)
        self._plan(name, RETRY_S if silent else EVERY_S)

    async def _look_if_possible(
        self, world: World, guest: Guest, kind: str, epoch: str
    ) -> Standing | None:
        try:
            return await self._look(world, guest, kind, epoch)
        except Unanswered:
            return None
        except Exception:
            # Policies work without it: it must not end the daemon.
            log.exception("a guest could not be looked at", guest=guest.name)
            return None

    async def _look(self, world: World, guest: Guest, kind: str, epoch: str) -> Standing:
        build = await ask_build(self._send, guest.name, kind, epoch)
        self._builds[guest.name] = build
        told = await self.schemas.of(guest.name, build)
        aspects, asks_agent = self._needed(world, guest)
        return Standing(
            kind=kind,
            qemu=build.version,
            equipment=await ask_equipment(self._send, guest.name, aspects, build.arch),
            agent=await self._agent(guest, asks=asks_agent),
            digest=told.digest,
            schema=told.schema,
        )

    def _needed(self, world: World, guest: Guest) -> tuple[frozenset[Aspect], bool]:
        """What the policies of a guest must know of it: nothing else is asked."""
        selection = world.selections.get(guest.name)
        needs = [] if selection is None else [self.judge.needs(one) for one in selection.policies]
        return frozenset().union(*(one.aspects for one in needs)), any(one.agent for one in needs)

    async def _agent(self, guest: Guest, *, asks: bool) -> str:
        """Why the guest agent cannot be asked; empty where it can, or nobody knows."""
        if not guest.agent:
            return NO_AGENT
        if not asks or guest.status != "running":
            return ""
        try:
            await self._agents.send(guest.name, "guest-ping", {}, timeout=AGENT_S, replies=True)
        except ReactorError as error:
            return f"the guest agent does not answer: {error.problem}"
        return ""

    def _builds_in_use(self) -> Collection[Build]:
        return self._builds.values()

    async def _tell(self, world: World, guest: Guest) -> None:
        """Say once what a policy lacks; how many guests it is, `reactor status` says."""
        selection = world.selections.get(guest.name)
        for number, one in enumerate(() if selection is None else selection.policies):
            self.judge.of(one, guest)
            if number % POLICIES_AT_ONCE == 0:
                # 1,000 policies take 0.5 s for the first guest of a kind.
                await asyncio.sleep(0)
        if guest.name not in world.selections:
            return
        for policy, lack in self.judge.of_guest(world, guest).all:
            key = (policy, lack.sentence)
            if lack.is_harmless or key in self._told or len(self._told) >= TOLD_MAX:
                continue
            self._told.add(key)
            _warn(policy, lack, guest)


def _is_being_armed(guest: Guest) -> bool:
    return any(arming.state is Readiness.ARMING for arming in guest.arming.values())


def _warn(policy: str, lack: Lack, guest: Guest) -> None:
    log.warning(
        "policy lacks something on a guest",
        policy=policy,
        guest=guest.name,
        qemu=guest.facts.qemu_version,
        problem=lack.sentence,
        fix="`reactor readiness` names every guest with it",
    )
