"""Paints a picture of one colour, and says so: an app whose page has every kind of field."""

import base64
import struct
import zlib
from enum import Enum
from typing import Literal, Optional

import fal
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field


class Size(BaseModel):
    width: int = 64
    height: int = 64


class Input(BaseModel):
    prompt: str = Field(description="What the picture shows, in a few words.")
    colour: Literal["red", "green", "blue"] = Field(default="green", description="Of every point.")
    size: Size = Size()
    brightness: int = Field(default=200, ge=0, le=255)
    loud: bool = Field(default=True, description="Whether it says what it does.")
    signature: Optional[str] = None


class Picture(BaseModel):
    url: str
    content_type: str


class Output(BaseModel):
    picture: Picture
    title: str


def png(width: int, height: int, colour: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + colour * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Painter(fal.App):
    """Paints pictures of one colour. <img src=x onerror=alert(1)>"""

    machine_type = "XS"
    requirements = []
    keep_alive = 600

    @fal.endpoint("/")
    def paint(self, input: Input) -> Output:
        """Paints one picture."""
        if input.loud:
            print(f"painting {input.prompt} <script>alert(1)</script>", flush=True)
        place = ["red", "green", "blue"].index(input.colour)
        colour = bytes(input.brightness if at == place else 0 for at in range(3))
        data = base64.b64encode(png(input.size.width, input.size.height, colour)).decode()
        picture = Picture(url=f"data:image/png;base64,{data}", content_type="image/png")
        return Output(picture=picture, title=f"{input.prompt} <b>by</b> {input.signature or 'nobody'}")

    @fal.endpoint("/fail")
    def fail(self, input: Size) -> Output:
        raise ValueError("it was asked to fail")


class Mallory(fal.App):
    """Answers with a page that looks for keys."""

    machine_type = "XS"
    requirements = []
    keep_alive = 600

    @fal.endpoint("/")
    def page(self) -> HTMLResponse:
        look = "try { document.title = 'found ' + sessionStorage.getItem('carrick-key') } catch { document.title = 'denied' }"
        return HTMLResponse(f"<script>{look}</script>")
