"""Says which GPUs and region its runner has."""

import os
import time

import fal
from pydantic import BaseModel


class Wait(BaseModel):
    seconds: float = 0.0


def here() -> dict:
    return {
        "runner": os.environ["FAL_JOB_ID"],
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "order": os.environ.get("CUDA_DEVICE_ORDER"),
        "region": os.environ["FAL_REGION"],
    }


class OnGpu(fal.App):
    machine_type = "GPU-H100"
    keep_alive = 600
    requirements = []

    @fal.endpoint("/")
    def where(self, asked: Wait) -> dict:
        time.sleep(asked.seconds)
        return here()


class Anywhere(fal.App):
    machine_type = ["GPU-B200", "GPU-H100", "M"]
    keep_alive = 600
    requirements = []

    @fal.endpoint("/")
    def where(self, asked: Wait) -> dict:
        return here()


class OnB200(fal.App):
    machine_type = "GPU-B200"
    requirements = []

    @fal.endpoint("/")
    def where(self, asked: Wait) -> dict:
        return here()


@fal.function("virtualenv", machine_type="GPU-B200", requirements=[])
def on_b200() -> None:
    print("ran")
