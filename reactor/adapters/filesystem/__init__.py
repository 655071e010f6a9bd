"""File systems that may not answer any more: they are asked so that nobody hangs with them."""

from reactor.adapters.filesystem.aside import aside
from reactor.adapters.filesystem.space import FreeSpace, Limits

__all__ = ["FreeSpace", "Limits", "aside"]
