"""Submits requests while the server is being killed, and writes down what was acknowledged: one JSON line a request.

submit_many.py LEDGER COUNT: every third request forbids retries. A submit that got no answer is not in the history:
nobody promised anything about it.
"""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import fal_client

ledger, count = sys.argv[1], int(sys.argv[2])
writing = threading.Lock()


def submit(number: int) -> None:
    retries = number % 3 != 0
    headers = {} if retries else {"X-Fal-No-Retry": "1"}
    try:
        handle = fal_client.submit("tester/ledger", {"ledger": ledger, "seconds": 0.05}, headers=headers)
    except Exception:
        return
    with writing:
        print(json.dumps({"request": handle.request_id, "retries": retries}), flush=True)


with ThreadPoolExecutor(8) as pool:
    list(pool.map(submit, range(count)))
