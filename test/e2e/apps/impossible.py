import fal


class Impossible(fal.App):
    machine_type = "XS"
    requirements = ["idna==999.0"]

    @fal.endpoint("/")
    def never(self) -> dict:
        return {}
