"""The journal: everything that must survive a crash, in one SQLite file.

One thread writes (``writer``), all that waits for it becomes one transaction
(``intake``), each process reads with its own connection (``reader``).
"""

from reactor.adapters.journal.copying import back_up, findings
from reactor.adapters.journal.intake import Chain, Limits
from reactor.adapters.journal.outbox import Outbox
from reactor.adapters.journal.reader import Reader
from reactor.adapters.journal.rescue import Saved, salvage
from reactor.adapters.journal.retention import GONE, Bounds
from reactor.adapters.journal.rows import (
    REFUSED,
    Batch,
    Figures,
    HistoryRow,
    InForce,
    InputRow,
    IntentRow,
    Loaded,
    OutboxMessage,
    OutboxRow,
    OutcomeRow,
    Revision,
    RunRow,
    Statistics,
    TraceRow,
)
from reactor.adapters.journal.stopwatch import Durations
from reactor.adapters.journal.store import Journal

__all__ = [
    "GONE",
    "REFUSED",
    "Batch",
    "Bounds",
    "Chain",
    "Durations",
    "Figures",
    "HistoryRow",
    "InForce",
    "InputRow",
    "IntentRow",
    "Journal",
    "Limits",
    "Loaded",
    "Outbox",
    "OutboxMessage",
    "OutboxRow",
    "OutcomeRow",
    "Reader",
    "Revision",
    "RunRow",
    "Saved",
    "Statistics",
    "TraceRow",
    "back_up",
    "findings",
    "salvage",
]
