"""The shipped policies in the lab, with shorter waits: nobody wants to wait for ten minutes."""

import re
from collections.abc import Mapping

from reactor.app.shipped import shipped_rules


def shipped(file: str, shorter: Mapping[str, str] | None = None) -> str:
    """The text of a file of rules/ in which these waits are others, and nothing else is.

    Args:
        shorter: pieces of the file to what stands in their place; both must read the same
            when their durations and numbers are taken out.
    """
    text = (shipped_rules() / file).read_text("utf-8")
    for piece, other in (shorter or {}).items():
        assert piece in text, f"{file} does not say {piece!r}"
        assert _shape(piece) == _shape(other), f"{other!r} is more than a shorter {piece!r}"
        text = text.replace(piece, other)
    return text


def _shape(piece: str) -> str:
    return re.sub(r"\d+(ms|s|m|h)?", "N", piece)
