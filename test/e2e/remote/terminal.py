"""Runs a command at a terminal and types answers: terminal.py '[["prompt", "answer"], …]' COMMAND… What was shown is printed."""

import json
import os
import pty
import sys

answers = json.loads(sys.argv[1])
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
shown = b""
while True:
    try:
        some = os.read(terminal, 4096)
    except OSError:
        break
    if not some:
        break
    shown += some
    if answers and answers[0][0].encode() in shown.split(b"\x00")[-1]:
        os.write(terminal, answers.pop(0)[1].encode() + b"\r")
        shown += b"\x00"
_, status = os.waitpid(child, 0)
print(json.dumps({"code": os.waitstatus_to_exitcode(status), "shown": shown.replace(b"\x00", b"").decode()}))
