"""The life of a runner's main thread."""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Mapping, MutableMapping, NoReturn

from .calling import call
from .load import CannotLoad, load_callable, load_entrypoint, report
from .result import Results, leave
from .servers import adapt_servers
from .storage import adapt_storage
from .streams import finish_lines, tag_output


def main() -> None:
    """Loads the callable and serves it until a signal ends the process."""
    _settle(os.environ)
    _wait_for_network(os.environ)
    _forward(os.environ)
    tag_output()
    adapt_servers()
    adapt_storage()
    try:
        if "CARRICK_RESULT" in os.environ:
            _run_for_caller(os.environ)
            _end(0)
        call(_callable_of(os.environ))
    except SystemExit as exit:
        _end(exit.code)
    except BaseException as error:
        report(error)
        _end(1)
    print(_RETURNED, file=sys.stderr)
    finish_lines()


def _settle(variables: Mapping[str, str]) -> None:
    """The folders of the platform come first: what is loaded later may look for them."""
    if "CARRICK_RUNNER_MOUNTS" not in variables and "CARRICK_RUNNER_WITHOUT_MOUNTS" not in variables:
        return
    from .mounts import CannotMount, make_mounts

    try:
        make_mounts(variables)
    except CannotMount as error:
        _end(str(error))


def _wait_for_network(variables: Mapping[str, str]) -> None:
    """A network of its own is made while the interpreter starts. One that is not there in time is not waited for."""
    path = variables.get("CARRICK_RUNNER_NETWORK")
    begun = time.monotonic()
    while path and not _is_filled(path):
        waited = time.monotonic() - begun
        if waited > _NETWORK_SECONDS:
            print("This runner's network did not come up in time: it may reach nobody.", file=sys.stderr, flush=True)
            return
        time.sleep(min(0.001 + waited / 8, 0.02))  # where many start at once each look takes from the others


def _forward(variables: MutableMapping[str, str]) -> None:
    """Code that was packaged elsewhere knows the platform by an address of its author's: here, that is this loopback."""
    wanted = variables.pop("CARRICK_RUNNER_FORWARD", "")
    if wanted:
        from .forward import start_forwarding

        start_forwarding(wanted)


def _is_filled(path: str) -> bool:
    try:
        return os.stat(path).st_size > 0
    except OSError:
        return False


_NETWORK_SECONDS = 10

_RETURNED = (
    "The function returned, so this runner ends and the result is dropped. "
    "A deployed function must keep serving on its port."
)


def _run_for_caller(variables: Mapping[str, str]) -> None:
    """Calls it once, and leaves behind what came of it."""
    results = Results(_method_in(variables), int(variables["CARRICK_RESULT_LIMIT"]))
    leave(variables["CARRICK_RESULT"], _result_of(variables, results))


def _result_of(variables: Mapping[str, str], results: Results) -> bytes:
    try:
        target = _callable_of(variables)
    except CannotLoad as error:
        report(error)
        return results.unloadable(str(error))
    try:
        return results.returned(call(target))
    except Exception as error:  # an exit is none: it would end the caller's process too
        return results.raised(error)


def _callable_of(variables: Mapping[str, str]) -> Any:
    if "CARRICK_ENTRYPOINT" in variables:
        return load_entrypoint(variables["CARRICK_ENTRYPOINT"])
    return load_callable(variables["CARRICK_CALLABLE"], _method_in(variables), variables.get("CARRICK_PYTHON"))


def _method_in(variables: Mapping[str, str]) -> str:
    return variables.get("CARRICK_METHOD") or "cloudpickle"


def _end(code: Any) -> NoReturn:
    """Ends the process now: threads that a failed setup() left behind would keep it alive for ever."""
    if isinstance(code, str):
        print(code, file=sys.stderr)
    finish_lines()
    sys.stdout.buffer.flush()
    sys.stderr.buffer.flush()
    os._exit(0 if code is None else code if isinstance(code, int) else 1)
