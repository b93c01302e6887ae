"""What the tests call: says who answered, sleeps, logs, streams, counts, and can be told to stop."""

import asyncio
import json
import os
import time

import fal
from fal.exceptions import RequestCancelledException
from fastapi import Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


class Words(BaseModel):
    text: str = ""
    seconds: float = 0.0
    count: int = 3


class Echo(fal.App):
    machine_type = "XS"
    keep_alive = 2
    max_concurrency = 3

    def setup(self) -> None:
        self.running: dict[str, asyncio.Event] = {}
        print("echo is set up")

    def provide_hints(self) -> list[str]:
        return [os.environ["FAL_JOB_ID"]]

    @fal.endpoint("/")
    def echo(self, words: Words, request: Request) -> dict:
        print(f"echoing {words.text}")
        time.sleep(words.seconds)
        return {
            "text": words.text,
            "revision": os.environ["FAL_APP_ID"],
            "runner": os.environ["FAL_JOB_ID"],
            "request": request.headers["x-fal-request-id"],
            "headers": {name: value for name, value in request.headers.items() if name.startswith("x-")},
        }

    @fal.endpoint("/stream")
    async def stream(self, words: Words) -> StreamingResponse:
        async def events():
            for number in range(words.count):
                yield f"data: {json.dumps({'number': number})}\n\n"
                await asyncio.sleep(words.seconds)

        return StreamingResponse(events(), media_type="text/event-stream")

    @fal.endpoint("/slow")
    async def slow(self, words: Words, request: Request) -> dict:
        stop = self.running.setdefault(request.headers["x-fal-request-id"], asyncio.Event())
        print("slow work begins")
        try:
            await asyncio.wait_for(stop.wait(), words.seconds)
        except asyncio.TimeoutError:
            return {"finished": True}
        raise RequestCancelledException("told to stop")

    @fal.endpoint("/slow/cancel")
    async def cancel_slow(self, request: Request) -> dict:
        # It may come before the work has begun.
        self.running.setdefault(request.headers["x-fal-request-id"], asyncio.Event()).set()
        return {"stopped": True}

    @fal.endpoint("/fail")
    def fail(self, words: Words) -> dict:
        raise ValueError(words.text)
