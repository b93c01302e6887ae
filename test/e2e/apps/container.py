import fal
from fal.container import ContainerImage


class Container(fal.App):
    machine_type = "XS"
    image = ContainerImage.from_dockerfile_str("FROM python:3.11-slim")

    @fal.endpoint("/")
    def never(self) -> dict:
        return {}
