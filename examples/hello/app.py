"""The smallest app: one class, one endpoint."""

import fal
from pydantic import BaseModel


class Greeting(BaseModel):
    name: str = "world"


class Hello(fal.App):
    machine_type = "XS"

    @fal.endpoint("/")
    def greet(self, greeting: Greeting) -> dict:
        print(f"greeting {greeting.name}")
        return {"message": f"Hello, {greeting.name}!"}
