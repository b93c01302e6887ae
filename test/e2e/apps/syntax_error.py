import fal


class Unfinished(fal.App):
    def setup(self -> None:
