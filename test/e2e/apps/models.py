"""Answers as the models do that clients of models know by their shapes."""

import base64
import os
import time
from typing import Any

import fal
from fal.toolkit import File, Image
from pydantic import BaseModel

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


class Picture(BaseModel):
    prompt: str
    num_images: int = 1


class Speech(BaseModel):
    text: str
    voice: str = "Somebody"


class Recording(BaseModel):
    audio_url: str


class Film(BaseModel):
    prompt: str
    duration: str = "all"


def heard_in(input: Recording) -> dict[str, Any]:
    heard = base64.b64decode(input.audio_url.partition(",")[2]).decode()
    return {"text": heard, "chunks": [{"text": heard, "timestamp": [0.0, 1.5]}], "inferred_languages": ["en"]}


def filmed(input: Film) -> bytes:
    return f"{input.duration} of {input.prompt}".encode()


class Models(fal.App):
    machine_type = "XS"
    keep_alive = 600

    @fal.endpoint("/")
    def picture(self, input: Picture) -> dict[str, Any]:
        images = [Image.from_bytes(PIXEL, format="png").model_dump() for _ in range(input.num_images)]
        return {"images": images, "has_nsfw_concepts": [False] * len(images)}

    @fal.endpoint("/speech")
    def speech(self, input: Speech) -> dict[str, Any]:
        return {"audio": {"url": data_url("audio/mpeg", f"{input.voice} says {input.text}".encode())}}

    @fal.endpoint("/transcribe")
    def transcribe(self, input: Recording) -> dict[str, Any]:
        return heard_in(input)

    @fal.endpoint("/transcribe-slowly")
    def transcribe_slowly(self, input: Recording) -> dict[str, Any]:
        """Hears the name of a file, and answers once that is there."""
        answer = heard_in(input)
        deadline = time.monotonic() + 60
        while not os.path.exists(answer["text"]):
            if time.monotonic() > deadline:
                raise RuntimeError("nobody made the file")
            time.sleep(0.05)
        return answer

    @fal.endpoint("/film")
    def film(self, input: Film) -> dict[str, Any]:
        return {"video": {"url": data_url("video/mp4", filmed(input)), "content_type": "video/mp4"}}

    @fal.endpoint("/stored-film")
    def stored_film(self, input: Film) -> dict[str, Any]:
        film = File.from_bytes(filmed(input), content_type="video/mp4", file_name="film.mp4")
        return {"video": film.model_dump()}
