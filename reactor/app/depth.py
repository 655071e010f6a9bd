"""How deep data from outside may be nested: far deeper than QEMU's own, and no deeper.

JSON that can just be read cannot be written any more a few calls further down:
the journal, the outbox and every kept run hold it inside something else.
"""

DEPTH_MAX = 100

_NESTED = (dict, list)


def is_too_deep(value: object, levels: int = DEPTH_MAX) -> bool:
    """Whether there are more than this many levels of mappings and lists."""
    if not isinstance(value, _NESTED):
        return False
    if not levels:
        return True
    # A plain loop, and no call for a plain member: this is done for every event.
    for member in value.values() if isinstance(value, dict) else value:
        kind = member.__class__
        if (kind is dict or kind is list) and is_too_deep(member, levels - 1):
            return True
    return False


def cut(value: object, levels: int = DEPTH_MAX) -> object:
    """The value with null in place of what is nested deeper."""
    if isinstance(value, dict):
        return {k: cut(v, levels - 1) for k, v in value.items()} if levels else None
    if isinstance(value, list):
        return [cut(member, levels - 1) for member in value] if levels else None
    return value
