"""Which request the running code belongs to."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import Iterator, Mapping

REQUEST_ID_LIMIT = 128

#: Labels of the request that is being served. Name and shape are the SDK's, which sets it as well.
isolate_log_context: ContextVar[Mapping[str, str]] = ContextVar("isolate_log_context", default={})


def current_request_id() -> str:
    """The id of the request being served, or the empty string."""
    return isolate_log_context.get().get("fal_request_id", "")


@contextmanager
def serving(labels: Mapping[str, str]) -> Iterator[None]:
    """Everything that runs inside, threads of Starlette's pool included, belongs to the request with these labels."""
    token = isolate_log_context.set(labels)
    try:
        yield
    finally:
        isolate_log_context.reset(token)


def labels_of(headers: list) -> dict:
    """The labels that a request's ASGI headers ask for. An id that could not stand in a log frame is no id."""
    labels = {}
    for name, value in headers:
        if name == b"x-fal-request-id":
            text = value.decode("latin-1")
            if text.isprintable() and len(text) <= REQUEST_ID_LIMIT:
                labels["fal_request_id"] = text
        elif name == b"x-fal-endpoint":
            labels["fal_endpoint"] = value.decode("latin-1")
    return labels
