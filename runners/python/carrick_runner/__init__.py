"""Carrick's bootstrap inside a Python runner: it loads one pickled callable and serves it. Standard library only."""
