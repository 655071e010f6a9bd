"""Benchmarks: what reactor costs, as a ratio to the least that the machine allows."""
