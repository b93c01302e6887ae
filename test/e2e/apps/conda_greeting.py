"""Tells what it finds in its conda environment, whose channel and packages are said by whoever deploys it."""

import os

import fal

CHANNEL = os.environ.get("CHANNEL", "conda-forge")
PACKAGES = os.environ.get("PACKAGES", "").split(",")


@fal.function("conda", packages=PACKAGES, pip=["six==1.17.0"], channels=[CHANNEL], serve=True, machine_type="XS")
def greet() -> dict:
    import glob
    import os
    import sys

    import six

    known = [os.path.basename(path) for path in glob.glob(os.path.join(sys.prefix, "conda-meta", "*.json"))]
    with open(os.path.join(sys.prefix, "share", "greeting")) as file:
        return {"greeting": file.read(), "known": known, "prefix": sys.prefix, "six": six.__version__}
