"""What may hang for ever, in a thread that nobody waits for at the end of the process."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def aside(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """As ``asyncio.to_thread``, for a file system that may not answer any more.

    The threads of that are waited for before the process may end: one that hangs would keep
    the next daemon from its guests.
    """
    return await begun(work, *args, **kwargs)


def begun(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
    """What comes of it, once it has: for who does not wait for ever.

    Raises:
        RuntimeError: the system has no thread left.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if answer.done():
            return  # nobody waits for it any more
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type] # it is one where there is no error

    def run() -> None:
        result, error = None, None
        try:
            result = work(*args, **kwargs)
        except Exception as raised:  # noqa: BLE001 - raised where it is waited for
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is over
            loop.call_soon_threadsafe(settle, result, error)

    # Of its own: in a pool the one that hangs would be missed by others.
    name = f"aside {getattr(work, '__name__', '')}"
    threading.Thread(target=run, name=name, daemon=True).start()
    return answer
