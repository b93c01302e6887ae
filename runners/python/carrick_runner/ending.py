"""How uvicorn ends: at once while nobody can have sent it anything, and otherwise not before what was sent is answered."""

from __future__ import annotations

import functools
import signal
from typing import Any

from .listening import is_open

# A connection that waits is accepted in the first, and what it brings read in the fourth at the latest.
_TURNS_TO_READ = 10


def end_well(server: Any) -> None:
    """The platform sends nothing after SIGTERM: what it sent before is on its way into this process or here."""
    _end_at_once_before_open(server.Server)
    _read_before_closing(server.Server)


def _end_at_once_before_open(server: Any) -> None:
    """
    SIGTERM during `setup()` ends the process: there is no request to finish and nothing set up to tear down, while
    uvicorn alone would wait until a setup of any length is over. An app of the SDK has a second server for its
    metrics, which hears the signal and starts later than the port of the app is open.
    """
    handle_exit = server.handle_exit

    @functools.wraps(handle_exit)
    def end_or_handle_exit(self: Any, sig: int, frame: Any) -> None:
        if sig == signal.SIGTERM and not self.started and not is_open():
            signal.signal(sig, signal.SIG_DFL)
            signal.raise_signal(sig)
        handle_exit(self, sig, frame)

    server.handle_exit = end_or_handle_exit


def _read_before_closing(server: Any) -> None:
    """uvicorn closes every connection on which it has read no request yet, also where one has come."""
    shutdown = server.shutdown

    @functools.wraps(shutdown)
    async def read_and_shut_down(self: Any, *args: Any, **options: Any) -> None:
        import asyncio  # the app has it long since; one without a server never needs it

        for _ in range(_TURNS_TO_READ):
            await asyncio.sleep(0)
        await shutdown(self, *args, **options)

    server.shutdown = read_and_shut_down
