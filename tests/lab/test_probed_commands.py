"""What probes ask, on a real QEMU: each command is `not done` before it was sent, then `done`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pytest

from reactor.core.disk_probes import ALL
from reactor.core.event import Event
from reactor.core.inputs import Answered, Facts, Refusal
from reactor.core.intent import Intent, evidence, intent_of
from reactor.core.probes import Ask, Finding, Seen, Verdict
from reactor.demo.guests import Guest, GuestPlan
from reactor.demo.lab import Lab
from reactor.demo.waiting import until_async
from reactor.errors import MonitorError
from tests.docs.pages import page
from tests.lab.recipes import NOWHERE

Arguments = Mapping[str, object]

NODES = ("d0", "src", "dst")
PLAN = GuestPlan(
    options=(
        *("-device", "ide-cd,id=cd0", "-device", "virtio-scsi-pci,id=scsi0"),
        *("-blockdev", "driver=null-co,node-name=m0,size=1048576,read-only=on"),
        *(
            part
            for node in NODES
            # More than a mirror copies at once (16 MiB), whatever its speed is.
            for part in ("-blockdev", f"driver=null-co,node-name={node},size=67108864")
        ),
        *("-device", "virtio-blk-pci,drive=d0"),
    )
)


class Case(NamedTuple):
    """A command; ``then`` is the status of its job that is waited for behind it.

    ``ready``: the job is let be ready between the first look and the command. Not ``probed``: the
    command is only on the way.
    """

    command: str
    arguments: Arguments
    job: str = ""
    then: str = ""
    ready: bool = False
    probed: bool = True


def _way(command: str, arguments: Arguments, job: str = "", then: str = "") -> Case:
    return Case(command, arguments, job, then, probed=False)


def _over(job: str, *, stays: bool = False) -> Iterator[Case]:
    """Let a job that was begun be gone."""
    yield _way("job-cancel", {"id": job}, job=job, then="concluded" if stays else "gone")
    if stays:
        yield _way("job-dismiss", {"id": job}, job=job, then="gone")


def _media() -> Iterator[Case]:
    yield Case("blockdev-open-tray", {"id": "cd0"})
    yield Case("blockdev-insert-medium", {"id": "cd0", "node-name": "m0"})
    yield Case("blockdev-close-tray", {"id": "cd0"})
    yield Case("eject", {"id": "cd0"})
    yield _way("blockdev-insert-medium", {"id": "cd0", "node-name": "m0"})
    yield Case("blockdev-remove-medium", {"id": "cd0"})


def _things(folder: Path) -> Iterator[Case]:
    """What is added and taken away."""
    yield Case("blockdev-add", {"driver": "null-co", "node-name": "n1"})
    yield Case("blockdev-del", {"node-name": "n1"})
    yield Case("block-dirty-bitmap-add", {"node": "d0", "name": "b0"})
    yield Case("block-dirty-bitmap-remove", {"node": "d0", "name": "b0"})
    yield Case("object-add", {"qom-type": "iothread", "id": "io1"})
    yield Case("object-del", {"id": "io1"})
    yield Case("chardev-add", {"id": "c1", "backend": {"type": "null", "data": {}}})
    yield Case("chardev-remove", {"id": "c1"})
    server = {"addr": {"type": "unix", "data": {"path": str(folder / "nbd")}}}
    yield _way("nbd-server-start", server)
    yield Case("nbd-server-add", {"device": "d0", "name": "e0"})
    yield Case("nbd-server-remove", {"name": "e0"})
    yield Case("block-export-add", {"id": "e1", "type": "nbd", "node-name": "d0"})
    yield Case("block-export-del", {"id": "e1"})
    # On a bus that asks no guest: the device is gone at once.
    yield Case("device_add", {"driver": "scsi-cd", "id": "cd1", "bus": "scsi0.0"})
    yield Case("device_del", {"id": "cd1"})


def _jobs(folder: Path) -> Iterator[Case]:
    """Jobs that begin; those that end by themselves stay until they are dismissed."""
    slow = {"sync": "full", "speed": 1000}
    to_node = {"device": "src", "target": "dst", **slow}
    stays = {"auto-dismiss": False}
    yield Case("blockdev-mirror", {"job-id": "k1", **to_node})
    yield from _over("k1")
    file = {"device": "src", "target": str(folder / "copy"), "format": "raw", **slow}
    yield Case("drive-mirror", {"job-id": "k2", **file})
    yield from _over("k2")
    yield Case("drive-backup", {"job-id": "k3", **file, **stays})
    yield from _over("k3", stays=True)
    yield Case("blockdev-backup", {"job-id": "k4", **to_node, **stays})
    yield from _over("k4", stays=True)
    overlay = {"node-name": "d0", "snapshot-file": str(folder / "over"), "format": "qcow2"}
    yield Case("blockdev-snapshot-sync", {**overlay, "snapshot-node-name": "s0"})
    yield Case("block-commit", {"job-id": "k5", "device": "s0", **stays})
    yield from _over("k5", stays=True)
    yield Case("block-stream", {"job-id": "k6", "device": "s0", **stays}, "k6", "concluded")
    yield _way("job-dismiss", {"id": "k6"}, "k6", "gone")


def _steering(block: str, name: str) -> Iterator[Case]:
    """What is told to a job, by the commands of jobs and those of block jobs."""
    nodes = {"device": "src", "target": "dst", "sync": "full"}
    backup = {"job-id": "k", **nodes, "speed": 1000, "auto-dismiss": False}
    yield _way("blockdev-backup", backup, "k", "running")
    yield Case(f"{block}job-pause", {name: "k"}, "k", then="paused")
    yield Case(f"{block}job-resume", {name: "k"}, "k", then="running")
    yield Case(f"{block}job-cancel", {name: "k"}, "k", then="concluded")
    yield Case(f"{block}job-dismiss", {"id": "k"}, "k", then="gone")
    # Told at once that it is `ready` nobody can tell: before that it is not done.
    mirror = {"job-id": "k", **nodes, "speed": 1000, "auto-dismiss": False}
    yield _way("blockdev-mirror", mirror, "k", "running")
    yield Case(f"{block}job-complete", {name: "k"}, "k", then="concluded", ready=True)
    yield _way("job-dismiss", {"id": "k"}, "k", "gone")
    kept = {"job-id": "k", **nodes, "auto-dismiss": False, "auto-finalize": False}
    yield _way("blockdev-backup", kept, "k", "pending")
    yield Case(f"{block}job-finalize", {"id": "k"}, "k", then="concluded")
    yield _way("job-dismiss", {"id": "k"}, "k", "gone")


def _snapshots(folder: Path) -> Iterator[Case]:
    """A disk of qcow2 is made, and the whole guest kept in it, brought back and thrown away."""
    path = str(folder / "made")
    file = {"driver": "file", "filename": path, "size": 0}
    yield Case("blockdev-create", {"job-id": "s1", "options": file}, "s1", then="concluded")
    yield _way("job-dismiss", {"id": "s1"})
    yield _way("blockdev-add", {"driver": "file", "filename": path, "node-name": "f1"})
    image = {"driver": "qcow2", "file": "f1", "size": 1 << 20}
    made = {"job-id": "s2", "options": image}
    yield _way("blockdev-create", made, job="s2", then="concluded")
    yield _way("job-dismiss", {"id": "s2"})
    yield _way("blockdev-add", {"driver": "qcow2", "file": "f1", "node-name": "q1"})
    kept = {"tag": "t", "devices": ["q1"]}
    for number, verb in enumerate(("save", "load", "delete"), 3):
        job = f"s{number}"
        state = {} if verb == "delete" else {"vmstate": "q1"}
        arguments = {"job-id": job, **kept, **state}
        yield Case(f"snapshot-{verb}", arguments, job, then="concluded")
        yield _way("job-dismiss", {"id": job})


def _ends() -> Iterator[Case]:
    yield _way("migrate-set-parameters", {"max-bandwidth": 4096})
    yield Case("migrate", {"uri": NOWHERE})
    yield Case("migrate_cancel", {})


def _cases(folder: Path) -> Sequence[Case]:
    """In an order that works."""
    blocks = (_steering("", "id"), _steering("block-", "device"))
    return [
        *chain(_media(), _things(folder), _ends(), *blocks, _jobs(folder), _snapshots(folder)),
        Case("quit", {}),
    ]


ELSEWHERE = frozenset({"cont", "dump-guest-memory", "system_reset"})
"""Shown by `test_in_doubt`, by the daemon itself."""

NOT_SHOWN: Mapping[str, str] = {
    "system_wakeup": "no guest of the tests sleeps",
    "system_powerdown": "`cannot be told` until QEMU says POWERDOWN",
    "migrate-start-postcopy": "it needs a second QEMU that takes the guest over",
}
"""Why the lab does not show both answers of these; `durability.md` says so, too."""


class Prober:
    """Looks at a guest as the daemon does that has a command in doubt."""

    def __init__(self, guest: Guest) -> None:
        self.control = guest.control

    async def _facts(self) -> Facts:
        try:
            dump = await self.control.command("query-dump")
            migration = await self.control.command("query-migrate")
            status = await self.control.status()
        except MonitorError:
            return Facts()  # it is gone
        return Facts(status=status, dump=dump["status"], migration=migration.get("status", ""))

    async def intent(self, case: Case) -> Intent:
        """What is kept before the command goes out."""
        facts = await self._facts()
        return intent_of(
            "r.1", case.command, case.arguments, status=facts.status, facts=facts, now=1.0
        )

    async def verdict(self, intent: Intent, after: int) -> Verdict:
        """What the probe finds now; events behind number ``after`` were heard."""
        facts, decide = await self._facts(), ALL[intent.command].decide
        words = (
            evidence(Event(event.name, "web-1", event.data))
            for event in self.control.events(after=after)
        )
        heard = frozenset(word for word in words if word)
        seen = Seen(intent, heard, facts.status, facts.dump, facts.migration)
        found = decide(seen)
        if isinstance(found, Ask):
            try:
                answer = await self.control.command(found.command, found.arguments)
                proof = Answered("r.2", answer)
            except MonitorError as error:
                proof = Answered("r.2", error=Refusal("GenericError", str(error)))
            found = decide(replace(seen, proof=proof))
        assert isinstance(found, Finding)
        return found.verdict

    async def reaches(self, job: str, status: str) -> None:
        """Return when the job is in this status; one that is not known is `gone`."""

        async def there() -> bool:
            rows = await self.control.command("query-jobs")
            known = {str(row["id"]): str(row["status"]) for row in rows}
            now = known.get(job, "gone")
            # A mirror of a small disk may be further by the time it is looked at.
            return now == status or (status == "running" and now == "ready")

        await until_async(f"the job {job} is {status}", there)

    async def play(self, case: Case) -> tuple[Verdict, Verdict] | None:
        """Send the command; what is found before and behind it, where it is looked at."""
        intent, mark = await self.intent(case), self.control.seen
        before = await self.verdict(intent, mark) if case.probed else None
        if case.ready:
            await self.control.command("block-job-set-speed", {"device": case.job, "speed": 0})
            await self.reaches(case.job, "ready")
            mark = self.control.seen
        await self.control.command(case.command, case.arguments)
        if case.then:
            await self.reaches(case.job, case.then)
        if before is None:
            return None
        if case.command == "quit":
            await self.control.lost()
        return before, await self.verdict(intent, mark)


@pytest.mark.asyncio
async def test_a_probe_tells_a_command_that_was_done_from_one_that_was_not(
    lab: Lab, tmp_path: Path
) -> None:
    """By what QEMU answers to the query, before and behind it."""
    prober = Prober(await lab.guest(plan=PLAN))
    told = dict[str, tuple[Verdict, Verdict]]()
    for case in _cases(tmp_path):
        found = await prober.play(case)
        if found is not None:
            told.setdefault(case.command, found)
    assert told == dict.fromkeys(told, (Verdict.NOT_DONE, Verdict.DONE))
    assert told.keys() | ELSEWHERE | NOT_SHOWN.keys() == ALL.keys()
    assert not told.keys() & NOT_SHOWN.keys()


def test_what_the_lab_does_not_show_stands_in_the_documents() -> None:
    """With its reason."""
    text = " ".join(page("docs/explanation/durability.md").split())
    for command, why in NOT_SHOWN.items():
        assert f"`{command}` ({why})" in text
