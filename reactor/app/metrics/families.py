"""The names of all figures. They stay: rules for alerts and dashboards are built on them."""

from typing import Final

from reactor.app.metrics.text import Family, Kind

_GAUGE, _COUNTER = Kind.GAUGE, Kind.COUNTER

UP: Final = Family("reactor_up", _GAUGE, "1 when the daemon answers, 0 when it does not run.")

INFO: Final = Family(
    "reactor_build_info", _GAUGE, "Always 1; the label tells the version.", ("version",)
)
STARTED: Final = Family(
    "reactor_start_time_seconds", _GAUGE, "When the daemon started, since 1970."
)
AUDIT: Final = Family("reactor_audit", _GAUGE, "1 when the settings let no policy act.")
BROKER: Final = Family(
    "reactor_broker_connected", _GAUGE, "1 with a link to the MQTT broker; none without a broker."
)
GUESTS: Final = Family("reactor_guests", _GAUGE, "Guests that are named or found.")
CONNECTED: Final = Family("reactor_guests_connected", _GAUGE, "Guests whose monitor is connected.")
POLICIES: Final = Family("reactor_policies", _GAUGE, "Policies that are loaded.")
PROBLEMS: Final = Family(
    "reactor_policy_problems", _GAUGE, "Errors in the rules; the old ones stay in force."
)
NOT_READY: Final = Family(
    "reactor_not_ready", _GAUGE, "Pairs of a policy and a guest on which it may not act yet."
)
LACKING: Final = Family(
    "reactor_lacking", _GAUGE, "Kinds of what policies lack: they cannot fire, or would fail."
)
OPEN_RUNS: Final = Family("reactor_runs_open", _GAUGE, "Runs that have not ended.")
MARKS: Final = Family("reactor_marks", _GAUGE, "Marks that are set.")
HOLDS: Final = Family("reactor_holds", _GAUGE, "Holds of operators, counted up to 200.")
SILENCES: Final = Family("reactor_silences", _GAUGE, "Silences that stand, counted up to 200.")

EVENTS: Final = Family(
    "reactor_events_total", _COUNTER, "Events that came, reactor's own included.", ("event",)
)
RUNS: Final = Family(
    "reactor_runs_total", _COUNTER, "Runs that ended, by outcome.", ("policy", "outcome")
)
RUN_SECONDS: Final = Family(
    "reactor_run_duration_seconds",
    Kind.SUMMARY,
    "How long runs took from their start.",
    ("policy",),
)
SUPPRESSED: Final = Family(
    "reactor_suppressed_total",
    _COUNTER,
    "Matches that became no run, as far as a trace tells of them.",
    ("policy", "reason"),
)
QUEUE: Final = Family("reactor_queue_depth", _GAUGE, "What waits just now.", ("queue",))
DROPPED: Final = Family(
    "reactor_dropped_total", _COUNTER, "What was given up for want of room.", ("queue", "reason")
)

HEALTHY: Final = Family(
    "reactor_journal_healthy", _GAUGE, "1 while the disk takes what is to be journaled."
)
SIZE: Final = Family("reactor_journal_size_bytes", _GAUGE, "The journal's file.")
USED: Final = Family("reactor_journal_used_bytes", _GAUGE, "The part of it that holds something.")
LOG: Final = Family("reactor_journal_log_bytes", _GAUGE, "The write-ahead log beside it.")
FREE: Final = Family(
    "reactor_journal_disk_free_bytes", _GAUGE, "What is free on the journal's disk."
)
MOST: Final = Family("reactor_journal_max_bytes", _GAUGE, "The setting journal.max.")
KEEP: Final = Family("reactor_journal_keep_seconds", _GAUGE, "The setting journal.keep.")
ROWS: Final = Family("reactor_journal_rows", _GAUGE, "Rows by what they are.", ("kind",))
OLDEST: Final = Family(
    "reactor_journal_oldest_timestamp_seconds", _GAUGE, "When its history begins, since 1970."
)
REMOVED: Final = Family(
    "reactor_journal_removed_rows_total",
    _COUNTER,
    "Rows that retention took away, in all lives of the daemon.",
    ("kind",),
)
REMOVED_AT: Final = Family(
    "reactor_journal_removed_timestamp_seconds", _GAUGE, "When it did so last, since 1970."
)
BOUNDED: Final = Family(
    "reactor_journal_bounds_kept", _GAUGE, "0 when journal.keep or journal.max cannot be kept."
)
COMMITS: Final = Family(
    "reactor_journal_commits_total", _COUNTER, "Batches that were made durable."
)
TRANSACTIONS: Final = Family(
    "reactor_journal_syncs_total", _COUNTER, "Syncs that this took: batches that wait share one."
)
FAILURES: Final = Family(
    "reactor_journal_failures_total", _COUNTER, "Transactions that were refused."
)
COMMIT_SECONDS: Final = Family(
    "reactor_journal_commit_seconds",
    _GAUGE,
    "How long a synced transaction takes: the last one, and of the last 512 half and the longest.",
    ("of",),
)

FAMILIES: Final = tuple(value for value in dict(vars()).values() if isinstance(value, Family))
"""All of them, in the order of the page that tells of them."""
