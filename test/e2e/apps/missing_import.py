import fal


class Missing(fal.App):
    machine_type = "XS"

    def setup(self) -> None:
        import a_module_that_is_not_there  # noqa: F401

    @fal.endpoint("/")
    def never(self) -> dict:
        return {}
