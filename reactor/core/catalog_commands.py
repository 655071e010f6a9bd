"""The effect class of every QMP command of QEMU 5.2 to 11.1, removed ones too, as facts.

Source: the QAPI schemas and documents of QEMU 5.2, 7.2, 10.0, 10.2 and 11.1;
the class is our judgement: read < adjust < disrupt < destroy < escape, where
escape means arbitrary power over QEMU or its host.
"""

READ = frozenset(
    """
    device-list-properties dump-skeys dumpdtb memsave pmemsave qmp_capabilities qom-get qom-list
    qom-list-get qom-list-properties qom-list-types query-accelerators query-acpi-ospm-status
    query-audiodevs query-balloon query-block query-block-exports query-block-jobs
    query-blockstats query-chardev query-chardev-backends query-colo-status
    query-command-line-options query-commands query-cpu-definitions query-cpu-model-baseline
    query-cpu-model-comparison query-cpu-model-expansion query-cpus query-cpus-fast
    query-cryptodev query-current-machine query-dirty-rate query-display-options query-dump
    query-dump-guest-memory-capability query-events query-fdsets query-firmware-log
    query-gic-capabilities query-hotpluggable-cpus query-hv-balloon-status-report
    query-iothreads query-jobs query-kvm query-machines query-memdev query-memory-devices
    query-memory-size-summary query-mice query-migrate query-migrate-cache-size
    query-migrate-capabilities query-migrate-parameters query-migrationthreads query-name
    query-named-block-nodes query-pci query-pr-managers query-qmp-schema query-replay
    query-rocker query-rocker-of-dpa-flows query-rocker-of-dpa-groups query-rocker-ports
    query-rx-filter query-s390x-cpu-polarization query-sev query-sev-attestation-report
    query-sev-capabilities query-sev-launch-measure query-sgx query-sgx-capabilities query-spice
    query-stats query-stats-schemas query-status query-target query-tpm query-tpm-models
    query-tpm-types query-uuid query-vcpu-dirty-limit query-version query-vm-generation-id
    query-vnc query-vnc-servers query-xen-replication-status query-yank ringbuf-read screendump
    trace-event-get-state x-debug-query-block-graph x-query-interrupt-controllers x-query-irq
    x-query-jit x-query-numa x-query-opcount x-query-profile x-query-ramblock x-query-rdma
    x-query-roms x-query-usb x-query-virtio x-query-virtio-queue-element
    x-query-virtio-queue-status x-query-virtio-status x-query-virtio-vhost-queue-status
    """.split()
)

ADJUST = frozenset(
    """
    announce-self balloon block-dirty-bitmap-add block-dirty-bitmap-disable
    block-dirty-bitmap-enable block-dirty-bitmap-merge block-export-add block-job-change
    block-job-complete block-job-dismiss block-job-finalize block-job-pause block-job-resume
    block-job-set-speed block-latency-histogram-set block-set-write-threshold block-stream
    block_passwd block_resize block_set_io_throttle blockdev-add blockdev-backup
    blockdev-close-tray blockdev-insert-medium blockdev-mirror blockdev-open-tray
    blockdev-set-active blockdev-snapshot blockdev-snapshot-internal-sync blockdev-snapshot-sync
    calc-dirty-rate cancel-vcpu-dirty-limit change-vnc-password chardev-add chardev-send-break
    client_migrate_info closefd cont device-sync-config device_add display-reload display-update
    drive-backup drive-mirror expire_password job-complete job-dismiss job-finalize job-pause
    job-resume migrate-continue migrate-recover migrate-set-cache-size migrate-set-capabilities
    migrate-set-parameters migrate_cancel migrate_set_downtime migrate_set_speed nbd-server-add
    nbd-server-start netdev_add remove-fd replay-break replay-delete-break request-ebpf
    ringbuf-write rtc-reset-reinjection set-action set-cpu-topology set-numa-node
    set-vcpu-dirty-limit set_password sev-inject-launch-secret system_wakeup
    trace-event-set-state watchdog-set-action x-exit-preconfig
    """.split()
)

DISRUPT = frozenset(
    """
    block-commit block-export-del block-job-cancel blockdev-change-medium blockdev-del
    blockdev-remove-medium blockdev-reopen change chardev-change chardev-remove
    cxl-add-dynamic-capacity cxl-inject-correctable-error cxl-inject-dram-event
    cxl-inject-general-media-event cxl-inject-memory-module-event cxl-inject-poison
    cxl-inject-uncorrectable-errors cxl-release-dynamic-capacity device_del dump-guest-memory
    eject inject-ghes-v2-error inject-nmi input-send-event job-cancel migrate migrate-incoming
    migrate-pause migrate-start-postcopy nbd-server-remove nbd-server-stop netdev_del object-del
    send-key set_link snapshot-save stop system_powerdown x-accel-stats x-blockdev-amend
    x-blockdev-change x-blockdev-set-iothread x-colo-lost-heartbeat
    x-debug-block-dirty-bitmap-sha256 xen-colo-do-checkpoint xen-event-inject xen-event-list
    xen-load-devices-state xen-save-devices-state xen-set-global-dirty-log xen-set-replication
    yank
    """.split()
)

DESTROY = frozenset(
    """
    block-dirty-bitmap-clear block-dirty-bitmap-remove blockdev-create
    blockdev-snapshot-delete-internal-sync change-backing-file quit replay-seek snapshot-delete
    snapshot-load system_reset
    """.split()
)

ESCAPE = frozenset(
    """
    add-fd add_client getfd human-monitor-command object-add qom-set transaction
    """.split()
)
