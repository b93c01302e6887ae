"""Works for as long as it is told, and says where it runs and what that was worth."""

import asyncio
import os

import fal
from fastapi import Response


class Metered(fal.App):
    machine_type = "XS"
    requirements = []
    keep_alive = 600
    max_concurrency = 2

    @fal.endpoint("/")
    async def work(self, input: dict, response: Response) -> dict:
        await asyncio.sleep(input.get("seconds", 0))
        while "until" in input and not os.path.exists(input["until"]):
            await asyncio.sleep(0.05)
        response.headers["x-fal-billable-units"] = "0.5"
        return {"runner": os.environ["FAL_JOB_ID"], "greeting": os.environ.get("GREETING", "none")}
