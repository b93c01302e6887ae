"""Reads the text in an image. The models are inside the package, so this runs on a CPU without a network."""

import base64
import os
import time

import fal
from pydantic import BaseModel, Field


class Picture(BaseModel):
    image: str = Field(description="The image as a data URI: data:image/png;base64,…")


class Line(BaseModel):
    text: str
    score: float


class Reading(BaseModel):
    lines: list[Line]
    seconds: float = Field(description="How long the models worked")
    revision: str = Field(description="The revision that answered")


class Ocr(fal.App):
    machine_type = "M"
    keep_alive = 5
    requirements = ["rapidocr==3.10.0", "onnxruntime"]

    def setup(self) -> None:
        from rapidocr import RapidOCR

        self.engine = RapidOCR()

    @fal.endpoint("/")
    def read(self, picture: Picture) -> Reading:
        started = time.monotonic()
        image = base64.b64decode(picture.image.partition(",")[2])
        found = self.engine(image)
        lines = [Line(text=text, score=score) for text, score in zip(found.txts or (), found.scores or ())]
        print(f"read {len(lines)} lines")
        return Reading(lines=lines, seconds=time.monotonic() - started, revision=os.environ["FAL_APP_ID"])
