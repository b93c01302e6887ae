"""What a runner was sent before it was told to end is served. Needs an interpreter that has `fal`, which brings uvicorn."""

import os
import signal
import unittest

from runner import Runner

try:
    import falapp
    import uvicorn  # noqa: F401
    from fal.app import wrap_app
    from test_fal import pickled
except ImportError as missing:
    raise unittest.SkipTest(f"no fal here: {missing}")

# A server of the app's own, whose loop stands still at a place until it may go on.
HELD = """
import os, uvicorn
from falapp import hold

async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
        await send({"type": "http.response.body", "body": b"served"})

async def hold_once_started(self):
    hold()

uvicorn.Server.PLACE
def target():
    uvicorn.run(app, host="0.0.0.0", port=int(os.environ["PORT"]), lifespan="off", LOOP)
"""
OPENED = "_log_started_message = hold"
SERVING = "main_loop = hold_once_started"


class Ending(unittest.TestCase):
    def assert_served(self, runner, served):
        """Told to end while it is held, with a request that nobody has read yet."""
        runner.wait_for_output("held")
        answer = runner.send("/", "r-1")
        runner.process.send_signal(signal.SIGTERM)
        with open(os.path.join(runner.folder.name, "go"), "w"):
            pass
        self.assertEqual(answer(), (200, served))
        self.assertEqual(runner.exit_code(), -signal.SIGTERM)

    def test_in_the_moment_after_its_port_opened(self):
        with Runner(pickled(wrap_app(falapp.Held)), "cloudpickle") as runner:
            self.assert_served(runner, '"thread"')

    def test_by_a_server_of_its_own(self):
        for place in (OPENED, SERVING):
            for loop in ("loop='asyncio'", "loop='auto', http='h11'"):
                with self.subTest(place=place, loop=loop):
                    source = HELD.replace("PLACE", place).replace("LOOP", loop)
                    with Runner(source) as runner:
                        self.assert_served(runner, "served")


if __name__ == "__main__":
    unittest.main()
