"""Its runner dies of poison, for as long as there is no cure. Writes down, as its first act, that it was run."""

import os
import time

import fal
from fastapi import Request
from pydantic import BaseModel


class Dose(BaseModel):
    ledger: str
    poison: bool = False
    seconds: float = 0.0


class Fragile(fal.App):
    machine_type = "XS"
    keep_alive = 60
    min_concurrency = 1
    max_concurrency = 2

    @fal.endpoint("/")
    def take(self, dose: Dose, request: Request) -> dict:
        with open(dose.ledger, "a") as ledger:
            ledger.write(f"{request.headers['x-fal-request-id']}\n")
        if dose.poison and not os.path.exists(f"{dose.ledger}.cure"):
            os._exit(9)
        time.sleep(dose.seconds)
        return {"request": request.headers["x-fal-request-id"]}
