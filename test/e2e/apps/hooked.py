"""What webhooks tell of: answers at once or once a file is there, with results of every kind."""

import asyncio
import os

import fal
from fastapi import HTTPException, Response
from pydantic import BaseModel


class Asked(BaseModel):
    text: str = ""
    file: str = ""
    bytes: int = 0
    fail: bool = False


class Hooked(fal.App):
    machine_type = "XS"
    requirements = []
    keep_alive = 600
    max_concurrency = 1
    max_multiplexing = 2

    @fal.endpoint("/")
    async def answer(self, asked: Asked) -> dict:
        while asked.file and not os.path.exists(asked.file):
            await asyncio.sleep(0.05)
        if asked.fail:
            raise HTTPException(422, "it was asked to fail")
        return {"text": asked.text, "much": "x" * asked.bytes}

    @fal.endpoint("/plain")
    async def plain(self, asked: Asked) -> Response:
        return Response(asked.text, media_type="text/plain")
