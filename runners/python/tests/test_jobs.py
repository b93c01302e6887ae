"""The runner that calls functions for the platform, one at a time."""

import http.client
import json
import pickle
import signal
import threading
import unittest

from runner import PATIENCE, Runner

KEY = "the word"


class Host(Runner):
    def __init__(self):
        super().__init__("", CARRICK_ENTRYPOINT="carrick_runner.jobs:serve", CARRICK_METHOD="pickle", CARRICK_JOB_KEY=KEY)

    def __enter__(self):
        self.wait_until_accepting()
        return self

    def call(self, function, setup="", key=KEY, limit=1000):
        """The head of the result, and the bytes after it."""
        method = "pickled_from_source"
        head = {"method": method, "function_bytes": len(function), "setup_method": method, "mark": "MARK", "limit": limit}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        body = json.dumps(head) + "\n" + function + setup
        connection.request("POST", "/", body=body.encode(), headers={"authorization": f"Carrick {key}"})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if answer.status != 200:
            return answer.status, content
        end = content.index(b"\n")
        return json.loads(content[:end]), content[end + 1 :]


class Jobs(unittest.TestCase):
    def test_one_process_calls_one_function_after_the_other_on_its_main_thread(self):
        source = (
            "import os, threading\n"
            "def target(): return os.getpid(), threading.current_thread() is threading.main_thread()"
        )
        with Host() as host:
            values = [pickle.loads(host.call(source)[1]) for _ in range(2)]
            self.assertEqual(values, [(host.process.pid, True)] * 2)

    def test_a_setup_function_is_called_once_and_another_takes_its_place(self):
        setup = "import threading\ndef target():\n    print('setting up')\n    return threading.Lock(), {n}"
        function = "def target(given): return given[1]"
        with Host() as host:
            values = [pickle.loads(host.call(function, setup.format(n=n))[1]) for n in (1, 1, 2, 2, 1)]
            self.assertEqual(values, [1, 1, 2, 2, 1])
            host.terminate()
            self.assertEqual(host.stdout.count("setting up"), 3)

    def test_a_setup_function_that_raises_is_called_again(self):
        setup = "def target(): raise ValueError('no weights')"
        with Host() as host:
            for _ in range(2):
                self.assertEqual(host.call("def target(given): pass", setup)[0]["message"], "no weights")

    def test_what_is_raised_and_what_cannot_be_loaded_come_back_and_the_next_call_works(self):
        with Host() as host:
            self.assertTrue(host.call("def target(): raise KeyError('milk')")[0]["raised"])
            self.assertIn("not_there", host.call("import not_there")[0]["unloadable"])
            self.assertEqual(pickle.loads(host.call("async def target(): return 7")[1]), 7)

    def test_a_result_has_a_limit(self):
        with Host() as host:
            _, body = host.call("def target(): return b'x' * 2000")
            self.assertIn("bytes, and 1000 are allowed", str(pickle.loads(body)))

    def test_whoever_does_not_know_the_word_is_refused(self):
        with Host() as host:
            self.assertEqual(host.call("def target(): print('called')", key="another")[0], 403)
            host.terminate()
            self.assertNotIn("called", host.stdout)

    def test_a_mark_ends_what_a_call_printed_on_both_streams(self):
        source = "import sys\ndef target():\n    print('out', end='')\n    print('err', end='', file=sys.stderr)"
        with Host() as host:
            host.call(source)
            host.call("def target(): print('next')")
            host.terminate()
            self.assertEqual(host.stdout, "out\nMARK\nnext\nMARK\n")
            self.assertEqual(host.stderr, "err\nMARK\nMARK\n")

    def test_an_exit_ends_the_process_with_its_code(self):
        with Host() as host:
            with self.assertRaises((http.client.HTTPException, OSError)):
                host.call("import sys\ndef target(): sys.exit(3)")
            self.assertEqual(host.exit_code(), 3)

    def test_sigterm_waits_for_the_call(self):
        with Host() as host:
            answers = []
            source = "import time\ndef target():\n    print('begun')\n    time.sleep(0.5)\n    return 'done'"
            caller = threading.Thread(target=lambda: answers.append(host.call(source)))
            caller.start()
            host.wait_for_output("begun")
            host.process.send_signal(signal.SIGTERM)
            caller.join(PATIENCE)
            self.assertEqual(pickle.loads(answers[0][1]), "done")
            self.assertEqual(host.exit_code(), 143)

    def test_sigterm_between_calls_ends_it_at_once(self):
        with Host() as host:
            self.assertEqual(host.terminate(), 143)


if __name__ == "__main__":
    unittest.main()
