"""What Cog's predictors are written with, so that predict.py runs as it is. Put here by `carrick migrate cog`."""

import io
import pathlib
from typing import Any, AsyncIterator, Generic, Iterator, TypeVar

import pydantic

T = TypeVar("T")
NO_DEFAULT = object()


class Path(type(pathlib.Path())):
    """A file on this machine. As an input it was a URL and has been downloaded; as an output it is uploaded."""


class File(io.IOBase):
    """The type of a file that is given as an open one. Cog has deprecated it for Path."""


class Secret(str):
    """A text that does not show in prints."""

    def get_secret_value(self) -> str:
        return str.__str__(self)

    def __str__(self) -> str:
        return "**********"

    def __repr__(self) -> str:
        return "Secret('**********')"


class InputField:
    """What `Input(...)` says of a parameter. The app checks the rest before it gets here."""

    def __init__(self, default: Any) -> None:
        self.default = default


def Input(default: Any = NO_DEFAULT, **described: Any) -> Any:
    return InputField(default)


class BaseModel(pydantic.BaseModel):
    """An output of several values."""

    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True, protected_namespaces=())


class ConcatenateIterator(Iterator[T], Generic[T]):
    """Texts that belong together."""


class AsyncConcatenateIterator(AsyncIterator[T], Generic[T]):
    """Texts that belong together."""


class CancelationException(BaseException):
    """Is raised in a predictor that is not async when its prediction is cancelled."""


class Scope:
    """Where Cog's predictors leave metrics: here they are lines of the log."""

    def record_metric(self, name: str, value: Any, mode: str = "replace") -> None:
        print(f"metric {name} {mode} {value!r}")


class BasePredictor:
    """What a predictor is derived from."""

    @property
    def scope(self) -> Scope:
        return Scope()

    def record_metric(self, name: str, value: Any, mode: str = "replace") -> None:
        self.scope.record_metric(name, value, mode)


BaseRunner = BasePredictor


def current_scope() -> Scope:
    return Scope()


def emit_metric(name: str, value: Any) -> None:
    Scope().record_metric(name, value)


def streaming(function: Any = None) -> Any:
    """Marks a predictor whose answer may be streamed: here every iterator's may."""
    return function if function is not None else lambda marked: marked


def concurrent(**_: Any) -> Any:
    """Says how many predictions run at a time: here `max_multiplexing` of the app does."""
    return lambda marked: marked
