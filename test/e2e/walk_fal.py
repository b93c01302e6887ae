"""Prints every command of the stock `fal` as JSON: its arguments and its flags, as its own parser has them."""

import argparse
import json

from fal.cli.main import _get_main_parser

everywhere = {"-h", "--help", "--debug", "--pdb", "--cprofile", "--host"}  # on every command, most of them not shown
commands = {}


def walk(parser: argparse.ArgumentParser, name: str) -> None:
    nested = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in nested:
        seen = set()
        for word, child in action.choices.items():
            if id(child) not in seen:  # aliases come after the name
                seen.add(id(child))
                walk(child, f"{name} {word}")
    if nested:
        return
    flags, words = [], []
    for action in parser._actions:
        if not action.option_strings:
            words.append(action.metavar or action.dest)
        elif not everywhere & set(action.option_strings):
            flags.append(max(action.option_strings, key=len))
    commands[name] = {"arguments": words, "flags": sorted(flags)}


walk(_get_main_parser(), "fal")
print(json.dumps(commands))
