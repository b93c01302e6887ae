"""One request at a time: writes down whose it is, and holds it until a file is there when it is told to."""

import os
import time
from typing import Optional

import fal
from fastapi import Response
from pydantic import BaseModel


class Turn(BaseModel):
    name: str
    ledger: str
    until: Optional[str] = None


class Turns(fal.App):
    machine_type = "XS"
    keep_alive = 600
    max_concurrency = 1

    def setup(self) -> None:
        time.sleep(0.2)

    @fal.endpoint("/")
    def turn(self, turn: Turn, response: Response) -> dict:
        with open(turn.ledger, "a") as ledger:
            ledger.write(f"{turn.name}\n")
        while turn.until and not os.path.exists(turn.until):
            time.sleep(0.02)
        response.headers["server-timing"] = "model;dur=1"
        return {"name": turn.name}
