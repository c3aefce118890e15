"""Where the user's code walks a set or asks for `hash()`: read from the source, not run.

The order of a set of strings cannot be watched from inside Python, so these are
places that *can* depend on the hash seed, in the files the job has loaded.
"""
import ast
import os
import sys

from repro_audit_shim import frames

_HARMLESS = {"sorted", "len", "min", "max", "sum", "any", "all", "set", "frozenset", "isinstance", "bool"}
_WALKS = {"list", "tuple", "enumerate", "iter", "next", "zip", "map", "filter", "dict", "reversed", "array", "tensor",
          "stack", "cat", "extend", "join", "shuffle", "choice", "sample", "fromkeys", "from_iterable", "chain"}
_SET_METHODS = {"union", "intersection", "difference", "symmetric_difference", "copy"}


def user_files():
    """The source files of the user's that this process has loaded."""
    seen = []
    # Python drops the main module's `__file__` before it runs what was left for the exit
    names = [sys.argv[0] if getattr(sys, "argv", None) else None]
    names += [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    for name in names:
        if isinstance(name, str) and name.endswith(".py") and frames.is_user_file(name) and name not in seen:
            seen.append(name)
    return [name for name in seen if os.path.isfile(name)][:200]


def places(names):
    """[(file, line, function, what)...] in the order of the source of these files."""
    found = []
    for name in names:
        try:
            with open(name, "rb") as f:
                tree = ast.parse(f.read(2_000_000), name)
        except (OSError, SyntaxError, ValueError, RecursionError):
            continue
        finder = _Finder()
        finder.visit(tree)
        path = os.path.abspath(name)
        found += [(path, line, function, what) for line, function, what in finder.found]
    return found


class _Finder(ast.NodeVisitor):
    def __init__(self):
        self.found = []
        self.sets = [set()]
        self.attributes = set()
        self.function = ["<module>"]

    def visit_Module(self, node):
        for inner in ast.walk(node):
            if isinstance(inner, ast.Assign) and self.is_set(inner.value):
                for target in inner.targets:
                    if isinstance(target, ast.Attribute):
                        self.attributes.add(target.attr)
        self.learn(node.body)
        self.generic_visit(node)

    def visit_FunctionDef(self, node):
        self.function.append(node.name)
        self.sets.append(set())
        for argument in node.args.args:
            if argument.annotation is not None and "set" in ast.dump(argument.annotation).lower():
                self.sets[-1].add(argument.arg)
        self.learn(node.body)
        self.generic_visit(node)
        self.sets.pop()
        self.function.pop()

    visit_AsyncFunctionDef = visit_FunctionDef

    def learn(self, body):
        """Names in this scope that are given a set somewhere."""
        for _ in range(2):
            for statement in body:
                for node in ast.walk(statement):
                    if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None \
                            and self.is_set(node.value):
                        for target in getattr(node, "targets", None) or [node.target]:
                            if isinstance(target, ast.Name):
                                self.sets[-1].add(target.id)

    def is_set(self, node):
        if isinstance(node, (ast.Set, ast.SetComp)):
            return True
        if isinstance(node, ast.Name):
            return any(node.id in names for names in self.sets)
        if isinstance(node, ast.Attribute):
            return node.attr in self.attributes
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)):
            return self.is_set(node.left) or self.is_set(node.right)
        if isinstance(node, ast.Call):
            name = _called(node)
            if name in ("set", "frozenset"):
                return True
            return name in _SET_METHODS and isinstance(node.func, ast.Attribute) and self.is_set(node.func.value)
        return False

    def note(self, node, what):
        self.found.append((node.lineno, self.function[-1], what))

    def visit_For(self, node):
        if self.is_set(node.iter):
            self.note(node, "walks a set")
        self.generic_visit(node)

    def comprehension(self, node):
        for part in node.generators:
            if self.is_set(part.iter):
                self.note(part.iter, "walks a set")
        self.generic_visit(node)

    visit_ListComp = visit_DictComp = visit_GeneratorExp = comprehension

    def visit_Call(self, node):
        name = _called(node)
        if name == "hash" and isinstance(node.func, ast.Name):
            self.note(node, "asks for hash()")
        elif name == "pop" and isinstance(node.func, ast.Attribute) and self.is_set(node.func.value):
            self.note(node, "takes from a set")
        elif name in _WALKS and any(self.is_set(a) for a in node.args):
            self.note(node, "walks a set")
        if name in _HARMLESS:
            for argument in node.args:
                if not self.is_set(argument) and not isinstance(argument, ast.GeneratorExp):
                    self.visit(argument)
            return
        self.generic_visit(node)

    def visit_Starred(self, node):
        if self.is_set(node.value):
            self.note(node, "walks a set")
        self.generic_visit(node)

    def visit_Assign(self, node):
        for target in node.targets:
            if isinstance(target, ast.Subscript) and "PYTHONHASHSEED" in ast.dump(target):
                self.note(node, "sets PYTHONHASHSEED too late for its own process")
        self.generic_visit(node)


def _called(node):
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", None)
