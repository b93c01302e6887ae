"""A serialisation method for tests: the "pickle" is Python source that defines `target`."""


def loads(definition):
    names = {"__name__": "app", "__package__": "app"}
    exec(compile(definition, "app.py", "exec"), names)
    return names["target"]
