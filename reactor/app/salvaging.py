"""Which of the state that was read from a damaged journal the engine can take up."""

from collections.abc import Iterable, Sequence

from reactor.core.config import EngineConfig
from reactor.core.effect import Keep
from reactor.core.engine import Engine


def unsound(rows: Sequence[Keep]) -> Iterable[Keep]:
    """Rows that this version cannot read; in most cases there is none."""
    if _fits(rows):
        return []
    return [row for row in rows if not _fits([row])]


def _fits(rows: Sequence[Keep]) -> bool:
    try:
        Engine(EngineConfig(), "salvage").restore(rows, {}, 0.0)
    except Exception:  # noqa: BLE001 - whatever it is, a daemon would not start with it
        return False
    return True
