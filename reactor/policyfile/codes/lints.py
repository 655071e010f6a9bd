"""The codes of waits, jobs and run states: allowed, and yet most likely not meant."""

from reactor.errors import Code, Severity
from reactor.policyfile.codes.entry import Entry

_HEAD = "policy: p\ndescription: An example.\n"
_RESET = f"{_HEAD}trigger: {{event: RESET}}\nsteps:\n"
_PANIC = (
    f"{_HEAD}arm: [{{guest: preserve-on-panic}}]\ntrigger: {{event: GUEST_PANICKED}}\n"
    "limits: [3 per 1h per guest]\nsteps:\n"
)
_MIRROR = (
    f"{_RESET}  - qmp: blockdev-mirror\n    args: {{job-id: copy, device: disk0, target: spare,"
    " sync: full}\n    wait:\n      event: BLOCK_JOB_COMPLETED\n"
    "      where: data.device == 'copy'\n      fail_when: has(data.error)\n      timeout: 1h\n"
    "  - qmp: job-dismiss\n    args: {id: copy}\n"
)

WAITS = (
    Entry(
        Code.UNKNOWN_NAME,
        "No QEMU and no guest agent knows this name",
        Severity.WARNING,
        "A misspelt event never comes, and the policy never runs. Names of a vendor begin with two"
        " underscores and are not looked at. Source: the QAPI schemas of QEMU 5.2 to 11.1.",
        bad=_RESET.replace("RESET", "GUEST_PANICED") + "  - log: it panicked\n",
        good=_RESET.replace("RESET", "GUEST_PANICKED") + "  - log: it panicked\n",
    ),
    Entry(
        Code.LATE_WAIT,
        "A wait begins when its event may have come already",
        Severity.WARNING,
        "QEMU sends STOP before it answers `stop`, and a dump that is not detached sends STOP,"
        " DUMP_COMPLETED and RESUME before its answer. A wait on the command's own step is there"
        " before the command goes out. Source: measured on QEMU 7.2 and 11.1.",
        bad=f"{_RESET}  - qmp: stop\n  - wait: {{event: STOP, timeout: 10s}}\n",
        good=f"{_RESET}  - qmp: stop\n    wait: {{event: STOP, timeout: 10s}}\n",
    ),
    Entry(
        Code.ENDLESS_WAIT,
        "Nothing ends a wait before the run's own end",
        Severity.NOTE,
        "A run that waits is open: with `mode: single` the next match is refused as busy, with"
        " `queued` it waits as well. Not told where the policy says its `timeout`, nor of waits in"
        " handlers, which end after 5 min. Source: the reference of policies, policies.md.",
        bad=f"{_RESET}  - wait: {{until: guest.status == 'running'}}\n",
        good=f"{_RESET}  - wait: {{until: guest.status == 'running', timeout: 2m}}\n",
    ),
    Entry(
        Code.UNCHECKED_SUCCESS,
        "A wait takes a failure for a success",
        Severity.WARNING,
        "QEMU sends DUMP_COMPLETED for a dump that failed (`result.status` is `failed`) and"
        " BLOCK_JOB_COMPLETED for a job that failed (it has an `error`). A reset that believes in"
        " such a dump destroys what it was to keep. Source: QEMU qapi/dump.json and"
        " qapi/block-core.json; measured on 7.2.",
        bad=f"{_RESET}  - qmp: job-complete\n    args: {{id: copy}}\n"
        "    wait: {event: BLOCK_JOB_COMPLETED, where: data.device == 'copy', timeout: 1m}\n",
        good=f"{_RESET}  - qmp: job-complete\n    args: {{id: copy}}\n    wait:\n"
        "      event: BLOCK_JOB_COMPLETED\n      where: data.device == 'copy'\n"
        "      fail_when: data.device == 'copy' && has(data.error)\n      timeout: 1m\n",
    ),
    Entry(
        Code.UNAWAITED_UNPLUG,
        "Nobody hears whether the guest let a device go",
        Severity.WARNING,
        "`device_del` asks the guest and succeeds whether or not it ever obeys; DEVICE_DELETED says"
        " that it has. Not told where a policy of the set reacts to what comes of it. Source: QEMU"
        " qapi/qdev.json; measured on 7.2.",
        bad=f"{_RESET}  - qmp: device_del\n    args: {{id: dimm1}}\n",
        good=f"{_RESET}  - qmp: device_del\n    args: {{id: dimm1}}\n"
        "    wait:\n      event: DEVICE_DELETED\n"
        "      where: data.?device.orValue('') == 'dimm1'\n      timeout: 30s\n",
    ),
    Entry(
        Code.LOST_JOB,
        "A job is gone when its result is asked for",
        Severity.WARNING,
        "A job goes away when it ends, and with it what became of it, unless it was begun with"
        " `auto-dismiss: false`. Source: QEMU qapi/block-core.json; measured on 7.2.",
        bad=_MIRROR,
        good=_MIRROR.replace("sync: full", "sync: full, auto-dismiss: false"),
    ),
)
"""The codes R012 and R020 to R024."""

_DISK = f"{_HEAD}trigger: {{event: BLOCK_IO_ERROR, where: data.action == 'stop'}}\n"
_NIGHT = f"{_HEAD}trigger: {{schedule: '0 3 * * *'}}\n"
_PASSES = f"{_HEAD}trigger: {{event: MIGRATION_PASS}}\n"

STATES = (
    Entry(
        Code.UNARMED,
        "A dump or reset for a panic of which nothing is left",
        Severity.WARNING,
        "Since QEMU 6.0 a panic ends QEMU unless it was told to pause: it says GUEST_PANICKED with"
        " the action `poweroff`, and is gone 3 ms later. No query shows how it is set, so `arm`"
        " sets it at every connect. Source: QEMU qapi/run-state.json, set-action; measured on 7.2.",
        bad=_PANIC.replace("arm: [{guest: preserve-on-panic}]\n", "") + "  - guest: reset\n",
        good=f"{_PANIC}  - guest: reset\n",
    ),
    Entry(
        Code.LEFT_STOPPED,
        "A guest is reset and does not run again",
        Severity.WARNING,
        "`system_reset` of a guest that stood still (panicked, paused, stopped by an error of a"
        " disk or by its watchdog) leaves it in `prelaunch` until a `cont`. `guest: reset` sends"
        " that where it is due. Source: measured on QEMU 7.2 and 11.1.",
        bad=f"{_PANIC}  - qmp: system_reset\n",
        good=f"{_PANIC}  - qmp: system_reset\n  - qmp: cont\n",
    ),
    Entry(
        Code.RESUMED_PANIC,
        "A guest that has panicked is to go on",
        Severity.WARNING,
        "QEMU takes a `cont` of a panicked guest, and the dead kernel runs on; so reactor refuses"
        " it. Only a reset helps. Source: measured on QEMU 7.2.",
        bad=f"{_PANIC}  - guest: dump\n  - guest: resume\n",
        good=f"{_PANIC}  - guest: dump\n  - guest: reset\n",
    ),
    Entry(
        Code.OLD_STATUS,
        "A trigger looks at a status that may be old",
        Severity.NOTE,
        "`where` is asked for every event and sees the last known `guest.status`; `if` is asked"
        " once, when the run starts, and QEMU is asked before it. Source: the reference of"
        " policies, policies.md.",
        bad=f"{_HEAD}trigger: {{event: STOP, where: guest.status == 'paused'}}\n"
        "steps:\n  - log: paused\n",
        good=f"{_HEAD}trigger: {{event: STOP}}\nif: guest.status == 'paused'\n"
        "steps:\n  - log: paused\n",
    ),
    Entry(
        Code.STANDS_STILL,
        "A running guest stands still while it is dumped",
        Severity.NOTE,
        "QEMU stops the guest while it writes its memory: seconds to minutes, by its size. Source:"
        " QEMU dump/dump.c; measured on 7.2.",
        bad=f"{_NIGHT}if: guest.status == 'running'\nsteps:\n  - guest: dump\n",
        good=f"{_NIGHT}if: guest.status == 'paused'\nsteps:\n  - guest: dump\n",
    ),
    Entry(
        Code.SILENT_MIGRATION,
        "QEMU does not send these events of migrations by itself",
        Severity.WARNING,
        "MIGRATION and MIGRATION_PASS come only with the migration capability `events`, which"
        " cannot be changed while a migration runs. libvirt sets it; for all others `arm` does."
        " Source: QEMU qapi/migration.json; measured on 7.2 and 11.1.",
        bad=f"{_PASSES}steps:\n  - log: a pass\n",
        good=f"{_PASSES}arm:\n  - qmp: migrate-set-capabilities\n"
        "    args: {capabilities: [{capability: events, state: true}]}\nsteps:\n  - log: a pass\n",
    ),
)
"""The codes R030 to R035."""

_BAD_COPY = f"{_HEAD}trigger:\n  event: QUORUM_REPORT_BAD\n"
_MARKS = "steps:\n  - mark: {disk: '${data.node_name}', as: bad, reason: read errors}\n"
_WISH = f"{_HEAD}trigger: {{mqtt: wish/log, guest: '${{message.json.guest}}'}}\nsteps:\n"
_DEBUG = f"{_HEAD}trigger: {{event: WATCHDOG}}\nsteps:\n  - qmp: human-monitor-command\n"
_REOPEN = f"{_RESET}  - qmp: blockdev-reopen\n    args:\n      options:"

COMMANDS = (
    Entry(
        Code.LOWER_BOUND,
        "Events are counted of which QEMU leaves some out",
        Severity.WARNING,
        "QEMU sends some events at most once a second, for each value of some member: the first at"
        " once, then only the last of each second. So a count is a lower bound (a note), and one"
        " that cannot be reached in its time is a warning. Source: QEMU monitor/monitor.c, 5.2 to"
        " 11.1; measured on 7.2.",
        bad=f"{_BAD_COPY}  by: data.node_name\n  count: 20\n  within: 10s\n{_MARKS}",
        good=f"{_BAD_COPY}  by: data.node_name\n{_MARKS}",
    ),
    Entry(
        Code.MIXED_COUNT,
        "Events of several things are counted together, and one of them pays",
        Severity.WARNING,
        "Without `by` the events of all disks of a guest are one count, and the steps see the last"
        " event only: the disk that is marked may have failed once. Source: the reference of"
        " policies, policies.md.",
        bad=f"{_HEAD}trigger:\n  event: BLOCK_IMAGE_CORRUPTED\n  count: 3\n  within: 10m\nsteps:\n"
        "  - mark: {disk: '${data.device}', as: bad, reason: corrupted}\n",
        good=f"{_HEAD}trigger:\n  event: BLOCK_IMAGE_CORRUPTED\n  by: data.device\n  count: 3\n"
        "  within: 10m\nsteps:\n  - mark: {disk: '${data.device}', as: bad, reason: corrupted}\n",
    ),
    Entry(
        Code.UNLIMITED,
        "Nothing bounds how often a fault starts a guest anew",
        Severity.WARNING,
        "A guest that panics while it boots is reset for ever: 0.2 s passed between a reset and the"
        " next panic. Limits of the settings help as well, but nobody sees them here. With `mode:"
        " restart` each match also ends a dump that is on its way. Source: measured on QEMU 7.2.",
        bad=f"{_PANIC}  - guest: reset\n".replace("limits: [3 per 1h per guest]\n", ""),
        good=f"{_PANIC}  - guest: reset\n",
    ),
    Entry(
        Code.HASTY_RESUME,
        "A guest goes on at once after an error of a disk",
        Severity.WARNING,
        "It does the same request again, and QEMU stops it again and says so without a limit: such"
        " a policy made 438 `cont` in 3 s. Source: measured on QEMU 7.2.",
        bad=f"{_DISK}steps:\n  - guest: resume\n",
        good=f"{_DISK}limits: [6 per 6h per guest]\nsteps:\n  - delay: 30s\n  - guest: resume\n",
    ),
    Entry(
        Code.ERROR_AS_SUCCESS,
        "A command gives its errors as a success",
        Severity.NOTE,
        "What `human-monitor-command` answers is the text that a person would read, an error as"
        " well as a result; the step succeeds. Source: QEMU qapi/misc.json; measured on 7.2.",
        bad=f"{_DEBUG}    args: {{command-line: info registers}}\n",
        good=f"{_DEBUG}    args: {{command-line: info registers}}\n    save: info\n"
        "  - check: steps.info.result.contains('RIP')\n",
    ),
    Entry(
        Code.DEADLY,
        "A command that QEMU takes would end QEMU",
        Severity.WARNING,
        "`blockdev-reopen` with empty `options` aborts QEMU, although its schema allows that;"
        " reactor never sends it. Source: measured on QEMU 7.2 and 11.1.",
        bad=f"{_REOPEN} []\n",
        good=f"{_REOPEN}\n        - {{driver: raw, node-name: disk0, read-only: true, file: f0}}\n",
    ),
    Entry(
        Code.NEEDS_PERMISSION,
        "A step needs a permission in the settings",
        Severity.NOTE,
        "Commands that destroy or that reach the host, and programs, go out only where the"
        " settings name them. Told where no settings are given; with `-c` what they lack is R010."
        " Source: the reference of settings, settings.md: `qmp.allow`, `exec.allow`.",
        bad=f"{_RESET}  - guest: destroy\n",
        good=f"{_RESET}  - guest: pause\n",
    ),
    Entry(
        Code.OPEN_PATH,
        "Somebody else chooses a part of a path",
        Severity.WARNING,
        "What a guest or a client of MQTT wrote may hold `/` and `..`, and then the path leads"
        " somewhere else. `slug()` leaves what is safe in a name. `guest: dump` does that by"
        " itself, and ids of QEMU hold no such characters. Source: QEMU util/id.c, and the"
        " threat model, threat-model.md.",
        bad=f"{_HEAD}trigger: {{mqtt: wish/shot, guest: '${{message.json.guest}}'}}\nsteps:\n"
        "  - qmp: screendump\n    args: {filename: '/var/crash/${message.json.name}.ppm'}\n",
        good=f"{_HEAD}trigger: {{mqtt: wish/shot, guest: '${{message.json.guest}}'}}\nsteps:\n"
        "  - qmp: screendump\n    args: {filename: '/var/crash/${slug(message.json.name)}.ppm'}\n",
    ),
    Entry(
        Code.OUTDATED,
        "A command, argument or event is deprecated",
        Severity.NOTE,
        "QEMU drops what it calls deprecated two versions later, or not for years. Of the targets"
        " (`--target`, `--live`; else those whose schemas are shipped) the ones are named that say"
        " so. What a target does not know any more is R013. Source: query-qmp-schema of QEMU 7.2"
        " and 11.1, feature `deprecated`; QEMU docs/about/deprecated.rst.",
        bad=f"{_RESET}  - qmp: block-job-pause\n    args: {{device: copy}}\n",
        good=f"{_RESET}  - qmp: job-pause\n    args: {{id: copy}}\n",
    ),
    Entry(
        Code.OPEN_SHELL,
        "Somebody else writes a part of a command",
        Severity.WARNING,
        "What a guest, its agent or a client of MQTT wrote may hold `;` and `$(...)`. A program"
        " gets its words as they are; but what stands behind `sh -c` is a command, and so is every"
        " word of `ssh`. `slug()` leaves what is safe. Source: sh(1), ssh(1), and the threat model,"
        " threat-model.md.",
        bad=f"{_WISH}  - exec: [/bin/sh, -c, 'echo ${{message.json.name}} >> /var/log/wishes']\n",
        good=f"{_WISH}  - exec:\n      - /bin/sh\n      - -c\n"
        '      - echo "$1" >> /var/log/wishes\n      - sh\n      - ${message.json.name}\n',
    ),
)
"""The codes R040 to R055."""

_WAYS = f"{_HEAD}trigger: {{event: WATCHDOG}}\nsteps:\n  - choose:\n"
_HANGS = "      - when: data.action == 'none'\n        steps: [{log: it hangs on}]\n"
_DEBUGS = "      - when: data.action in ['none', 'debug']\n        steps: [{log: it hangs}]\n"

FLOW = (
    Entry(
        Code.UNREACHABLE,
        "A step, way or handler is never reached",
        Severity.WARNING,
        "What stands behind `stop`, `fail` or a `check` that never holds, a way of `choose` behind"
        " one that holds whenever it would, `on_limit` without `limits`: somebody believes that it"
        " is done. Source: the reference of policies, policies.md.",
        bad=f"{_WAYS}{_DEBUGS}{_HANGS}",
        good=f"{_WAYS}{_HANGS}{_DEBUGS}",
    ),
    Entry(
        Code.NEVER_HOLDS,
        "A condition never holds",
        Severity.WARNING,
        "It wants one value to be two things at once, or asks for events that its trigger leaves"
        " out. Source: the logic of the condition itself.",
        bad=f"{_HEAD}trigger:\n  event: WATCHDOG\n"
        "  where: data.action == 'none' && data.action == 'debug'\nsteps:\n  - log: it hangs\n",
        good=f"{_HEAD}trigger:\n  event: WATCHDOG\n"
        "  where: data.action in ['none', 'debug']\nsteps:\n  - log: it hangs\n",
    ),
)
"""The codes R060 and R061."""

_KEEPS = _PANIC.replace("policy: p", "policy: keep") + "  - guest: dump\n"
_AGAIN = f"---\n{_PANIC.replace('policy: p', 'policy: again')}  - guest: reset\n"
_ONLY = "guests: {{labels: {{on-panic: {}}}}}\n"
_PING = (
    "policy: ping\ndescription: An example.\ntrigger: {mqtt: ping, guest: web-1}\nsteps:\n"
    "  - publish: pong\n"
)
_PONG = (
    "---\npolicy: pong\ndescription: An example.\n"
    "trigger: {mqtt: pong, guest: web-1}\nsteps:\n  - publish: ping\n"
)

_OFF = f"{_RESET}  - inhibit: {{policies: [page], for: 10m}}\n"
_PAGE = (
    "---\npolicy: page\ndescription: An example.\ntrigger: {event: STOP}\nsteps:\n  - log: stop\n"
)

SETS = (
    Entry(
        Code.OPPOSED,
        "Two policies want opposite things of one guest at one event",
        Severity.WARNING,
        "One keeps the guest as it is, or its memory, and the other does away with that; which of"
        " them comes first is open. Told only where the second runs whenever the first does: same"
        " event, guests and conditions that include each other. Source: the reference of policies,"
        " policies.md: one hand at a time per guest.",
        bad=_KEEPS + _AGAIN,
        good=_KEEPS.replace("arm:", f"{_ONLY.format('keep')}arm:")
        + _AGAIN.replace("arm:", f"{_ONLY.format('restart')}arm:"),
    ),
    Entry(
        Code.LOOP,
        "Policies start each other, or themselves, without an end",
        Severity.WARNING,
        "By marks, messages, failed runs, states, or effects of their own commands (`own: true`)."
        " Told only where nothing on the way can end it: no `if`, `cooldown`, `limits`, `debounce`"
        " or `approval`. Source: the reference of policies, policies.md.",
        bad=_PING + _PONG,
        good=_PING + _PONG.replace("steps:", "cooldown: 1m\nsteps:"),
    ),
    Entry(
        Code.NOBODY_INHIBITED,
        "Nobody is held off by this name",
        Severity.WARNING,
        "`inhibit` holds off the policies of these names, and none that is checked has one, or only"
        " the policy itself, which never holds itself off. Only a note where no name is near: the"
        " policy may be in another folder. Source: the reference of policies, policies.md.",
        bad=_OFF.replace("[page]", "[pages]") + _PAGE,
        good=_OFF + _PAGE,
    ),
)
"""The codes R070 to R072."""

IGNORES = (
    Entry(
        Code.USELESS_IGNORE,
        "A comment that ignores a finding is of no use",
        Severity.WARNING,
        "It ignores nothing, what cannot be ignored, or says no reason. A comment that was left"
        " behind would hide what comes later. Source: the head of this page.",
        bad=f"{_RESET}  # reactor: ignore R031 it was a raw reset once\n  - guest: reset\n",
        good=f"{_RESET}  # reactor: ignore R031 a cont comes from elsewhere\n"
        "  - qmp: system_reset\n",
    ),
)
"""The code R080."""
