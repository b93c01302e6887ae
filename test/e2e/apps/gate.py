"""Answers once a file is there: so a test decides how long a request runs."""

import asyncio
import os

import fal
from fastapi import Request
from pydantic import BaseModel


class Wait(BaseModel):
    file: str


class Gate(fal.App):
    machine_type = "XS"
    keep_alive = 2
    max_multiplexing = 4

    @fal.endpoint("/")
    async def wait(self, wait: Wait, request: Request) -> dict:
        while not os.path.exists(wait.file):
            await asyncio.sleep(0.05)
        return {"attempt": request.headers.get("x-carrick-attempt")}
