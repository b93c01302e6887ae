"""Runs in a finished image, with its Python: says which one that is, and what is installed for it. Standard library only."""

import json
import sys

try:
    from importlib.metadata import distributions
except ImportError:  # 3.7 and older
    distributions = list


def packages():
    for each in distributions():
        name = each.metadata["Name"]
        if name:
            yield [name, each.version or "", each.metadata["License-Expression"] or ""]


def main():
    told = {
        "executable": sys.executable,
        "version": "%d.%d.%d" % sys.version_info[:3],
        "packages": sorted(packages(), key=lambda package: package[0].lower()),
    }
    json.dump(told, sys.stdout)


main()
