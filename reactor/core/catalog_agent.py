"""The commands of the QEMU guest agent, as facts.

Source: QEMU's qga/qapi-schema.json up to 11.1 (``success-response: false`` are those
without a reply) and qga/commands*.c. The class is our judgement, as in
``catalog_commands``; escape means arbitrary power over the guest, never over its host.
"""

READ = frozenset(
    """
    guest-exec-status guest-file-close guest-file-flush guest-file-read guest-file-seek
    guest-fsfreeze-status guest-get-cpustats guest-get-devices guest-get-disks
    guest-get-diskstats guest-get-fsinfo guest-get-host-name guest-get-load
    guest-get-memory-block-info guest-get-memory-blocks guest-get-osinfo guest-get-time
    guest-get-timezone guest-get-users guest-get-vcpus guest-info guest-network-get-interfaces
    guest-network-get-route guest-ping guest-ssh-get-authorized-keys guest-sync
    guest-sync-delimited
    """.split()
)

ADJUST = frozenset("guest-fsfreeze-thaw guest-fstrim guest-set-time".split())

DISRUPT = frozenset(
    """
    guest-fsfreeze-freeze guest-fsfreeze-freeze-list guest-set-memory-blocks guest-set-vcpus
    guest-ssh-remove-authorized-keys guest-suspend-disk guest-suspend-hybrid guest-suspend-ram
    """.split()
)

DESTROY = frozenset({"guest-shutdown"})

ESCAPE = frozenset(
    """
    guest-exec guest-file-open guest-file-write guest-set-user-password
    guest-ssh-add-authorized-keys
    """.split()
)

SILENT = frozenset(
    "guest-shutdown guest-suspend-disk guest-suspend-hybrid guest-suspend-ram".split()
)
"""They answer by what they do; only a failure is a reply."""

# These reads take something away: the place in a file, a handle, how a program ended.
_READS_ONCE = frozenset(
    "guest-exec-status guest-file-close guest-file-read guest-file-seek".split()
)

# Sent twice they leave what they leave when sent once. A second freeze is refused
# ("disabled: the agent is in frozen state"), a second time would set the clock back.
IDEMPOTENT = (READ - _READS_ONCE) | frozenset(
    """
    guest-fsfreeze-thaw guest-fstrim guest-set-memory-blocks guest-set-user-password
    guest-set-vcpus guest-ssh-add-authorized-keys guest-ssh-remove-authorized-keys
    """.split()
)
