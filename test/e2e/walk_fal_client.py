"""Prints what the stock `fal_client` has as JSON: every public name, with the arguments that may be left out or its fields."""

import dataclasses
import inspect
import json

import fal_client

names = {}


def options(function) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [parameter.name for parameter in parameters if parameter.default is not parameter.empty]


def public(holder) -> list[str]:
    return [name for name in dir(holder) if not name.startswith("_")]


for name in public(fal_client):
    value = getattr(fal_client, name)
    if inspect.isclass(value):
        fields = [field.name for field in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else []
        names[name] = [field for field in fields if not field.startswith("_")]
        for method in vars(value):
            if not method.startswith("_") and callable(getattr(value, method)):
                names[f"{name}.{method}"] = options(getattr(value, method))
    elif callable(value) and not isinstance(value, (fal_client.SyncClient, fal_client.AsyncClient)):
        if not type(value).__module__.startswith("typing"):
            names[name] = options(value)

print(json.dumps(names))
