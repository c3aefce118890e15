"""Runs the sitecustomize that Python would have found without us."""
import os
import sys


def run_next(own_file):
    """Finds the next `sitecustomize` on the path and executes it in our place.

    Only the frozen import machinery is used: importlib.util would cost 4 ms in
    every interpreter. An exception of the other module passes through, so that
    Python reports it in its usual words.
    """
    own = os.path.dirname(os.path.abspath(own_file))
    sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") != own]
    finder = sys.modules["_frozen_importlib_external"].PathFinder
    spec = finder.find_spec("sitecustomize", sys.path)
    if spec is None or spec.loader is None:
        return
    module = sys.modules["_frozen_importlib"].module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)
