"""The bootstrap with what the fal SDK really pickles. Needs an interpreter that has `fal`."""

import signal
import unittest

from runner import Runner

try:
    import falapp
    from fal.api.api import _prepare_partial_func
    from fal.app import wrap_app
    from isolate.connections.common import serialize_object
except ImportError as missing:
    raise unittest.SkipTest(f"no fal here: {missing}")


def pickled(function):
    return serialize_object("cloudpickle", _prepare_partial_func(function.func))


def framed(request_id, line):
    return f"\x1e{request_id}\x1f{line}"


class Fal(unittest.TestCase):
    def test_an_app_serves_tags_its_lines_and_ends_in_order(self):
        with Runner(pickled(wrap_app(falapp.Hello)), "cloudpickle") as runner:
            runner.wait_until_accepting()
            self.assertEqual(runner.post("/", "r-1"), (200, '"thread"'))
            self.assertEqual(runner.post("/loop", "r-2"), (200, '"loop"'))
            self.assertEqual(runner.terminate(), -signal.SIGTERM)
            lines = runner.stdout.split("\n")
        self.assertIn(framed("r-1", "on a thread"), lines)
        self.assertIn(framed("r-2", "on the loop"), lines)
        ours = [line for line in lines if line in ("setup", "handle_exit", "teardown")]
        self.assertEqual(ours, ["setup", "handle_exit", "teardown"])

    def test_a_served_function_serves(self):
        with Runner(pickled(falapp.served), "cloudpickle") as runner:
            runner.wait_until_accepting()
            self.assertEqual(runner.post("/", "r-1"), (200, '"served"'))
            self.assertEqual(runner.terminate(), -signal.SIGTERM)
            self.assertIn(framed("r-1", "served"), runner.stdout.split("\n"))

    def test_what_the_first_request_needs_is_loaded_before_it_comes(self):
        with Runner(pickled(wrap_app(falapp.Ready)), "cloudpickle") as runner:
            runner.wait_until_accepting()
            status, loaded = runner.post("/", "r-1")
        self.assertEqual(status, 200)
        self.assertNotIn("anyio", loaded)

    def test_a_raising_setup_shows_its_traceback_last_and_ends_the_runner(self):
        with Runner(pickled(wrap_app(falapp.Raising)), "cloudpickle") as runner:
            self.assertNotEqual(runner.exit_code(), 0)
            err = runner.stderr
        self.assertIn("in setup\nRuntimeError: no weights", err)
        self.assertEqual(err.count("Traceback"), 1)

    def test_sigterm_during_setup_ends_the_runner_at_once(self):
        with Runner(pickled(wrap_app(falapp.Slow)), "cloudpickle") as runner:
            runner.wait_for_output("setting up")
            self.assertEqual(runner.terminate(), -signal.SIGTERM)


if __name__ == "__main__":
    unittest.main()
