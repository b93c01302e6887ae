"""One step of a workflow: notes that it ran, waits when it is told to, and adds to a text."""

import os
import time
from typing import Optional

import fal
from fastapi import HTTPException
from pydantic import BaseModel


class Input(BaseModel):
    text: str
    ledger: str
    until: Optional[str] = None
    fail: bool = False


class Item(BaseModel):
    text: str


class Output(BaseModel):
    items: list[Item]


class Steps(fal.App):
    machine_type = "XS"
    requirements = []
    max_multiplexing = 8
    max_concurrency = 1
    keep_alive = 600

    @fal.endpoint("/")
    def step(self, input: Input) -> Output:
        with open(input.ledger, "a") as ledger:
            ledger.write(f"{input.text}\n")
        while input.until and not os.path.exists(input.until):
            time.sleep(0.05)
        if input.fail:
            raise HTTPException(422, "it was asked to fail")
        return Output(items=[Item(text=f"{input.text}!")])

    @fal.endpoint("/loud")
    def loud(self, input: Input) -> Output:
        return Output(items=[Item(text=input.text.upper())])
