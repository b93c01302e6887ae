"""Everything that stays open: realtime, a WebSocket of its own, streams, and what the app saw of those who left."""

import asyncio
import json

import fal
from fastapi import Request, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


class Words(BaseModel):
    text: str = ""
    count: int = 3


class Heard(BaseModel):
    text: str


class Live(fal.App):
    machine_type = "XS"
    keep_alive = 60
    max_concurrency = 1
    max_multiplexing = 20

    def setup(self) -> None:
        self.seen: list[str] = []
        self.written = 0

    @fal.endpoint("/")
    def answer(self, words: Words) -> dict:
        return {"text": words.text}

    @fal.realtime("/realtime")
    def hear(self, words: Words) -> Heard:
        if words.text == "fail":
            raise ValueError("told to fail")
        return Heard(text=f"heard {words.text}")

    @fal.endpoint("/raw", is_websocket=True)
    async def raw(self, websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            while True:
                message = await websocket.receive()
                if message["type"] == "websocket.disconnect":
                    self.seen.append(f"closed {message['code']}")
                    return
                if message.get("bytes") is not None:
                    await websocket.send_bytes(message["bytes"])
                else:
                    await websocket.send_text(message["text"])
        except Exception as error:
            self.seen.append(f"failed {error!r}")

    @fal.endpoint("/stream")
    async def stream(self, words: Words) -> StreamingResponse:
        async def events():
            for number in range(words.count):
                yield f"data: {json.dumps({'number': number})}\n\n"
                await asyncio.sleep(0.01 if words.count < 100 else 0.2)

        return StreamingResponse(events(), media_type="text/event-stream")

    @fal.endpoint("/stream/cancel")
    async def cancel_stream(self, request: Request) -> dict:
        self.seen.append(f"cancelled {request.headers['x-fal-request-id']}")
        return {}

    @fal.endpoint("/bytes/stream")
    async def pour(self, words: Words) -> StreamingResponse:
        async def pieces():
            for number in range(words.count):
                self.written += 65536
                yield bytes([number % 256]) * 65536

        return StreamingResponse(pieces(), media_type="application/octet-stream")

    @fal.endpoint("/seen")
    async def tell(self) -> dict:
        return {"seen": self.seen, "written": self.written}
