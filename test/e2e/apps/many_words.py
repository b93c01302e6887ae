"""What the tests of deploys deploy: says what it is told, fails when asked to, waits for a file, streams, counts units."""

import json
import os
import sys
import time

import fal
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


class Words(BaseModel):
    text: str = ""
    fail: bool = False
    until: str = ""


class Billing:
    def declaration(self) -> dict:
        return {"version": 1, "schema_id": "words-1", "app": {"type": "object", "properties": {"words": {}}}}


class ManyWords(fal.App):
    machine_type = "XS"
    keep_alive = 60
    max_concurrency = 1
    max_multiplexing = 2
    request_start_timeout = 50

    @fal.endpoint("/", billing=Billing())
    def say(self, words: Words) -> dict:
        print(f"saying {words.text}", flush=True)
        if words.fail:
            raise ValueError(words.text)
        while words.until and not os.path.exists(words.until):
            time.sleep(0.05)
        return {"text": words.text, "revision": os.environ["FAL_APP_ID"], "python": sys.prefix}

    @fal.endpoint("/stream")
    def stream(self, words: Words) -> StreamingResponse:
        lines = [f"data: {json.dumps({'word': word})}\n\n" for word in words.text.split()]
        return StreamingResponse(iter(lines), media_type="text/event-stream")
