"""Says what its requests are worth: in its answer, or later, as the SDK reports a session's total."""

import fal
from fal.wma._billing import make_fal_rest_client, report_stream_billing_units
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
        async with make_fal_rest_client() as client:
            request_id = request.headers["x-fal-request-id"]
            await report_stream_billing_units(client, request_id, 12.5, log_prefix="test")
        return {}
