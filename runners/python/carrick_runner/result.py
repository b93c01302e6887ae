"""What a call returned or raised, as bytes that only its caller reads: a line of JSON, then the pickle."""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from typing import Any, Dict

from .load import own_part

_LONGEST_TRACEBACK = 65_536
_LONGEST_MESSAGE = 8_192


class Results:
    """Writes the results of calls whose caller reads them by `method`, in at most `limit` bytes."""

    def __init__(self, method: str, limit: int) -> None:
        self._method = method
        self._limit = limit

    def unloadable(self, message: str) -> bytes:
        """There was nothing to call."""
        return _whole({"unloadable": message[:_LONGEST_MESSAGE]})

    def returned(self, value: Any) -> bytes:
        try:
            definition = self._dumped(value)
            if len(definition) > self._limit:
                raise ValueError(f"it has {len(definition)} bytes, and {self._limit} are allowed")
        except Exception as error:
            return self.raised(_because(f"The function returned something that cannot be sent back: {error}", error))
        return _whole({"method": self._method, "raised": False}, definition)

    def raised(self, error: BaseException) -> bytes:
        """The exception goes back with its causes and their tracebacks, and in words, for a caller that lacks its class."""
        shown = own_part(error)
        text = "".join(traceback.format_exception(type(shown), shown, shown.__traceback__))[-_LONGEST_TRACEBACK:]
        name, message = type(shown).__name__, str(shown)[:_LONGEST_MESSAGE]
        try:
            definition = self._dumped(_with_causes(error))
            if len(definition) > self._limit:
                raise ValueError(f"it has {len(definition)} bytes, and {self._limit} are allowed")
        except Exception:
            print(text, file=sys.stderr)
            definition = self._dumped(RuntimeError(f"{name}: {message} (the exception itself cannot be sent back)"))
        return _whole(
            {"method": self._method, "raised": True, "traceback": text, "type_name": name, "message": message},
            definition,
        )

    def _dumped(self, value: Any) -> bytes:
        return importlib.import_module(self._method).dumps(value)


def leave(path: str, result: bytes) -> None:
    """The file is there whole or not at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    draft = f"{path}.{os.getpid()}"
    with open(draft, "wb") as file:
        file.write(result)
    os.replace(draft, path)


def _whole(head: Dict[str, Any], definition: bytes = b"") -> bytes:
    return json.dumps(head).encode() + b"\n" + definition


def _because(message: str, cause: Exception) -> RuntimeError:
    error = RuntimeError(message)
    error.__cause__ = cause
    return error


def _with_causes(error: BaseException) -> BaseException:
    """A pickle leaves causes and tracebacks out unless tblib, which the platform puts into environments, is told of them."""
    try:
        from tblib import pickling_support
    except ImportError:
        return error
    pickling_support.install(error)
    return error
