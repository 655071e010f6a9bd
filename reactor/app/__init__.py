"""The wiring: settings, the daemon, who delivers effects."""
