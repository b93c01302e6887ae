/** Runs what it is sent in a process of its own, and answers what that printed. */
export const cell = `
import http.server, subprocess, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b'a neighbour')
    def do_POST(self):
        code = self.rfile.read(int(self.headers['content-length']))
        done = subprocess.run([sys.executable, '-c', code.decode()], capture_output=True, timeout=50)
        self.send_response(200); self.end_headers(); self.wfile.write(done.stdout + done.stderr)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(('0.0.0.0', 8080), Handler).serve_forever()`

/** What attempts are written with. */
export const tools = `
import ctypes, errno, os, platform, socket
libc = ctypes.CDLL(None, use_errno=True)
def tries(what, *arguments):
    try: return what(*arguments)
    except OSError as error: return errno.errorcode.get(error.errno, str(error))
def calls(name, *arguments):
    if getattr(libc, name)(*arguments) >= 0: return 'done'
    return errno.errorcode[ctypes.get_errno()]
numbers = {'add_key': (248, 217), 'keyctl': (250, 219), 'bpf': (321, 280), 'perf_event_open': (298, 241),
  'init_module': (175, 105), 'kexec_load': (246, 104), 'open_by_handle_at': (304, 265), 'userfaultfd': (323, 282),
  'clock_settime': (227, 112), 'swapon': (167, 224), 'reboot': (169, 142), 'pivot_root': (155, 41), 'setns': (308, 268),
  'unshare': (272, 97), 'mount': (165, 40), 'acct': (163, 89), 'io_uring_setup': (425, 425)}
def system(name, *arguments):
    number = numbers[name][platform.machine() == 'aarch64']
    if libc.syscall(number, *arguments) >= 0: return 'done'
    return errno.errorcode[ctypes.get_errno()]
def connects(host, port):
    try:
        with socket.create_connection((host, port), 3): return 'connected'
    except OSError: return 'refused'
`
