"""Where the SDK and the client find files and values: they have the vendor's hosts in their code, and no variable for these."""

from __future__ import annotations

import functools
import os
import sys
from typing import Any

from .imports import Change, after_import

_VENDOR_VALUES = "https://kv.fal.media/"


def adapt_storage() -> None:
    if "CARRICK_KV_URL" in os.environ:
        _now_or_later("urllib.request", _lead_to_our_values)
    if "CARRICK_CDN_URL" in os.environ and "FAL_REST_HOST" in os.environ:
        _now_or_later("fal_client.client", _use_our_files)


def _now_or_later(name: str, change: Change) -> None:
    if name in sys.modules:
        change(sys.modules[name])
    else:
        after_import(name, change)


def _lead_to_our_values(request: Any) -> None:
    """Not in the SDK's own module: a pickled app brings a copy of that along, host and all."""
    begin = request.Request.__init__
    ours = os.environ["CARRICK_KV_URL"].rstrip("/") + "/"

    @functools.wraps(begin)
    def begin_with_ours(self: Any, url: Any, *args: Any, **named: Any) -> None:
        if isinstance(url, str) and url.startswith(_VENDOR_VALUES):
            url = ours + url[len(_VENDOR_VALUES) :]
        begin(self, url, *args, **named)

    request.Request.__init__ = begin_with_ours


def _use_our_files(client: Any) -> None:
    if hasattr(client, "REST_URL"):
        client.REST_URL = "https://" + os.environ["FAL_REST_HOST"]
    if hasattr(client, "CDN_URL"):
        client.CDN_URL = os.environ["CARRICK_CDN_URL"]
