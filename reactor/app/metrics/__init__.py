"""Figures with names that stay, for a monitoring system, in the text format of Prometheus."""
