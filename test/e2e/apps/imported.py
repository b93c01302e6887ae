"""Runs in an image whose name is said by whoever deploys it."""

import os

import fal
from fal.container import ContainerImage

IMAGE = os.environ.get("IMAGE", "scratch")


class Imported(fal.App):
    machine_type = "XS"
    image = ContainerImage.from_dockerfile_str(f"FROM {IMAGE}\nENV FROM_IMAGE={IMAGE}")

    @fal.endpoint("/")
    def say(self, input: dict) -> dict:
        return {"image": os.environ.get("FROM_IMAGE"), "said": input.get("say")}
