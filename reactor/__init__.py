"""Reactor: policies that react to the events of QEMU guests."""

__version__ = "0.1.0"
