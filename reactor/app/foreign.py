"""What reading JSON that somebody else wrote can raise."""

from typing import Final

import msgspec

UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""ValueError: msgspec raises a plain UnicodeDecodeError for text that is not UTF-8."""
