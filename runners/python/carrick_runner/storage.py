"""Where the SDK and the client find files and values: they have the vendor's hosts in their code, and no variable for these."""

from __future__ import annotations

import os
from typing import Any

from .imports import after_import


def adapt_storage() -> None:
    if "CARRICK_KV_URL" in os.environ:
        after_import("fal.toolkit.kv", _use_our_values)
    if "CARRICK_CDN_URL" in os.environ and "FAL_REST_HOST" in os.environ:
        after_import("fal_client.client", _use_our_files)


def _use_our_values(kv: Any) -> None:
    if hasattr(kv, "FAL_KV_HOST"):
        kv.FAL_KV_HOST = os.environ["CARRICK_KV_URL"]


def _use_our_files(client: Any) -> None:
    if hasattr(client, "REST_URL"):
        client.REST_URL = "https://" + os.environ["FAL_REST_HOST"]
    if hasattr(client, "CDN_URL"):
        client.CDN_URL = os.environ["CARRICK_CDN_URL"]
