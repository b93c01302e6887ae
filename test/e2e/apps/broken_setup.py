import fal


class Echo(fal.App):
    machine_type = "XS"

    def setup(self) -> None:
        raise RuntimeError("the weights are missing")

    @fal.endpoint("/")
    def never(self) -> dict:
        return {}
