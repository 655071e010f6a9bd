"""QEMU's own schema (QAPI): which commands and events there are, and what they hold."""
