"""Tells what it was told when it had to go, and holds what it is asked until a file is there."""

import asyncio
import os

import fal
from fastapi import Request, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


class Wait(BaseModel):
    file: str


class Leaver(fal.App):
    machine_type = "XS"
    keep_alive = 60
    max_concurrency = 1
    max_multiplexing = 8

    def handle_exit(self) -> None:
        print("told to exit", flush=True)

    def teardown(self) -> None:
        print("torn down", flush=True)

    @fal.endpoint("/")
    async def wait(self, wait: Wait, request: Request) -> dict:
        while not os.path.exists(wait.file):
            await asyncio.sleep(0.05)
        return {"attempt": request.headers.get("x-carrick-attempt"), "runner": os.environ["FAL_JOB_ID"]}

    @fal.endpoint("/stream")
    async def stream(self, wait: Wait) -> StreamingResponse:
        async def events():
            yield "data: begun\n\n"
            while not os.path.exists(wait.file):
                await asyncio.sleep(0.05)
            yield "data: done\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    @fal.endpoint("/ws", is_websocket=True)
    async def socket(self, websocket: WebSocket) -> None:
        await websocket.accept()
        while True:
            await websocket.send_text(await websocket.receive_text())
