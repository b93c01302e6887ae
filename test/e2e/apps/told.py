"""Answers what each attempt of a request is told to, and is as well as it was told to be."""

import os

import fal
from fastapi import HTTPException, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel


class Order(BaseModel):
    status: int = 200
    headers: dict[str, str] = {}
    exits: bool = False
    sick: bool = False


class Orders(BaseModel):
    attempts: list[Order] = [Order()]


class Told(fal.App):
    machine_type = "XS"
    keep_alive = 30
    max_concurrency = 2

    def setup(self) -> None:
        self.sick = False

    @fal.endpoint("/")
    def answer(self, orders: Orders, request: Request) -> Response:
        attempt = int(request.headers.get("x-carrick-attempt", "1"))
        order = orders.attempts[min(attempt, len(orders.attempts)) - 1]
        if order.exits:
            os._exit(3)
        self.sick = order.sick
        body = {"attempt": attempt, "runner": os.environ["FAL_JOB_ID"]}
        return JSONResponse(body, status_code=order.status, headers=order.headers)

    @fal.endpoint("/well", health_check=fal.HealthCheck(call_regularly=False, timeout_seconds=5))
    def well(self) -> dict:
        if self.sick:
            raise HTTPException(500, "sick")
        return {}
