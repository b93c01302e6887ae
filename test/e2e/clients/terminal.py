"""Runs the stock `fal` on a terminal of 33 rows and 111 columns and acts on what it shows.

Arguments: a JSON list of steps, then those of `fal`. A step waits for `see` to stand on the screen after what former
steps saw, then does `type`, `resize` and `kill`. Prints {"code", "text"} as JSON when the command has ended.
"""

import fcntl
import json
import os
import pty
import signal
import struct
import sys
import termios

steps = json.loads(sys.argv[1])
fal = os.path.join(os.path.dirname(sys.executable), "fal")
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 111, 0, 0))
    os.execv(fal, [fal, *sys.argv[2:]])

text, seen = "", 0
while True:
    try:
        chunk = os.read(terminal, 65536)
    except OSError:
        chunk = b""
    if not chunk:
        break
    text += chunk.decode(errors="replace")
    while steps and (at := text.find(steps[0]["see"], seen)) >= 0:
        step = steps.pop(0)
        seen = at + len(step["see"])
        if "type" in step:
            os.write(terminal, step["type"].encode())
        if "kill" in step:
            os.kill(pid, signal.SIGKILL)
        if "resize" in step:
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *step["resize"], 0, 0))
print(json.dumps({"code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), "text": text}))
