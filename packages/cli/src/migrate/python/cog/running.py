"""What runs, so that it can be cancelled as Cog does it. Put here by `carrick migrate cog`."""

import asyncio
import collections
import contextlib
import ctypes
import threading
from typing import Any, Callable

from fastapi import HTTPException

from .types import CancelationException

#: A cancel may overtake its prediction on the way here; so many are remembered.
MOST_EARLY = 64


class Running:
    """Predictions by the ids of their requests."""

    def __init__(self) -> None:
        self._stops: dict[str, Callable[[], None]] = {}
        self._cancelled_early: collections.deque[str] = collections.deque(maxlen=MOST_EARLY)

    def cancel(self, request: str) -> bool:
        """Whether it ran. An async predictor sees asyncio.CancelledError, another one CancelationException."""
        stop = self._stops.get(request)
        if stop is not None:
            stop()
        else:
            self._cancelled_early.append(request)
        return stop is not None

    @contextlib.asynccontextmanager
    async def prediction(self, request: str) -> Any:
        """Around a prediction; one that is cancelled answers with 499, by which the platform knows that the runner is well."""
        if request in self._cancelled_early:
            raise cancelled()
        task, thread, asked = asyncio.current_task(), Interruptible(), False

        def stop() -> None:
            nonlocal asked
            asked = True
            if not thread.interrupt():
                task.cancel()

        self._stops[request] = stop
        try:
            yield thread
        except (asyncio.CancelledError, CancelationException) as error:
            if not asked:
                raise
            getattr(task, "uncancel", int)()
            raise cancelled() from error
        finally:
            self._stops.pop(request, None)


def cancelled() -> HTTPException:
    return HTTPException(499, detail="the prediction was cancelled")


class Interruptible:
    """Runs functions in a thread, where they can be interrupted between two steps of Python."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: int | None = None

    async def run(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return await asyncio.to_thread(self._inside, function, arguments, named)

    def _inside(self, function: Callable[..., Any], arguments: Any, named: Any) -> Any:
        with self._lock:
            self._thread = threading.get_ident()
        try:
            return function(*arguments, **named)
        finally:
            with self._lock:  # once it is let go of, nothing is raised in this thread any more
                self._thread = None

    def interrupt(self) -> bool:
        with self._lock:
            if self._thread is None:
                return False
            kind = ctypes.py_object(CancelationException)
            return ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), kind) == 1
