"""What a runner says when it has no mounts, or cannot have them. That it has them is tested with the backend."""

import json
import unittest

from runner import Runner

ANYTHING = "def target(): print('it ran')"


class WithoutMounts(unittest.TestCase):
    def test_says_why_in_its_log_and_goes_on(self):
        with Runner(ANYTHING, CARRICK_RUNNER_WITHOUT_MOUNTS="There is no /data here") as runner:
            self.assertEqual(runner.exit_code(), 0)
            self.assertIn("There is no /data here\n", runner.stderr)
            self.assertEqual(runner.stdout, "it ran\n")

    def test_ends_with_a_sentence_when_a_mount_would_hide_its_interpreter(self):
        mounts = [{"from": "/", "to": "/usr", "readOnly": False}, {"from": "/", "to": "/root", "readOnly": False}]
        wanted = json.dumps({"root": "/nowhere/root", "layers": "/nowhere/layers", "mounts": mounts})
        with Runner(ANYTHING, CARRICK_RUNNER_MOUNTS=wanted) as runner:
            self.assertEqual(runner.exit_code(), 1)
            self.assertRegex(runner.stderr, "cannot have its own /(usr|root): .* would be hidden")
            self.assertEqual(runner.stdout, "")


if __name__ == "__main__":
    unittest.main()
