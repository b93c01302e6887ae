"""Writes down, as its first act, that it was run: the crash test compares this with what the clients saw."""

import os
import time

import fal
from fastapi import Request
from pydantic import BaseModel


class Entry(BaseModel):
    ledger: str
    seconds: float = 0.0


class Ledger(fal.App):
    machine_type = "XS"
    keep_alive = 30
    max_concurrency = 3
    max_multiplexing = 4

    @fal.endpoint("/")
    def write(self, entry: Entry, request: Request) -> dict:
        headers = request.headers
        line = f"{headers['x-fal-request-id']} {headers['x-carrick-attempt']} {os.environ['FAL_JOB_ID']}\n"
        ledger = os.open(entry.ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(ledger, line.encode())
        os.close(ledger)
        time.sleep(entry.seconds)
        return {"request": headers["x-fal-request-id"]}
