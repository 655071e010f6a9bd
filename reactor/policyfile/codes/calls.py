"""The code of what the QEMU that a policy is for does not take."""

from reactor.errors import Code, Severity
from reactor.policyfile.codes.entry import Entry

_HEAD = """\
policy: grow
description: Grow a thin disk before it is full.
trigger: {event: BLOCK_WRITE_THRESHOLD}
steps:
  - qmp: block_resize
"""

CALLS = (
    Entry(
        Code.CALL,
        "QEMU would refuse this command, these arguments, or never sends this event or member",
        Severity.ERROR,
        "QEMU says so only when the command comes, at 3 am. It takes no argument that it does not"
        " know, no size as a text, no `1.0` for a whole number, and null is not the same as left"
        " out. What every target refuses is an error; what some of them refuse is a warning that"
        " names them (`--target`, `--live`). Source: query-qmp-schema of QEMU 7.2 and 11.1, and"
        " QEMU qapi/qobject-input-visitor.c.",
        bad=_HEAD + "    args: {node-name: '${data.node_name}', size: 512GiB}\n",
        good=_HEAD + "    args: {node-name: '${data.node_name}', size: 549755813888}\n",
    ),
)
"""The code R013."""
