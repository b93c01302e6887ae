"""Calls an app through its queue with the official Python client: python call.py owner/ocr picture.png"""

import base64
import json
import sys
from pathlib import Path

import fal_client

app, picture = sys.argv[1], Path(sys.argv[2])
image = "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()

result = fal_client.subscribe(app, {"image": image})

print(json.dumps(result, indent=2))
