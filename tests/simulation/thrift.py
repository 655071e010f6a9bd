"""What a history need not compute again, for an earlier one has: the same policy gives the same."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from reactor.core.policy import Policy

T = TypeVar("T")


def once_each(
    policies: tuple[Policy, ...], compute: Callable[[Policy], T]
) -> Callable[[Policy], T]:
    """The function; for these very policies, and for no others, it computes once."""
    known: dict[int, T] = {}
    these = {id(policy): policy for policy in policies}

    @wraps(compute)
    def remembered(policy: Policy) -> T:
        if id(policy) not in these:
            return compute(policy)
        if id(policy) not in known:
            known[id(policy)] = compute(policy)
        return known[id(policy)]

    return remembered
