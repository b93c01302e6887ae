"""A RunPod worker as an app: handler.py stays as it is, and the platform's queue brings the jobs.

Put your handler.py beside it, your packages into `requirements`, other files into `app_files`, and deploy.
"""

from typing import Any, Literal

import fal
from fastapi import HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field


class Job(BaseModel):
    input: Any = Field(description="What the handler finds in job['input']")


class Done(BaseModel):
    id: str
    status: Literal["COMPLETED"] = "COMPLETED"
    output: Any = None


class Cancelled(BaseModel):
    cancelled: bool


class App(fal.App):
    app_name = "worker"
    machine_type = "S"
    requirements = []  # the lines of the worker's requirements.txt, without runpod
    app_files = ["handler.py", "runpod"]
    max_multiplexing = 1  # what concurrency_modifier comes to; the runner's log says if it is another
    min_concurrency = 0  # active workers
    max_concurrency = 3  # max workers
    keep_alive = 5  # idle timeout, in seconds

    def setup(self) -> None:
        from runpod.worker import Worker

        self.worker = Worker("handler.py")
        wanted = self.worker.concurrency()
        if wanted != self.max_multiplexing:
            print(f"concurrency_modifier comes to {wanted}: deploy with max_multiplexing = {wanted}")

    @fal.endpoint("/")
    async def job(self, job: Job, request: Request, response: Response) -> Done:
        return await self.done(job, request, response)

    @fal.endpoint("/run")
    async def run(self, job: Job, request: Request, response: Response) -> Done:
        return await self.done(job, request, response)

    @fal.endpoint("/runsync")
    async def runsync(self, job: Job, request: Request, response: Response) -> Done:
        return await self.done(job, request, response)

    @fal.endpoint("/stream")
    async def stream(self, job: Job, request: Request) -> StreamingResponse:
        events = self.worker.events({"id": id_of(request), "input": job.input})
        return StreamingResponse(events, media_type="text/event-stream")

    @fal.endpoint("/cancel")
    async def cancel(self, request: Request) -> Cancelled:
        return Cancelled(cancelled=self.worker.cancel(id_of(request)))

    @fal.endpoint("/run/cancel")
    async def cancel_run(self, request: Request) -> Cancelled:
        return Cancelled(cancelled=self.worker.cancel(id_of(request)))

    @fal.endpoint("/runsync/cancel")
    async def cancel_runsync(self, request: Request) -> Cancelled:
        return Cancelled(cancelled=self.worker.cancel(id_of(request)))

    async def done(self, job: Job, request: Request, response: Response) -> Done:
        from runpod.worker import JobCancelled, JobFailed

        try:
            output, refresh = await self.worker.answer({"id": id_of(request), "input": job.input})
        except JobFailed as failure:
            raise HTTPException(500, detail=str(failure)) from failure
        except JobCancelled as cancelled:
            raise HTTPException(499, detail=str(cancelled)) from cancelled
        if refresh:
            response.headers["x-fal-stop-runner"] = "1"  # this runner ends; the result is kept
        return Done(id=id_of(request), output=output)


def id_of(request: Request) -> str:
    return request.headers.get("x-fal-request-id", "")
