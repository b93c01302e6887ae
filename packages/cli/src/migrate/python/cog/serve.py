"""What the app calls: it gives a Cog predictor its inputs and takes its outputs. Put here by `carrick migrate cog`."""

import importlib.util
import inspect
import io
import json
import os
import pathlib
import sys
import tempfile
import typing
from typing import Any, AsyncIterator, Callable

import pydantic
from fastapi.encoders import jsonable_encoder

from . import files
from .running import Interruptible, Running
from .types import NO_DEFAULT, File, InputField, Path, Secret


class Serving:
    """One predictor of a predict.py beside this package."""

    def __init__(self, file: str, name: str, upload: Callable[..., Any], environment: dict[str, str]) -> None:
        for key, value in environment.items():
            os.environ.setdefault(key, value)
        self.predictor = getattr(loaded(file), name)()
        self.predict = getattr(self.predictor, "run", None) or self.predictor.predict
        self.upload = upload
        self.running = Running()

    async def setup(self) -> None:
        setup = getattr(self.predictor, "setup", None)
        if setup is None:
            return
        takes_weights = "weights" in inspect.signature(setup).parameters
        await finished(setup, {"weights": os.environ.get("COG_WEIGHTS")} if takes_weights else {}, Interruptible())

    async def answer(self, request: Any, given: dict[str, Any]) -> Any:
        """The output, with files uploaded."""
        return (await self.answers(request, given))[0]

    async def answers(self, request: Any, given: dict[str, Any]) -> list[Any]:
        """All that an iterator gives."""
        async with self.running.prediction(id_of(request)) as thread:
            return [chunk async for chunk in self.chunks(thread, given)]

    async def events(self, request: Any, given: dict[str, Any]) -> AsyncIterator[str]:
        """What an iterator gives as server-sent events, each as soon as it is there."""
        async with self.running.prediction(id_of(request)) as thread:
            async for chunk in self.chunks(thread, given):
                yield f"data: {json.dumps({'output': jsonable_encoder(chunk)})}\n\n"

    def cancel(self, request: Any) -> dict[str, bool]:
        return {"cancelled": self.running.cancel(id_of(request))}

    async def chunks(self, thread: Interruptible, given: dict[str, Any]) -> AsyncIterator[Any]:
        folder = tempfile.mkdtemp(prefix="inputs-")
        try:
            inputs = await thread.run(resolved, self.predict, given, folder)
            made = self.predict(**inputs) if gives_chunks(self.predict) else await finished(self.predict, inputs, thread)
            if inspect.isasyncgen(made):
                async for chunk in made:
                    yield await thread.run(self.shown, chunk)
            elif inspect.isgenerator(made):
                while (chunk := await thread.run(next, made, NO_DEFAULT)) is not NO_DEFAULT:
                    yield await thread.run(self.shown, chunk)
            else:
                yield await thread.run(self.shown, made)
        finally:
            files.forget(folder)

    def shown(self, value: Any) -> Any:
        """A value with every file in it as what its upload answered."""
        if isinstance(value, pathlib.PurePath):
            return files.sent(value, self.upload)
        if isinstance(value, io.IOBase):
            return files.sent(files.saved(value), self.upload)
        if isinstance(value, pydantic.BaseModel):
            return {name: self.shown(getattr(value, name)) for name in type(value).model_fields}
        if isinstance(value, dict):
            return {key: self.shown(each) for key, each in value.items()}
        if isinstance(value, (list, tuple, set)):
            return [self.shown(each) for each in value]
        return value.tolist() if hasattr(value, "tolist") else value


def gives_chunks(function: Callable[..., Any]) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def id_of(request: Any) -> str:
    return request.headers.get("x-fal-request-id", "")


async def finished(function: Callable[..., Any], arguments: dict[str, Any], thread: Interruptible) -> Any:
    if inspect.iscoroutinefunction(function):
        return await function(**arguments)
    return await thread.run(function, **arguments)


def loaded(file: str) -> Any:
    """The module in a file, which finds what lies beside it as it did under Cog."""
    path = pathlib.Path(__file__).parent.parent / file
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def resolved(function: Callable[..., Any], given: dict[str, Any], folder: str) -> dict[str, Any]:
    """The arguments of a prediction: what was given, and the predictor's own defaults."""
    try:
        types = typing.get_type_hints(function)
    except Exception:  # a name that only a type checker has
        types = getattr(function, "__annotations__", {})
    arguments = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in given:
            arguments[name] = argument(name, types.get(name), given[name], folder)
        elif (default := default_of(parameter)) is not NO_DEFAULT:
            local = isinstance(default, str) and wants_path(types.get(name))
            arguments[name] = Path(default) if local and "://" not in default else default
    return arguments


def default_of(parameter: inspect.Parameter) -> Any:
    if parameter.default is inspect.Parameter.empty:
        return NO_DEFAULT
    return parameter.default.default if isinstance(parameter.default, InputField) else parameter.default


def argument(name: str, type_: Any, value: Any, folder: str) -> Any:
    """A value as the predictor's annotation wants it."""
    if isinstance(value, pydantic.SecretStr):
        return Secret(value.get_secret_value())
    if isinstance(value, list):
        inner = members(type_)
        return [argument(name, inner[0] if inner else None, each, folder) for each in value]
    if not isinstance(value, str):
        return value
    kinds = (type_, *members(type_))
    if wants_path(type_):
        return files.fetched(name, value, folder)
    if File in kinds:
        return open(files.fetched(name, value, folder), "rb")
    return Secret(value) if Secret in kinds else value


def wants_path(type_: Any) -> bool:
    return any(isinstance(kind, type) and issubclass(kind, pathlib.PurePath) for kind in (type_, *members(type_)))


def members(type_: Any) -> tuple[Any, ...]:
    """`int` of `list[int]` and of `Optional[int]`."""
    inner = typing.get_args(type_)
    return tuple(part for each in inner for part in (each, *members(each)))
