"""Asks for two GPUs, and for none."""

import fal


class Painter(fal.App):
    machine_type = "GPU-H100"
    num_gpus = 2
    requirements = []
    keep_alive = 600

    @fal.endpoint("/")
    def paint(self, input: dict) -> dict:
        return {}


class Clerk(fal.App):
    machine_type = "S"
    requirements = []
    keep_alive = 600

    @fal.endpoint("/")
    def note(self, input: dict) -> dict:
        return {}
