"""From a file with a pickle, or the name of an entry point, to the app's callable, or to words that say why there is none."""

from __future__ import annotations

import importlib
import sys
import traceback
from typing import Any, Optional


class CannotLoad(Exception):
    """The callable could not be made. The message is for the person who deployed it."""


def load_callable(path: str, method: str, packaged_by: Optional[str]) -> Any:
    """What the pickle in a file stands for."""
    with open(path, "rb") as file:
        return load_pickle(file.read(), method, packaged_by)


def load_pickle(definition: bytes, method: str, packaged_by: Optional[str]) -> Any:
    here = "{}.{}".format(*sys.version_info[:2])
    wanted = ".".join(packaged_by.split(".")[:2]) if packaged_by else here
    if wanted != here:
        raise CannotLoad(f"The app was packaged by Python {wanted}, but its runner has Python {here}. {_SAME_PYTHON}")
    try:
        return importlib.import_module(method).loads(definition)
    except ModuleNotFoundError as error:
        raise CannotLoad(
            f"The app could not be loaded: its environment has no module named '{error.name}'. "
            "Add the package that brings it to the app's requirements."
        ) from error
    except Exception as error:
        # Bytecode of another Python is refused in words that nobody understands.
        hint = _SAME_PYTHON if isinstance(error, (TypeError, ValueError, SystemError)) else ""
        raise CannotLoad(f"The app could not be loaded by Python {here}: {error} {hint}".rstrip()) from error


def load_entrypoint(entrypoint: str) -> Any:
    """What `module:attribute` names, dots in either half included."""
    module, _, attribute = entrypoint.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for name in attribute.split("."):
            found = getattr(found, name)
        return found
    except ModuleNotFoundError as error:
        raise CannotLoad(
            f"The app's entry point {entrypoint} could not be loaded: its environment has no module named "
            f"'{error.name}'. Add the package that brings it to the app's requirements."
        ) from error
    except Exception as error:
        raise CannotLoad(f"The app's entry point {entrypoint} could not be loaded: {error}") from error


_SAME_PYTHON = (
    "An app must be deployed by the Python version it runs on: "
    "set `python_version` to the one you deploy with, or deploy with the other."
)


def report(error: BaseException) -> None:
    """Prints what went wrong as its author would see it: without our frames and without the SDK's wrapping."""
    if isinstance(error, CannotLoad):
        if error.__cause__:
            report(error.__cause__)
        print(error, file=sys.stderr)
        return
    error = own_part(error)
    traceback.print_exception(type(error), error, error.__traceback__)


def own_part(error: BaseException) -> BaseException:
    """The exception that the author's code raised, without the SDK's wrapping and without our frames."""
    if type(error).__name__ == "UserFunctionException" and error.__cause__:
        error = error.__cause__
    shown = error.__traceback__
    while shown and shown.tb_next and shown.tb_frame.f_globals.get("__package__") == __package__:
        shown = shown.tb_next
    return error.with_traceback(shown)
