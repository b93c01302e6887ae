"""Entry points: the package that brings this module is one of the app's requirements."""

import fal
from pydantic import BaseModel


class Wish(BaseModel):
    what: str


class Shop(fal.App):
    machine_type = "XS"

    @fal.endpoint("/buy")
    def buy(self, wish: Wish) -> dict:
        return {"bought": wish.what}


@fal.function(machine_type="XS")
def greet() -> str:
    print("greeting from an entry point")
    return "hello"
