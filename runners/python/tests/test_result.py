"""What the bootstrap leaves behind for the caller of a run."""

import json
import os
import pickle
import tempfile
import unittest

from runner import Runner


def left(source, method="pickled_from_source", **variables):
    """Runs a callable for a caller: exit code, the head of its result, and the bytes after it; no head without a result."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "result")
        with Runner(source, method, CARRICK_RESULT=path, CARRICK_RESULT_LIMIT="1000", **variables) as runner:
            code = runner.exit_code()
        if not os.path.exists(path):
            return code, None, b""
        with open(path, "rb") as file:
            head = json.loads(file.readline())
            return code, head, file.read()


class Results(unittest.TestCase):
    def test_what_a_function_returns(self):
        code, head, body = left("def target(): return {'sum': 5}")
        self.assertEqual((code, head["raised"], pickle.loads(body)), (0, False, {"sum": 5}))

    def test_what_a_coroutine_returns(self):
        _, _, body = left("async def target(): return 7")
        self.assertEqual(pickle.loads(body), 7)

    def test_what_it_raises_also_in_words(self):
        _, head, body = left("def target(): raise ValueError('no milk')")
        self.assertEqual(repr(pickle.loads(body)), "ValueError('no milk')")
        self.assertEqual((head["raised"], head["type_name"], head["message"]), (True, "ValueError", "no milk"))
        self.assertIn("ValueError: no milk", head["traceback"])

    def test_what_cannot_be_sent_back_is_an_exception(self):
        for source in ("def target(): return (n for n in ())", "def target(): return b'x' * 2000"):
            _, head, body = left(source)
            self.assertTrue(head["raised"])
            self.assertIn("cannot be sent back", str(pickle.loads(body)))

    def test_an_exit_is_no_result(self):
        self.assertEqual(left("import sys\ndef target(): sys.exit(3)"), (3, None, b""))

    def test_what_cannot_be_loaded_is_said(self):
        _, head, _ = left("import a_module_that_is_not_there")
        self.assertIn("a_module_that_is_not_there", head["unloadable"])


if __name__ == "__main__":
    unittest.main()
