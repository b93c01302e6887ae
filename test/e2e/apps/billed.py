"""Says what its requests are worth: in its answer, or later, as the SDK reports a session's total."""

import os

import fal
import httpx
from fal.wma._billing import report_stream_billing_units
from fastapi import Request, Response


class Billed(fal.App):
    machine_type = "XS"
    requirements = []
    keep_alive = 600

    @fal.endpoint("/at-once")
    def at_once(self, input: dict, response: Response) -> dict:
        response.headers["x-fal-billable-units"] = "3"
        return {"doubled": 2 * input["number"]}

    @fal.endpoint("/later")
    async def later(self, input: dict, request: Request) -> dict:
        print("reporting", flush=True)
        # The SDK's own client needs the whole `fal` package here; what it sends is the SDK's.
        async with httpx.AsyncClient(base_url=f"https://{os.environ['FAL_REST_HOST']}") as client:
            request_id = request.headers["x-fal-request-id"]
            await report_stream_billing_units(client, request_id, 12.5, log_prefix="test")
        return {}
