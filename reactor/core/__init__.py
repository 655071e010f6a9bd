"""The pure engine: inputs in, effects out; no clock, no I/O, no randomness."""
