#!/usr/bin/env python3
"""Stands in for micromamba, which no package registry has: it takes the same words, and solves and installs by rattler, the conda project's
own library. So channels, packages and environments are real ones. What it does not show is that micromamba takes these words.
"""

import sys

if sys.argv[1:] == ["--version"]:
    print("2.0.5")
    sys.exit()

import argparse
import asyncio
import os

import rattler

parser = argparse.ArgumentParser()
parser.add_argument("command", choices=["create"])
parser.add_argument("--yes", action="store_true", required=True)
parser.add_argument("--root-prefix", required=True)
parser.add_argument("--prefix", required=True)
parser.add_argument("--override-channels", action="store_true", required=True)
parser.add_argument("--channel", action="append", required=True)
parser.add_argument("specs", nargs="+")


async def create(asked):
    print("Solving", *asked.specs, flush=True)
    records = await rattler.solve(
        sources=asked.channel,
        specs=asked.specs,
        platforms=[str(rattler.Platform.current()), "noarch"],
        virtual_packages=rattler.VirtualPackage.detect(),
    )
    for record in records:
        print("Linking", record.file_name, flush=True)
    cache = os.path.join(asked.root_prefix, "pkgs")
    await rattler.install(records, target_prefix=asked.prefix, cache_dir=cache, show_progress=False)


code = 0
try:
    asyncio.run(create(parser.parse_args()))
except Exception as error:
    code = 1
    print(f"critical libmamba {error}", file=sys.stderr)
# Without Python's own end: threads of rattler that are not done by then bring it down in one run of ten.
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)
