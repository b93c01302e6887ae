"""Says, as JSON, what a Cog predictor takes and gives. It parses the program on stdin and never runs it.

    python3 -I -S read_predictor.py CLASS < predict.py

Exit code 0 with the description on stdout, or 3 with a sentence on stderr. Standard library only.
"""

import ast
import json
import sys

SCALARS = {"str": "str", "int": "int", "float": "float", "bool": "bool", "Path": "path", "File": "file", "Secret": "secret"}
ITERATORS = {"Iterator", "AsyncIterator", "Generator", "AsyncGenerator", "Iterable", "AsyncIterable"}
CONCATENATED = {"ConcatenateIterator", "AsyncConcatenateIterator"}
CONSTRAINTS = {"description", "ge", "le", "min_length", "max_length", "regex", "choices", "deprecated"}
METHODS = ("run", "predict")


class Unreadable(Exception):
    """A sentence for the person whose program it is."""


class Unknown(Exception):
    """An expression whose value only running it would tell."""


class Program:
    def __init__(self, tree):
        self.classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        self.constants = {}
        for node in tree.body:
            self._keep(node)

    def _keep(self, node):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        if len(targets) == 1 and isinstance(targets[0], ast.Name) and node.value is not None:
            self.constants[targets[0].id] = node.value

    def value(self, node, depth=0):
        """What an expression is, as far as it can be told from literals and module constants."""
        if depth > 20:
            raise Unknown
        if isinstance(node, ast.Name) and node.id in self.constants:
            return self.value(self.constants[node.id], depth + 1)
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            return [self.value(each, depth + 1) for each in node.elts]
        if isinstance(node, ast.Dict):
            return {self.value(key, depth + 1): self._or_none(value, depth) for key, value in zip(node.keys, node.values) if key}
        if isinstance(node, ast.Call):
            return self._called(node, depth)
        if isinstance(node, ast.Subscript):
            return self._picked(self.value(node.value, depth + 1), self.value(node.slice, depth + 1))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._sum(self.value(node.left, depth + 1), self.value(node.right, depth + 1))
        try:
            value = ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError):
            raise Unknown from None
        if not isinstance(value, (str, int, float, bool, type(None))):
            raise Unknown
        return value

    def _or_none(self, node, depth):
        try:
            return self.value(node, depth + 1)
        except Unknown:
            return None

    def _sum(self, left, right):
        if type(left) is type(right) and isinstance(left, (str, list)):
            return left + right
        raise Unknown

    def _picked(self, values, key):
        try:
            return values[key]
        except (TypeError, LookupError):
            raise Unknown from None

    def _called(self, node, depth):
        """`list(X)`, `sorted(X)`, `X.keys()`: how choices are usually written."""
        name = name_of(node.func)
        if isinstance(node.func, ast.Attribute) and name == "keys" and not node.args:
            return list(self._dict(node.func.value, depth))
        if isinstance(node.func, ast.Name) and name in ("list", "tuple", "sorted") and len(node.args) == 1 and not node.keywords:
            values = self.value(node.args[0], depth + 1)
            if isinstance(values, (list, dict)):
                return sorted(values) if name == "sorted" else list(values)
        raise Unknown

    def _dict(self, node, depth):
        value = self.value(node, depth + 1)
        if isinstance(value, dict):
            return value
        raise Unknown

    def method(self, owner, names):
        """The first of the methods that a class or its bases in this file have."""
        for node in owner.body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name in names:
                return node
        for base in owner.bases:
            above = self.classes.get(name_of(base) or "")
            if above is not None and above is not owner:
                found = self.method(above, names)
                if found is not None:
                    return found
        return None

    def type(self, node):
        """A type as far as an app needs it: {kind}, with `of`, `values` or `name`."""
        if node is None:
            return {"kind": "any"}
        if isinstance(node, ast.Constant):
            return self._constant(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return self._union([node.left, node.right])
        if isinstance(node, ast.Subscript):
            return self._generic(node)
        name = name_of(node)
        if name in SCALARS:
            return {"kind": SCALARS[name]}
        if name in ITERATORS or name in CONCATENATED:
            return {"kind": "iterator", "of": {"kind": "str" if name in CONCATENATED else "any"}}
        if name in ("list", "List"):
            return {"kind": "list", "of": {"kind": "any"}}
        if name in ("dict", "Dict"):
            return {"kind": "dict"}
        if name in self.classes:
            return {"kind": "model", "name": name}
        return {"kind": "any"}

    def _constant(self, node):
        if node.value is None:
            return {"kind": "none"}
        if isinstance(node.value, str):  # "Output": written as a text
            try:
                return self.type(ast.parse(node.value, mode="eval").body)
            except SyntaxError:
                return {"kind": "any"}
        return {"kind": "any"}

    def _union(self, members):
        types = [self.type(each) for each in members]
        others = [each for each in types if each["kind"] != "none"]
        if len(others) == 1 and len(types) == 2:
            return others[0] if others[0]["kind"] == "optional" else {"kind": "optional", "of": others[0]}
        return {"kind": "any"}

    def _generic(self, node):
        name, inner = name_of(node.value), node.slice
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if name == "Optional":
            return {"kind": "optional", "of": self.type(parts[0])}
        if name == "Union":
            return self._union(parts)
        if name in ("list", "List", "Sequence", "tuple", "Tuple", "set", "Set"):
            return {"kind": "list", "of": self.type(parts[0])}
        if name in ("dict", "Dict", "Mapping"):
            return {"kind": "dict"}
        if name in ITERATORS:
            return {"kind": "iterator", "of": self.type(parts[0])}
        if name in CONCATENATED:
            return {"kind": "iterator", "of": {"kind": "str"}}
        if name == "Literal":
            return {"kind": "literal", "values": [self.value(each) for each in parts]}
        if name == "Annotated":
            return self.type(parts[0])
        return {"kind": "any"}

    def input(self, argument, default):
        described = {"name": argument.arg, "type": self.type(argument.annotation), "constraints": {}, "unread": []}
        if default is None:
            return described
        if not (isinstance(default, ast.Call) and name_of(default.func) == "Input"):
            self._set_default(described, default)
            return described
        for position, value in enumerate(default.args[:1]):
            self._set_default(described, value)
        for keyword in default.keywords:
            if keyword.arg == "default":
                self._set_default(described, keyword.value)
            elif keyword.arg in CONSTRAINTS:
                self._set_constraint(described, keyword)
            else:
                described["unread"].append({"what": keyword.arg or "**", "source": ast.unparse(keyword.value)})
        return described

    def _set_default(self, described, node):
        described["optional"] = True
        try:
            described["default"] = self.value(node)
        except Unknown:
            described["unread"].append({"what": "default", "source": ast.unparse(node)})

    def _set_constraint(self, described, keyword):
        try:
            value = self.value(keyword.value)
        except Unknown:
            described["unread"].append({"what": keyword.arg, "source": ast.unparse(keyword.value)})
            return
        if value is not None:
            described["constraints"][keyword.arg] = list(value) if isinstance(value, dict) else value

    def inputs(self, function):
        arguments = function.args
        if arguments.vararg or arguments.kwarg:
            raise Unreadable(f"{function.name} takes *args or **kwargs, so nothing says what its inputs are called")
        plain = arguments.posonlyargs + arguments.args
        defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
        pairs = list(zip(plain, defaults))[1:] + list(zip(arguments.kwonlyargs, arguments.kw_defaults))
        return [self.input(argument, default) for argument, default in pairs]

    def fields(self, name):
        model = self.classes[name]
        return [
            {"name": node.target.id, "type": self.type(node.annotation), "optional": node.value is not None}
            for node in model.body
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        ]

    def models(self, type_, found=None):
        """Every class of this file that a type is made of, the inner ones first."""
        found = {} if found is None else found
        if type_["kind"] == "model" and type_["name"] not in found:
            fields = self.fields(type_["name"])
            found[type_["name"]] = None
            for field in fields:
                self.models(field["type"], found)
            del found[type_["name"]]
            found[type_["name"]] = fields
        elif "of" in type_:
            self.models(type_["of"], found)
        return found


def name_of(node):
    """`Path` of `Path` and of `cog.Path`."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None


def concurrency(function):
    """The number in Cog's `@concurrent(max=N)`."""
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and name_of(decorator.func) == "concurrent":
            for keyword in decorator.keywords:
                if keyword.arg == "max" and isinstance(keyword.value, ast.Constant):
                    return keyword.value.value
    return None


def described(source, wanted):
    program = Program(ast.parse(source))
    if wanted not in program.classes:
        there = ", ".join(program.classes) or "none"
        raise Unreadable(f"it has no class {wanted}; the classes there are: {there}")
    owner = program.classes[wanted]
    function = program.method(owner, METHODS)
    if function is None:
        raise Unreadable(f"the class {wanted} has neither a method predict nor run in this file")
    setup = program.method(owner, ("setup",))
    output = program.type(function.returns)
    return {
        "className": wanted,
        "method": function.name,
        "doc": ast.get_docstring(function) or ast.get_docstring(owner),
        "isAsync": isinstance(function, ast.AsyncFunctionDef),
        "takesWeights": setup is not None and len(setup.args.args) > 1,
        "hasHealthCheck": program.method(owner, ("healthcheck",)) is not None,
        "concurrency": concurrency(function),
        "inputs": program.inputs(function),
        "output": output,
        "models": [{"name": name, "fields": fields} for name, fields in program.models(output).items()],
    }


def main():
    try:
        print(json.dumps(described(sys.stdin.buffer.read(), sys.argv[1]), allow_nan=False))
    except Unreadable as reason:
        sys.exit(refuse(str(reason)))
    except SyntaxError as error:
        sys.exit(refuse(f"line {error.lineno or 1}: {error.msg}"))
    except (ValueError, RecursionError, UnicodeDecodeError) as error:
        sys.exit(refuse(f"it is no Python program that can be read: {error}"))


def refuse(reason):
    print(reason, file=sys.stderr)
    return 3


if __name__ == "__main__":
    main()
