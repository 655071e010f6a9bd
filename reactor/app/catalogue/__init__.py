"""What reactor knows of an event, a command or a verb of a guest, put together for people."""
