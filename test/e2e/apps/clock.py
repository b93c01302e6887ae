"""Tells when a request arrived: the cold-start benchmark asks it."""

import time

import fal


class Clock(fal.App):
    machine_type = "XS"
    keep_alive = 2

    @fal.endpoint("/")
    async def now(self) -> dict:
        return {"now": time.time() * 1000}
