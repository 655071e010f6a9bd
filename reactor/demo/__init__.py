"""The lab: real QEMU guests and storage daemons that misbehave on demand, for `reactor demo`.

Nothing here knows the engine. The lab starts guests, breaks them and watches
them over a control connection of its own, so that what the daemon did can be
proved by somebody else than the daemon. The tests under ``tests/lab`` use it too.
"""
