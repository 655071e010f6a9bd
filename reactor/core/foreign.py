"""What msgspec raises for data that somebody else wrote, and for what JSON cannot hold."""

from typing import Final

import msgspec

UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""Of a decoder. ValueError: for text that is not UTF-8 it raises a plain UnicodeDecodeError."""

UNWRITABLE: Final = (*UNREADABLE, TypeError, OverflowError)
"""Of an encoder."""
