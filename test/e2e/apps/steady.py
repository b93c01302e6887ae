"""Tells when a request arrived, on several runners: the benchmarks change it under load."""

import time

import fal


class Steady(fal.App):
    machine_type = "XS"
    keep_alive = 60
    min_concurrency = 3
    max_concurrency = 3
    max_multiplexing = 8

    @fal.endpoint("/")
    async def now(self) -> dict:
        return {"now": time.time() * 1000}
