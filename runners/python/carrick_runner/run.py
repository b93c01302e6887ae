"""The life of a runner's main thread."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
from typing import Any, Dict, Mapping, NoReturn

from .load import CannotLoad, load_callable, load_entrypoint, report
from .result import Result
from .servers import adapt_servers
from .storage import adapt_storage
from .streams import finish_lines, tag_output


def main() -> None:
    """Loads the callable and serves it until a signal ends the process."""
    tag_output()
    adapt_servers()
    adapt_storage()
    try:
        if "CARRICK_RESULT" in os.environ:
            _run_for_caller(os.environ)
            _end(0)
        serve(_callable_of(os.environ))
    except SystemExit as exit:
        _end(exit.code)
    except BaseException as error:
        report(error)
        _end(1)
    print(_RETURNED, file=sys.stderr)
    finish_lines()


_RETURNED = (
    "The function returned, so this runner ends and the result is dropped. "
    "A deployed function must keep serving on its port."
)


def _run_for_caller(variables: Mapping[str, str]) -> None:
    """Calls it once, after its setup function if there is one, and leaves behind what came of it."""
    result = Result(
        variables["CARRICK_RESULT"], _method_in(variables, "CARRICK_METHOD"), int(variables["CARRICK_RESULT_LIMIT"])
    )
    try:
        target = _callable_of(variables)
        setup = _callable_of(variables, "CARRICK_SETUP") if "CARRICK_SETUP" in variables else None
    except CannotLoad as error:
        report(error)
        return result.unloadable(str(error))
    try:
        given = [serve(setup)] if setup else []
        value = serve(target, *given)
    except Exception as error:  # an exit is none: it would end the caller's process too
        return result.raised(error)
    return result.returned(value)


def _callable_of(variables: Mapping[str, str], name: str = "CARRICK_CALLABLE") -> Any:
    if name == "CARRICK_CALLABLE" and "CARRICK_ENTRYPOINT" in variables:
        return load_entrypoint(variables["CARRICK_ENTRYPOINT"])
    method = _method_in(variables, "CARRICK_SETUP_METHOD" if name == "CARRICK_SETUP" else "CARRICK_METHOD")
    return load_callable(variables[name], method, variables.get("CARRICK_PYTHON"))


def _method_in(variables: Mapping[str, str], name: str) -> str:
    return variables.get(name) or "cloudpickle"


def serve(target: Any, *given: Any) -> Any:
    """Calls it here, on the main thread, where its server can hear SIGTERM. Answers what it returns."""
    result = target(*given, **_ports_for(target))
    if not inspect.isawaitable(result):
        return result
    # Not asyncio.run: when the server fails, its clean-up of the other tasks buries the traceback that counts.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    value = loop.run_until_complete(_awaited(result))
    loop.close()
    return value


async def _awaited(result: Any) -> Any:
    return await result


def _ports_for(target: Any) -> Dict[str, int]:
    """The ports under the names that the callable accepts; one that starts its own server takes none."""
    try:
        accepted = inspect.signature(target).parameters  # looks through __wrapped__ and into callable objects
    except (TypeError, ValueError):
        return {}
    given = {"exposed_port": "PORT", "exposed_metrics_port": "METRICS_PORT"}
    wanted = {name: variable for name, variable in given.items() if name in accepted and variable in os.environ}
    return {name: int(os.environ[variable]) for name, variable in wanted.items()}


def _end(code: Any) -> NoReturn:
    """Ends the process now: threads that a failed setup() left behind would keep it alive for ever."""
    if isinstance(code, str):
        print(code, file=sys.stderr)
    finish_lines()
    sys.stdout.buffer.flush()
    sys.stderr.buffer.flush()
    os._exit(0 if code is None else code if isinstance(code, int) else 1)
