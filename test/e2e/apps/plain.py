"""Says nothing about itself: all that a table in pyproject.toml says of it counts."""

import fal


class Plain(fal.App):
    @fal.endpoint("/")
    def say(self, words: dict) -> dict:
        print(f"saying {words}", flush=True)
        return words
