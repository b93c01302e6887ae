"""Tells when a request arrived, and keeps it for as long as it is told to: the benchmarks ask it."""

import asyncio
import time

import fal
from pydantic import BaseModel


class Wanted(BaseModel):
    seconds: float = 0


class Tiny(fal.App):
    machine_type = "XS"
    keep_alive = 10

    @fal.endpoint("/")
    async def hold(self, wanted: Wanted) -> dict:
        now = time.time() * 1000
        await asyncio.sleep(wanted.seconds)
        return {"now": now}
