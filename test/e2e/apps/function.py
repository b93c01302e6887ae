import fal
from pydantic import BaseModel


class Sum(BaseModel):
    a: int
    b: int


@fal.function(serve=True, machine_type="XS", keep_alive=2)
def add(sum: Sum) -> dict:
    return {"sum": sum.a + sum.b}
