"""How many rows a journal has, how large it is, and how far back it reaches."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reactor.adapters.journal.retention import HISTORY_UPTO, REMOVED, REMOVED_AT, TRACE_UPTO
from reactor.adapters.journal.rows import Figures

Ask = Callable[..., list[Any]]
"""Answers a query, with its values behind it."""


def counts(ask: Ask, counters: Mapping[str, int]) -> dict[str, int]:
    """How many rows there are of each kind.

    History and traces are reckoned from their first and last number: rows only go from the
    front, up to some that retention spares there, and counting millions would take
    seconds.
    """
    ((history, traces, *rest),) = ask(
        # Those beyond the front, and those that were spared before it.
        "SELECT ifnull((SELECT max(seq) FROM history) - max(?1, "
        "(SELECT seq FROM history WHERE seq > ?1 ORDER BY seq LIMIT 1) - 1), 0) "
        "+ (SELECT count(*) FROM history WHERE seq <= ?1), "
        "ifnull((SELECT max(seq) FROM trace) - max(?2, "
        "(SELECT seq FROM trace WHERE seq > ?2 ORDER BY seq LIMIT 1) - 1), 0) "
        "+ (SELECT count(*) FROM trace WHERE seq <= ?2), "
        "(SELECT count(*) FROM run), (SELECT count(*) FROM state), "
        "(SELECT count(*) FROM intent WHERE outcome IS NULL), "
        "(SELECT count(*) FROM outbox), (SELECT count(*) FROM revision)",
        counters.get(HISTORY_UPTO, 0),
        counters.get(TRACE_UPTO, 0),
    )
    names = ("history", "traces", "runs", "state", "intents_open", "outbox", "revisions")
    return dict(zip(names, (history, traces, *rest), strict=True))


def survey(ask: Ask, counters: Mapping[str, int], path: Path) -> Figures:
    """The journal in figures."""
    pages, free, page_bytes = (
        ask(f"PRAGMA {name}")[0][0] for name in ("page_count", "freelist_count", "page_size")
    )
    oldest = ask(
        "SELECT at FROM history WHERE seq > ? ORDER BY seq LIMIT 1", counters.get(HISTORY_UPTO, 0)
    )
    return Figures(
        size_bytes=pages * page_bytes,
        used_bytes=(pages - free) * page_bytes,
        log_bytes=_size(Path(f"{path}-wal")),
        rows=counts(ask, counters),
        oldest=oldest[0][0] if oldest else None,
        removed={
            name.removeprefix(REMOVED): count
            for name, count in counters.items()
            if name.startswith(REMOVED) and name != REMOVED_AT and count
        },
        removed_at=counters.get(REMOVED_AT),
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
