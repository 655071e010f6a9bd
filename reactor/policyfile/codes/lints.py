"""The codes of what is allowed and yet most likely not meant."""

from reactor.errors import Code, Severity
from reactor.policyfile.codes.entry import Entry

LINTS = (
    Entry(
        Code.RUN_STATE,
        "A command is sent in a run state in which it does not do what it says",
        Severity.WARNING,
        "After `system_reset` a guest that stood still stays in `prelaunch` until a `cont`."
        " Source: measured on QEMU 7.2 and 11.1.",
        bad="policy: reset\ndescription: Reset a guest whose watchdog fired.\n"
        "trigger: {event: WATCHDOG, where: data.action == 'pause'}\nlimits: [3 per 1h per guest]\n"
        "steps:\n  - qmp: system_reset\n",
        good="policy: reset\ndescription: Reset a guest whose watchdog fired.\n"
        "trigger: {event: WATCHDOG, where: data.action == 'pause'}\nlimits: [3 per 1h per guest]\n"
        "steps:\n  - guest: reset\n",
    ),
)
"""The codes of lints."""
