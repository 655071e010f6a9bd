"""What became of a command in doubt about drives, media, bitmaps and the jobs that stay."""

from collections.abc import Iterable, Mapping

from reactor.core.probes import (
    NODES,
    NOTHING,
    PROBES,
    Ask,
    Decide,
    Finding,
    Probe,
    Seen,
    Verdict,
    present,
    starts_kept_job,
)

_BLOCKS = Ask("query-block", {})
_EXPORTS = Ask("query-block-exports", {})


def _rows(seen: Seen) -> Iterable[Mapping[str, object]]:
    result = seen.proof.result if seen.proof is not None else None
    return [row for row in result if isinstance(row, Mapping)] if isinstance(result, list) else []


def _found(*, done: bool, reason: str) -> Finding:
    return Finding(Verdict.DONE if done else Verdict.NOT_DONE, reason)


def _asked(seen: Seen, ask: Ask) -> Finding | Ask | None:
    """What stands in the way of an answer; None when there is one."""
    if not seen.intent.subject:
        return Finding(Verdict.UNKNOWN, "it names nothing that could be asked for")
    if seen.proof is None:
        return ask
    if seen.proof.error is not None:
        return Finding(Verdict.UNKNOWN, f"{ask.command}: {seen.proof.error.description}")
    return None


def _drive(seen: Seen) -> Mapping[str, object] | None:
    """The row of the drive, by the device of the guest or by its old name."""
    name = seen.intent.subject
    for row in _rows(seen):
        qdev = str(row.get("qdev", ""))
        # A device without an id is named by its path in QEMU's tree.
        if name in {row.get("device"), qdev, qdev.removeprefix("/machine/peripheral/")}:
            return row
    return None


def _tray(*, is_open: bool) -> Decide:
    def decide(seen: Seen) -> Finding | Ask:
        if (early := _asked(seen, _BLOCKS)) is not None:
            return early
        row = _drive(seen)
        if row is None or not isinstance(row.get("tray_open"), bool):
            return Finding(Verdict.UNKNOWN, "query-block knows no such drive with a tray")
        word = "open" if row["tray_open"] else "closed"
        return _found(done=row["tray_open"] is is_open, reason=f"its tray is {word}")

    return decide


def _medium(*, wanted: bool) -> Decide:
    def decide(seen: Seen) -> Finding | Ask:
        if (early := _asked(seen, _BLOCKS)) is not None:
            return early
        row = _drive(seen)
        if row is None:
            return Finding(Verdict.UNKNOWN, "query-block knows no such drive")
        there = "inserted" in row
        reason = f"there is {'a' if there else 'no'} medium in it"
        return _found(done=there is wanted, reason=reason)

    return decide


def _bitmap(*, wanted: bool) -> Decide:
    """``subject`` is the node, a slash, and the bitmap's name."""

    def decide(seen: Seen) -> Finding | Ask:
        if (early := _asked(seen, NODES)) is not None:
            return early
        node, _, name = seen.intent.subject.partition("/")
        for row in _rows(seen):
            if row.get("node-name") == node:
                bitmaps = row.get("dirty-bitmaps", [])
                rows = bitmaps if isinstance(bitmaps, list) else []
                there = name in {one.get("name") for one in rows if isinstance(one, Mapping)}
                reason = f"{node} has {'a' if there else 'no'} bitmap {name}"
                return _found(done=there is wanted, reason=reason)
        return Finding(Verdict.UNKNOWN, f"query-named-block-nodes knows no node {node}")

    return decide


ALL: Mapping[str, Probe] = {
    **PROBES,
    "eject": Probe(NOTHING, _tray(is_open=True)),
    "blockdev-open-tray": Probe(NOTHING, _tray(is_open=True)),
    "blockdev-close-tray": Probe(NOTHING, _tray(is_open=False)),
    "blockdev-insert-medium": Probe(NOTHING, _medium(wanted=True)),
    "blockdev-remove-medium": Probe(NOTHING, _medium(wanted=False)),
    "block-dirty-bitmap-add": Probe(NOTHING, _bitmap(wanted=True)),
    "block-dirty-bitmap-remove": Probe(NOTHING, _bitmap(wanted=False)),
    "blockdev-snapshot-sync": Probe(NOTHING, present(NODES, "node-name", wanted=True)),
    "nbd-server-add": Probe(NOTHING, present(_EXPORTS, "id", wanted=True)),
    "nbd-server-remove": Probe(NOTHING, present(_EXPORTS, "id", wanted=False)),
    "blockdev-create": starts_kept_job(),
    "snapshot-save": starts_kept_job(),
    "snapshot-load": starts_kept_job(),
    "snapshot-delete": starts_kept_job(),
}
"""Every command of which it can be found out whether it was done.

Source: what QEMU 7.2 was seen to answer before and behind each of them (tests/lab). The jobs of
the last four stay until they are dismissed.
"""
