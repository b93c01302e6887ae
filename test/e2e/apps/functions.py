"""What the run tests call: functions that return, raise, die, take their time; and what they leave behind."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time

import fal


class Spoilt(Exception):
    """Nobody else has this class."""

    def __init__(self, what: str, grams: int) -> None:
        super().__init__(what, grams)
        self.grams = grams


@fal.function(machine_type="XS", keep_alive=1)
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
def sleeper() -> int:
    print("sleeping in", os.environ["FAL_JOB_ID"])
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


def open_lock():
    """What it returns cannot be pickled."""
    print("opening the lock")
    return threading.Lock()


@fal.function(machine_type="XS", keep_alive=60, setup_function=open_lock)
def reuse(lock) -> dict:
    with lock:
        return {"runner": os.environ["FAL_JOB_ID"], "thread": threading.current_thread() is threading.main_thread()}


@fal.function(machine_type="XS", keep_alive=60)
def die_once(how: str) -> str:
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exit":
        os._exit(7)
    return os.environ["FAL_JOB_ID"]


@fal.function(machine_type="XS")
async def later(value: int) -> int:
    await asyncio.sleep(0)
    return value


@fal.function(machine_type="XS")
def speak() -> str:
    thread = threading.Thread(target=print, args=("from a thread",))
    thread.start()
    thread.join()
    subprocess.run([sys.executable, "-c", "print('from a child', end='')"], check=True)
    print("without an end", end="")
    return "spoken"


@fal.function(machine_type="XS")
def secret() -> str:
    print("the app is", os.environ["FAL_APP_NAME"])
    print("the token is", os.environ.get("TOKEN", "missing")[::-1])
    return "told"


@fal.function(machine_type="XS", requirements=["colorama==0.4.6"])
def coloured() -> str:
    import colorama

    return colorama.__version__
