"""Calling what was loaded, on the main thread."""

from __future__ import annotations

import inspect
import os
import sys
from typing import TYPE_CHECKING, Any, Dict, Optional

if TYPE_CHECKING:
    import asyncio

_loop: Optional[asyncio.AbstractEventLoop] = None


def call(target: Any, *given: Any) -> Any:
    """Calls it here, on the main thread, where its server can hear SIGTERM. Answers what it returns, awaited if need be."""
    ports = _ports_for(target)
    if "exposed_port" not in ports and "CARRICK_RUNNER_SHARED_PORT" in os.environ:
        print(os.environ["CARRICK_RUNNER_SHARED_PORT"], file=sys.stderr, flush=True)
    result = target(*given, **ports)
    return _main_loop().run_until_complete(_awaited(result)) if inspect.isawaitable(result) else result


async def _awaited(result: Any) -> Any:
    return await result


def _main_loop() -> asyncio.AbstractEventLoop:
    """
    The one loop of this process: what a setup function bound to it works in later calls too. Not asyncio.run: when a
    server fails, its clean-up of the other tasks buries the traceback that counts.
    """
    global _loop
    import asyncio  # it takes longer than all else together, and not every app needs it

    if _loop is None or _loop.is_closed():
        _loop = asyncio.new_event_loop()
    asyncio.set_event_loop(_loop)
    return _loop


def _ports_for(target: Any) -> Dict[str, int]:
    """The ports under the names that the callable accepts; one that starts its own server takes none."""
    try:
        accepted = inspect.signature(target).parameters  # looks through __wrapped__ and into callable objects
    except (TypeError, ValueError):
        return {}
    given = {"exposed_port": "PORT", "exposed_metrics_port": "METRICS_PORT"}
    wanted = {name: variable for name, variable in given.items() if name in accepted and variable in os.environ}
    return {name: int(os.environ[variable]) for name, variable in wanted.items()}
