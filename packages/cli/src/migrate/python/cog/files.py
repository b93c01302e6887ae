"""Files come as URLs and go as URLs: what is in between is on this machine. Put here by `carrick migrate cog`."""

import base64
import mimetypes
import os
import pathlib
import re
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Callable

from fastapi import HTTPException

from .types import Path

LONGEST_INPUT = int(os.environ.get("COG_INPUT_LIMIT", 4 * 1024**3))
PATIENCE = 60


def fetched(field: str, url: str, folder: str) -> Path:
    """Downloads an input. A caller whose URL is of no use gets 422 with the field's name."""
    target = pathlib.Path(tempfile.mkdtemp(dir=folder)) / name_in(url)
    try:
        if urllib.parse.urlsplit(url).scheme not in ("http", "https", "data"):
            raise ValueError("it must be a URL that begins with https:, http: or data:")
        with urllib.request.urlopen(url, timeout=PATIENCE) as source, target.open("wb") as file:
            copy(source, file)
    except (OSError, ValueError, base64.binascii.Error) as error:
        raise refused(field, error) from error
    return Path(target)


def copy(source: Any, file: Any) -> None:
    left = LONGEST_INPUT
    while chunk := source.read(min(1024 * 1024, left + 1)):
        left -= len(chunk)
        if left < 0:
            raise ValueError(f"it is longer than {LONGEST_INPUT} bytes")
        file.write(chunk)


def refused(field: str, error: Exception) -> HTTPException:
    reason = f"the file cannot be had: {error}"
    return HTTPException(422, detail=[{"loc": ["body", field], "msg": reason, "type": "file_download_error"}])


def name_in(url: str) -> str:
    """The file's name, with its ending, because programs go by it."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "data":
        kind = parts.path.split(",", 1)[0].split(";", 1)[0]
        return "input" + (mimetypes.guess_extension(kind) or "")
    name = urllib.parse.unquote(parts.path).rsplit("/", 1)[-1]
    return re.sub(r"[^\w.-]", "_", name)[-100:].lstrip(".") or "input"


def sent(path: Any, upload: Callable[..., Any]) -> Any:
    """Uploads an output. One that the predictor made for the occasion is gone afterwards."""
    answer = upload(path, content_type=mimetypes.guess_type(str(path))[0])
    if pathlib.Path(path).resolve().is_relative_to(pathlib.Path(tempfile.gettempdir()).resolve()):
        pathlib.Path(path).unlink(missing_ok=True)
    return answer


def saved(file: Any) -> Path:
    """An open file as one on this machine."""
    name = os.path.basename(str(getattr(file, "name", ""))) or "output"
    target = pathlib.Path(tempfile.mkdtemp()) / name
    content = file.read()
    target.write_bytes(content.encode() if isinstance(content, str) else content)
    return Path(target)


def forget(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
