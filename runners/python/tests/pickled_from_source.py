"""Reads callables from source text, and writes results as pickles do."""

from pickle import dumps  # noqa: F401

from from_source import loads  # noqa: F401
