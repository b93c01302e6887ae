"""A worker as it runs on RunPod. docs/guides/migrate-from-runpod.md makes an app of it."""

import runpod
from runpod.serverless.utils.rp_validator import validate

SCHEMA = {
    "text": {"type": str, "required": True},
    "times": {"type": int, "default": 1, "constraints": lambda times: 1 <= times <= 10},
}


def handler(job):
    checked = validate(job["input"], SCHEMA)
    if "errors" in checked:
        raise ValueError("; ".join(checked["errors"]))
    given = checked["validated_input"]
    for number in range(given["times"]):
        runpod.serverless.progress_update(job, f"{number + 1}/{given['times']}")
        yield f"{given['text']} {number + 1}"


if __name__ == "__main__":
    runpod.serverless.start({"handler": handler, "return_aggregate_stream": True})
