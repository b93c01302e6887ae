"""What the run tests call: functions that return, raise, die, take their time; and what they leave behind."""

import os
import signal
import sys
import time

import fal


class Spoilt(Exception):
    """Nobody else has this class."""

    def __init__(self, what: str, grams: int) -> None:
        super().__init__(what, grams)
        self.grams = grams


@fal.function(machine_type="XS")
def add(a: int = 2, b: int = 3) -> int:
    print(f"adding {a} and {b}")
    return a + b


@fal.function(machine_type="XS")
def large(bytes: int) -> bytes:
    return os.urandom(1) * bytes


@fal.function(machine_type="XS")
def spoil() -> None:
    try:
        {}["milk"]
    except KeyError as error:
        raise Spoilt("milk", 250) from error


@fal.function(machine_type="XS")
def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@fal.function(machine_type="XS")
def leave() -> None:
    print("the last words", file=sys.stderr, flush=True)
    os._exit(3)


@fal.function(machine_type="XS")
def echo_slowly(text: str, seconds: float) -> str:
    print(f"hearing {text}")
    time.sleep(seconds)
    return text


@fal.function(machine_type="XS", request_timeout=2)
def too_slow() -> None:
    time.sleep(600)


@fal.function(machine_type="XS")
def unsendable():
    return (number for number in range(3))


@fal.function(machine_type="XS")
def process_id() -> int:
    print("sleeping in", os.getpid())
    time.sleep(600)
    return 0


def weigh() -> int:
    print("weighing")
    return 40


@fal.function(machine_type="XS", setup_function=weigh)
def weighed(kilos: int, more: int = 2) -> int:
    return kilos + more


@fal.function(machine_type="XS")
def lacking() -> str:
    import a_module_that_is_not_there

    return a_module_that_is_not_there.__name__
