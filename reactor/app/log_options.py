"""What can be said about the log; apart from it, because its library is slow to import."""

from typing import Literal

LogFormat = Literal["auto", "console", "json"]
"""How a line of the log looks; ``auto`` is ``console`` on a terminal and ``json`` elsewhere."""

LogLevel = Literal["debug", "info", "warning", "error"]
"""The least severe line that is written."""
