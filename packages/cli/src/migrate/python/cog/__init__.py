"""Stands in for Cog's package in a Carrick app. Put here by `carrick migrate cog`; `serve.py` is what the app calls."""

from typing import AsyncIterator, Iterator, List, Optional

from .types import (
    AsyncConcatenateIterator,
    BaseModel,
    BasePredictor,
    BaseRunner,
    CancelationException,
    ConcatenateIterator,
    File,
    Input,
    Path,
    Secret,
    concurrent,
    current_scope,
    emit_metric,
    streaming,
)

ExperimentalFeatureWarning = FutureWarning

__all__ = [
    "AsyncConcatenateIterator",
    "AsyncIterator",
    "BaseModel",
    "BasePredictor",
    "BaseRunner",
    "CancelationException",
    "ConcatenateIterator",
    "ExperimentalFeatureWarning",
    "File",
    "Input",
    "Iterator",
    "List",
    "Optional",
    "Path",
    "Secret",
    "concurrent",
    "current_scope",
    "emit_metric",
    "streaming",
]
