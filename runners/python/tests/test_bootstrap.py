"""What the bootstrap promises to any callable."""

import json
import os
import signal
import sys
import unittest

from runner import Runner


RETURNED = (
    "The function returned, so this runner ends and the result is dropped. "
    "A deployed function must keep serving on its port.\n"
)


def ran(source, **variables):
    """Runs a callable to its end: exit code, standard output, standard error."""
    with Runner(source, **variables) as runner:
        return runner.exit_code(), runner.stdout, runner.stderr


class Calling(unittest.TestCase):
    def test_a_callable_gets_the_ports_it_accepts_and_no_others(self):
        code, out, _ = ran(
            "import functools, os\n"
            "def inner(*, exposed_port=None): print(exposed_port == int(os.environ['PORT']))\n"
            "@functools.wraps(inner)\n"
            "def target(*args, **named): inner(*args, **named)\n"
        )
        self.assertEqual((code, out), (0, "True\n"))

    def test_an_entry_point_is_imported_and_called(self):
        with Runner("", CARRICK_ENTRYPOINT="from_source:loads.nothing") as runner:
            self.assertEqual(runner.exit_code(), 1)
            self.assertIn("entry point from_source:loads.nothing could not be loaded", runner.stderr)
        with Runner("", CARRICK_ENTRYPOINT="this.module:is_not") as runner:
            self.assertEqual(runner.exit_code(), 1)
            self.assertIn("Add the package that brings it", runner.stderr)
        with Runner("", CARRICK_ENTRYPOINT="os:getcwd") as runner:
            self.assertEqual(runner.exit_code(), 0)

    def test_a_callable_object_gets_both_ports_and_its_coroutine_is_awaited(self):
        code, out, _ = ran(
            "import os\n"
            "class Served:\n"
            "    async def __call__(self, *args, exposed_port=None, exposed_metrics_port=None, **named):\n"
            "        print(exposed_port, exposed_metrics_port, named)\n"
            "target = Served()\n",
            PORT="8123",
            METRICS_PORT="9123",
        )
        self.assertEqual((code, out), (0, "8123 9123 {}\n"))

    def test_one_that_binds_a_port_of_its_own_is_told_when_runners_share_a_network(self):
        told = {"CARRICK_RUNNER_SHARED_PORT": "one at a time"}
        self.assertEqual(ran("def target(): print('called')", **told)[1:], ("called\n", "one at a time\n" + RETURNED))
        self.assertEqual(ran("def target(exposed_port): pass", **told)[2], RETURNED)

    def test_a_function_that_returns_ends_the_runner_and_its_author_is_told(self):
        code, _, err = ran("def target(): return 42")
        self.assertEqual(code, 0)
        self.assertIn("must keep serving", err)

    def test_it_runs_on_the_main_thread_as_an_isolate_agent(self):
        source = (
            "import os, threading\n"
            "agent = os.environ['IS_ISOLATE_AGENT']\n"
            "def target(): print(agent, threading.current_thread() is threading.main_thread())\n"
        )
        self.assertEqual(ran(source)[1], "1 True\n")

    def test_neither_our_modules_nor_the_working_folder_are_on_the_path_of_the_app(self):
        source = "def target():\n    import json, sys, __main__\n    print(json.dumps([sys.path, hasattr(__main__, 'isolate_log_context')]))"
        path, has_context = json.loads(ran(source)[1])
        self.assertTrue(has_context)
        self.assertNotIn("", path)
        self.assertEqual([entry for entry in path if entry.endswith(("carrick_runner", os.path.join("runners", "python")))], [])


class Failing(unittest.TestCase):
    def test_a_missing_module_is_named(self):
        code, _, err = ran("import left_pad")
        self.assertEqual(code, 1)
        self.assertIn("no module named 'left_pad'", err)
        self.assertIn('File "app.py", line 1', err)

    def test_another_python_is_refused_in_one_clear_sentence(self):
        code, _, err = ran("def target(): pass", CARRICK_PYTHON="3.4.1")
        self.assertEqual(code, 1)
        self.assertIn("packaged by Python 3.4, but its runner has Python %d.%d" % sys.version_info[:2], err)
        self.assertNotIn("Traceback", err)

    def test_a_raising_callable_shows_its_own_traceback_without_ours(self):
        code, _, err = ran("def target():\n    raise RuntimeError('no weights')")
        self.assertEqual(code, 1)
        self.assertIn('File "app.py", line 2, in target', err)
        self.assertTrue(err.endswith("RuntimeError: no weights\n"))
        self.assertNotIn("carrick_runner", err)

    def test_the_wrapping_of_the_sdk_is_taken_off(self):
        code, _, err = ran(
            "class UserFunctionException(Exception): pass\n"
            "def target():\n"
            "    try: raise KeyError('weights')\n"
            "    except KeyError as error: raise UserFunctionException('uncaught') from error\n"
        )
        self.assertEqual(code, 1)
        self.assertIn("KeyError: 'weights'", err)
        self.assertNotIn("UserFunctionException", err)

    def test_a_failure_ends_the_runner_although_threads_go_on(self):
        code, _, err = ran(
            "import threading, time\n"
            "def target():\n"
            "    threading.Thread(target=time.sleep, args=(3600,)).start()\n"
            "    raise ValueError('late')\n"
        )
        self.assertEqual(code, 1)
        self.assertIn("ValueError: late", err)

    def test_an_exit_code_is_kept(self):
        self.assertEqual(ran("import sys\ndef target(): sys.exit(3)")[0], 3)

    def test_sigterm_while_loading_ends_it_at_once(self):
        with Runner("import time\nprint('loading')\ntime.sleep(3600)") as runner:
            runner.wait_for_output("loading")
            self.assertEqual(runner.terminate(), -signal.SIGTERM)


class Writing(unittest.TestCase):
    def written(self, body):
        source = (
            "import asyncio, os, sys, threading\n"
            "from __main__ import isolate_log_context as context\n"
            "def target():\n" + "".join(f"    {line}\n" for line in body.splitlines())
        )
        code, out, err = ran(source)
        self.assertEqual(code, 0, err)
        return out

    def test_lines_carry_the_request_that_is_served(self):
        out = self.written("print('before')\ncontext.set({'fal_request_id': 'r-1'})\nprint('during')\nprint()")
        self.assertEqual(out, "before\n\x1er-1\x1fduring\n\x1er-1\x1f\n")

    def test_lines_of_requests_that_run_at_the_same_time_do_not_mix(self):
        out = self.written(
            "async def request(name):\n"
            "    context.set({'fal_request_id': name})\n"
            "    for part in 'abc':\n"
            "        print(part, end='', flush=True)\n"
            "        await asyncio.sleep(0)\n"
            "    print()\n"
            "async def both(): await asyncio.gather(request('1'), request('2'))\n"
            "asyncio.run(both())"
        )
        self.assertEqual(sorted(out.split("\n")), ["", "\x1e1\x1fabc", "\x1e2\x1fabc"])

    def test_threads_write_whole_lines(self):
        out = self.written(
            "def write():\n"
            "    for _ in range(200): print('a' * 500, 'b' * 500)\n"
            "threads = [threading.Thread(target=write) for _ in range(4)]\n"
            "for each in threads: each.start()\n"
            "for each in threads: each.join()"
        )
        self.assertEqual(set(out.splitlines()), {"a" * 500 + " " + "b" * 500})
        self.assertEqual(len(out.splitlines()), 800)

    def test_a_line_without_an_end_is_not_lost(self):
        self.assertEqual(self.written("print('a', end='')"), "a\n")

    def test_what_was_flushed_is_not_lost_when_it_is_killed(self):
        code, out, _ = ran(
            "import os, signal\n"
            "def target():\n"
            "    print('loading ', end='', flush=True)\n"
            "    print('the weights', end='', flush=True)\n"
            "    os.kill(os.getpid(), signal.SIGKILL)"
        )
        self.assertEqual((code, out), (-signal.SIGKILL, "loading the weights"))

    def test_a_line_that_is_flushed_before_its_end_stays_one_line_unless_others_write_meanwhile(self):
        out = self.written(
            "print('one', end='', flush=True)\n"
            "print(' line')\n"
            "print('half', end='', flush=True)\n"
            "other = threading.Thread(target=print, args=('another',))\n"
            "other.start()\n"
            "other.join()\n"
            "print(' and half')"
        )
        self.assertEqual(out, "one line\nhalf\nanother\n and half\n")

    def test_a_progress_bar_is_a_line_for_each_picture(self):
        self.assertEqual(self.written("for at in '123': print('\\r' + at, end='')\nprint()"), "1\n2\n3\n")

    def test_a_long_line_comes_in_pieces_that_all_carry_the_request(self):
        lines = self.written("context.set({'fal_request_id': 'r'})\nprint('x' * 150_000)").strip("\n").split("\n")
        self.assertEqual({line[:3] for line in lines}, {"\x1er\x1f"})
        self.assertEqual("".join(line[3:] for line in lines), "x" * 150_000)

    def test_text_that_looks_like_a_frame_is_text(self):
        self.assertEqual(self.written("print('\\x1er-2\\x1fforged')"), "\x1e\x1f\x1er-2\x1fforged\n")

    def test_the_streams_stay_files(self):
        out = self.written(
            "print(sys.stdout.fileno(), sys.stderr.fileno(), sys.stdout.isatty(), sys.stdout.encoding)\n"
            "sys.stdout.buffer.write(b'bytes\\n'); sys.stdout.flush()\n"
            "os.write(1, b'descriptor\\n')\n"
            "print('\\udcff')"
        )
        self.assertEqual(out, "1 2 False utf-8\nbytes\ndescriptor\n\\udcff\n")

    def test_a_reader_that_went_away_does_not_fail_the_app(self):
        code, _, err = ran(
            "import os\n"
            "def target():\n"
            "    read, write = os.pipe(); os.dup2(write, 1); os.close(write); os.close(read)\n"
            "    for _ in range(3): print('nobody reads this', flush=True)\n"
        )
        self.assertEqual(code, 0, err)


class Listening(unittest.TestCase):
    def test_wildcard_servers_listen_on_loopback_only(self):
        code, out, err = ran(
            "import asyncio, os, socket\n"
            "def target():\n"
            "    port = int(os.environ['PORT'])\n"
            "    server = socket.socket(); server.bind(('', port)); print(server.getsockname()[0]); server.close()\n"
            "    async def serve():\n"
            "        server = await asyncio.start_server(print, '0.0.0.0', port)\n"
            "        print(server.sockets[0].getsockname()[0])\n"
            "    asyncio.run(serve())\n"
            "    if socket.has_ipv6:\n"
            "        server = socket.socket(socket.AF_INET6)\n"
            "        try: server.bind(('::', port))\n"
            "        except OSError: print('::1')\n"
            "        else: print(server.getsockname()[0])\n"
        )
        self.assertEqual((code, out), (0, "127.0.0.1\n127.0.0.1\n::1\n"), err)

    def test_other_binds_are_as_they_were_asked_for(self):
        code, out, err = ran(
            "import os, socket\n"
            "def target():\n"
            "    for kind, address in [(socket.SOCK_STREAM, ('127.0.0.2', 0)), (socket.SOCK_STREAM, ('', 0)), (socket.SOCK_DGRAM, ('', 0))]:\n"
            "        with socket.socket(type=kind) as each:\n"
            "            each.bind(address)\n"
            "            print(each.getsockname()[0])\n"
        )
        self.assertEqual((code, out), (0, "127.0.0.2\n0.0.0.0\n0.0.0.0\n"), err)


if __name__ == "__main__":
    unittest.main()
