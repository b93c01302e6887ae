"""A small HTTP server, as it ran in Docker before: it knows nothing of the platform that it runs on now."""

import asyncio
import json
import os

from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel

app = FastAPI(title="Words", description="Counts and spells words")


class Text(BaseModel):
    text: str


class Count(BaseModel):
    words: int
    letters: int
    counted_by: str


@app.get("/healthz")
def healthz() -> dict:
    return {"status": "ok"}


@app.post("/v1/count")
def count(given: Text) -> Count:
    print(f"counting {len(given.text)} characters", flush=True)
    letters = sum(each.isalpha() for each in given.text)
    return Count(words=len(given.text.split()), letters=letters, counted_by=os.uname().nodename)


@app.get("/v1/words/{word}")
def word(word: str, upper: bool = False) -> PlainTextResponse:
    return PlainTextResponse(word.upper() if upper else word)


@app.put("/v1/raw")
async def raw(request: Request) -> dict:
    return {"bytes": len(await request.body()), "type": request.headers.get("content-type")}


@app.post("/v1/spell")
def spell(given: Text) -> StreamingResponse:
    async def letters():
        for letter in given.text:
            yield f"data: {json.dumps({'letter': letter})}\n\n"
            await asyncio.sleep(0.05)

    return StreamingResponse(letters(), media_type="text/event-stream")


@app.websocket("/v1/talk")
async def talk(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            await socket.send_json({"heard": (await socket.receive_text()).upper()})
    except WebSocketDisconnect:
        pass
