"""Words of the neighbours, each with what is written here in its place.

Who writes a policy has written automations of Home Assistant, rulebooks of Ansible, workflows
of GitHub Actions, units of systemd, alerts of Prometheus or hooks of libvirt before. Such a word
is looked up here before any guess by its spelling: `restart` is near to `start`, and means `reset`.
"""

import re
from collections.abc import Mapping

Foreign = Mapping[str, str]
"""Words in small letters with underscores. Behind each stands what is written here; or, where
that has backquotes in it, a whole sentence that begins with what is written here."""

_INNER_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_QUOTED = re.compile(r"`([\w-]+)")


def _spelled(word: str) -> str:
    """The word as the tables have it: `matchLabels` and `match-labels` are `match_labels`."""
    return _INNER_CAPITAL.sub("_", word).lower().replace("-", "_")


def fix_of(word: str, table: Foreign) -> str:
    """What to write in the place of a word of somebody else; empty where it is not known."""
    ours = table.get(_spelled(word), "")
    return ours if "`" in ours or not ours else f"write `{ours}`"


def ours_of(word: str, table: Foreign) -> str:
    """Our own word for it; empty where it is not known."""
    found = _QUOTED.search(fix_of(word, table))
    return found[1] if found else ""


def _all(words: str, ours: str) -> dict[str, str]:
    """Each of these words with the same of ours."""
    return dict.fromkeys(words.split(), ours)


_IN_TRIGGER = "`{}` stands in `trigger`, beside `event`"
_IN_STEPS = "`{}` is a step: write it below `steps:` as `- {}: ...`"
_ON_STEP = "`{}` stands on a step, beside its verb"

DOCUMENT: Foreign = {
    **_all("alias id name rule title automation", "policy: NAME"),
    **_all("playbook role script", "runbook: NAME"),
    "policies": "`policy: NAME` begins a document of its own, with `---` between two of them",
    "rules": "`policy: NAME` begins a document; the folder of the settings is `rules`",
}
"""First keys of a document."""

POLICY: Foreign = {
    **_all("alias id name rule title", "policy: NAME"),
    **_all("summary comment annotations", "description"),
    **_all(
        "triggers on when source sources listen event events",
        "trigger: {event: NAME}",
    ),
    **_all(
        "condition conditions only_if assert expr where filter",
        "`if: CONDITION` asks the guest's state when a run starts; what the event says is asked"
        " with `where` in `trigger`",
    ),
    **_all(
        "action actions do tasks task sequence playbook jobs job then react reaction commands",
        "steps",
    ),
    **_all(
        "rate_limit rate start_limit_burst start_limit_interval_sec restart_limit",
        "limits: [3 per 1h per guest]",
    ),
    **_all("throttle repeat_interval interval backoff", "cooldown: 10m"),
    **_all(
        "concurrency max_parallel serial",
        "`mode: parallel` with `max` is for one guest, `limits: [1 at once per host]` for all",
    ),
    **_all("env variables parameters set defaults", "vars"),
    **_all(
        "domain domains vm vms guest host hosts machine machines target targets selector match",
        "guests: {name: 'web-*'}",
    ),
    "labels": "guests: {labels: {KEY: VALUE}}",
    **_all(
        "enabled disabled active initial_state dry_run check_mode simulate",
        "`enforcement: audit` decides and records, and does nothing; take the file out to have"
        " no policy",
    ),
    **_all(
        "on_error rescue catch except on_fail failure else",
        "on_failure",
    ),
    **_all("always cleanup ensure post exec_stop_post", "finally"),
    **_all("on_success after", "`steps` end with what is done when all went well"),
    **_all("approve manual confirm ask", "approval: {ask: TEXT}"),
    **_all("unless inhibit inhibits suppress", "inhibit_if: [CONDITION]"),
    **_all("timeout_minutes timeout_sec runtime_max_sec deadline", "timeout: 1h"),
    **_all("wait_for for", "debounce: 10s"),
    "on_crash": "steps: [{run: coredump-restart}]",
    **{word: _IN_TRIGGER.format(word) for word in ("by", "count", "within", "followed_by")},
    **{word: _IN_STEPS.format(word, word) for word in ("publish", "qmp", "mark", "exec", "http")},
    **{word: _ON_STEP.format(word) for word in ("retry", "save", "args")},
}
"""Keys of a whole policy."""

TRIGGER: Foreign = {
    **_all("event_type platform kind type trigger name", "event: NAME"),
    **_all("time at cron calendar on_calendar date", "schedule: '0 3 * * *'"),
    **_all(
        "interval time_pattern minutes hours seconds on_unit_active_sec",
        "every: 15m",
    ),
    **_all("topic mqtt_topic", "mqtt: TOPIC"),
    **_all(
        "entity_id status condition template numeric_state guest",
        "state: 'guest.status == \"paused\"'",
    ),
}
"""Keys of a trigger that has none of ours."""

EVENT_TRIGGER: Foreign = {
    **_all(
        "filter if condition conditions match when event_data data matches expr",
        "where",
    ),
    **_all(
        "window interval period timeframe during in over duration",
        "within: 10m",
    ),
    **_all("times threshold number at_least min burst", "count: 5"),
    **_all(
        "key group_by groupby group_by_attributes per fingerprint",
        "by",
    ),
    **_all("then and_then before", "followed_by: {event: NAME, within: 10m}"),
    **_all("unless without absent", "not_followed_by: {event: NAME, within: 10m}"),
    **{
        word: f"`{word}` stands beside `trigger`, not in it"
        for word in ("cooldown", "debounce", "limits", "guests", "mode", "timeout")
    },
}
"""Keys of a trigger on events."""

STATE_TRIGGER: Foreign = {
    **_all("to from not_to entity_id", "`state: 'guest.status == \"paused\"'` says all of it"),
    **_all("duration after delay", "for: 1m"),
}
"""Keys of a trigger on a state."""

GUESTS: Foreign = {
    **_all(
        "domain domains vm vms guest guests names host hostname id uuid glob include",
        "name",
    ),
    **_all("tags tag match_labels selector", "labels"),
    **_all("exclude not without skip", "except: {name: 'test-*'}"),
}
"""Keys of what selects guests."""

VERBS: Foreign = {
    "execute": "qmp: COMMAND",
    **_all(
        "service action call_service perform_action do step task",
        "`guest: reset`, `publish: alert/critical`: a step begins with its verb",
    ),
    "virsh": "`guest: reset`: what libvirt's own API does is a verb of `guest`",
    **_all(
        "hmp monitor_command qemu_monitor_command",
        "`qmp: COMMAND`; if HMP alone has it, `qmp: human-monitor-command` with"
        " `args: {command-line: TEXT}`",
    ),
    **_all(
        "wait_template wait_until poll wait_status",
        "wait: {until: CONDITION, timeout: 5m}",
    ),
    **_all(
        "wait_for_trigger wait_for wait_event wait_for_event await expect",
        "wait: {event: NAME, timeout: 5m}",
    ),
    **_all(
        "then else elif switch case when",
        "`choose: [{when: CONDITION, steps: [...]}, {default: [...]}]`; one step alone has `if`",
    ),
    **_all(
        "command cmd shell script bash sh program exec_start run_command shell_command spawn",
        "`exec: [/usr/bin/PROGRAM, ARGUMENT]` for a program, `qmp: COMMAND` for one of QEMU",
    ),
    **_all("debug print echo msg logbook note", "log: TEXT"),
    **_all(
        "uri webhook rest_command curl url post request get_url",
        "http: {url: 'https://...'}",
    ),
    **_all(
        "uses run_playbook playbook include include_tasks import_tasks role call runbook",
        "run: RUNBOOK",
    ),
    **_all(
        "mqtt mqtt_publish notify notification alert send emit message post_event topic",
        "publish: alert/critical",
    ),
    **_all(
        "email mail slack sms page pagerduty telegram",
        "`publish: alert/critical` for what listens on MQTT, `http` for a web hook, `exec` for a"
        " program such as sendmail",
    ),
    **_all("sleep wait_for_seconds timer", "delay: 30s"),
    **_all("assert condition conditions require ensure", "check"),
    **_all("abort exit end end_play return break", "stop: TEXT"),
    **_all("raise throw error failed", "fail: TEXT"),
    **_all(
        "loop while with_items for_each foreach retry",
        "repeat: {times: 3, backoff: 10s}",
    ),
    **_all("label tag annotate set_mark flag", "mark: {guest: self, as: WORD}"),
    **_all("unmark clear_mark unset", "clear: {guest: self, as: WORD}"),
    **_all("silence mute suppress", "inhibit: {policies: ['*'], for: 1h}"),
    **_all("set_fact variables set", "`vars` of the policy keep values, and `save` of a step"),
    **_all("block sequence steps", "`steps` of the policy: write them one below the other"),
    **_all("pause", "`guest: pause` stops the guest's CPUs, `delay: 30s` only waits"),
}
"""Verbs of steps."""

OPTIONS: Foreign = {
    **_all("when condition conditions only_if", "if"),
    **_all("register response_variable store as outputs", "save"),
    **_all("retries attempts tries max_attempts", "retry: {times: 3}"),
    **_all("backoff retry_delay restart_sec", "retry: {times: 3, backoff: 10s}"),
    **_all(
        "ignore_errors continue_on_error continue_on_fail allow_failure failed_when ignore_error",
        "on_error: continue",
    ),
    **_all("timeout_minutes timeout_seconds timeout_sec deadline", "timeout: 5m"),
    **_all("arguments params parameters options", "args"),
    **_all("alias id title label", "name"),
    **_all("data message body text msg", "payload"),
    **_all("else then default", "`choose: [{when: CONDITION, steps: [...]}, {default: [...]}]`"),
    **_all("sequence do tasks", "steps"),
    "error": "`fail: TEXT` in the place of `stop` ends the run as failed",
    "until": "`wait: {until: CONDITION}` is a step of its own, behind this one",
    "stays": "`wait: {stays: CONDITION, for: 30s}` is a step of its own, behind this one",
    "delay": "`delay: 30s` is a step of its own; between attempts `retry: {backoff: 30s}` waits",
    "with": "args",
}
"""Options of steps."""

ACTIONS: Foreign = {
    **_all("restart system_reset hard_reset power_cycle reload", "reset"),
    **_all("suspend freeze hold", "pause"),
    **_all("unpause cont continue unsuspend thaw wakeup wake", "resume"),
    "stop": "`pause` stops the guest's CPUs, `shutdown` asks its system to power down,"
    " `destroy` ends QEMU",
    **_all(
        "poweroff power_off halt powerdown system_powerdown off",
        "`shutdown` asks the guest's system to power down, `destroy` ends QEMU",
    ),
    **_all("kill terminate quit force_off undefine", "destroy"),
    **_all("nmi inject_nmi", "inject-nmi"),
    **_all(
        "coredump core_dump crashdump crash_dump memory_dump dump_guest_memory kdump",
        "dump",
    ),
    **_all("boot create launch poweron power_on on run", "start"),
    **_all("soft_reboot warm_reboot guest_reboot", "reboot"),
    **_all(
        "coredump_restart coredump_destroy preserve",
        "`run: coredump-restart`: libvirt's words for a crash are runbooks here",
    ),
}
"""What follows `guest:`."""

WAIT: Foreign = {
    **_all("events trigger wait_for for_event", "event: NAME"),
    **_all("condition state status template when if", "until"),
    **_all("duration seconds time", "`delay: 30s` waits for a fixed time"),
}
"""Keys of a wait that has none of ours."""

EVENT_WAIT: Foreign = {
    **_all("filter if condition match when data", "where"),
    **_all("fail_if failed_when unless fail_on", "fail_when"),
    **_all("within max deadline timeout_minutes", "timeout: 5m"),
}
"""Keys of a wait for an event."""

WAY: Foreign = {
    **_all("conditions condition if case", "when"),
    **_all("else otherwise", "default"),
    **_all("sequence then do actions", "steps"),
}
"""Keys of a way of `choose`."""

ROUNDS: Foreign = {
    **_all("count retries max attempts for", "times: 3"),
    **_all("delay interval pause sleep every", "backoff: 10s"),
    **_all("condition when", "until"),
    "while": "`until: CONDITION` says when it ends: turn the condition round with `!`",
    **_all("steps sequence", "`steps` stands beside `repeat`, not in it"),
}
"""Keys of `repeat`, and of `retry` as far as it has them."""

MARK: Foreign = {
    **_all("state status value word mark name set", "as"),
    **_all("node device drive block node_name", "disk"),
    **_all("vm domain", "guest: self"),
    **_all("why text message comment description", "reason"),
    **_all("ttl for until expiry timeout duration", "expires: 1h"),
}
"""Keys of a mark."""

EVENTS: Foreign = {
    **_all("crash crashed panic panicked oops kernel_panic crashed_panicked", "GUEST_PANICKED"),
    **_all("crashloaded crashed_crashloaded kdump", "GUEST_CRASHLOADED"),
    **_all("started start boot booted define created", "REACTOR_GUEST_CONNECTED"),
    **_all("stopped shutoff poweroff halt stopped_shutdown stopped_destroyed", "SHUTDOWN"),
    **_all("suspended pause paused pmsuspended", "STOP"),
    **_all("resumed unpause unpaused", "RESUME"),
    **_all("reboot rebooted restart restarted", "RESET"),
    **_all("io_error disk_error io_error_reason suspended_ioerror", "BLOCK_IO_ERROR"),
    **_all("device_removed device_unplugged unplugged", "DEVICE_DELETED"),
    **_all("device_removal_failed unplug_failed unplug_error", "DEVICE_UNPLUG_GUEST_ERROR"),
    **_all("block_threshold", "BLOCK_WRITE_THRESHOLD"),
    **_all("block_job block_job_2 job_completed backup_completed", "BLOCK_JOB_COMPLETED"),
    **_all("agent agent_lifecycle guest_agent agent_lost", "VSERPORT_CHANGE"),
    **_all("migrated migration_iteration migration_status migrate", "MIGRATION"),
    **_all("tray_change cdrom", "DEVICE_TRAY_MOVED"),
    **_all("connect connected monitor_connected", "REACTOR_GUEST_CONNECTED"),
    **_all("disconnect disconnected died gone vanished lost", "REACTOR_GUEST_LOST"),
    **_all("dump_done dump_finished coredump", "DUMP_COMPLETED"),
    **_all("oom memory_error mce", "MEMORY_FAILURE"),
}
"""Events, mostly those of libvirt without what they all begin with."""

ENFORCEMENT: Foreign = {
    **_all(
        "dry_run dryrun simulate test observe monitor report log off disabled false warn",
        "audit",
    ),
    **_all("manual ask confirm", "approve"),
    **_all("on active auto enabled true enforced", "enforce"),
}
"""How far a policy goes."""

MODE: Foreign = {
    **_all("ignore drop skip once", "single"),
    **_all("replace cancel cancel_in_progress", "restart"),
    **_all("serial sequential fifo wait", "queued"),
    **_all("concurrent all", "parallel"),
}
"""What becomes of a second match."""

ON_ERROR: Foreign = {
    **_all("ignore skip warn pass true resume", "continue"),
    **_all("abort stop raise exit false", "fail"),
}
"""What a failure means."""
