"""Runs our code right after the job itself imports a library.

One finder at the head of `sys.meta_path`; a name nobody asked for costs a
dictionary lookup. We import nothing: where a library is never imported, the
callback never runs.
"""
import sys

from repro_audit_shim import core

_wanted = {}


class _Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in _wanted:
            return None
        for finder in sys.meta_path:
            if finder is _Finder:
                continue
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find else None
            if spec is not None:
                _watch(spec, name)
                return spec
        return None

    @staticmethod
    def invalidate_caches():
        return None


def _watch(spec, name):
    """Adds our callbacks behind the loader's own work, on this loader object only."""
    loader = spec.loader
    original = getattr(loader, "exec_module", None)
    if original is None or isinstance(loader, type):
        return

    def exec_module(module):
        original(module)
        _run(name, module)

    try:
        loader.exec_module = exec_module
    except AttributeError:
        pass


def _run(name, module):
    for callback in list(_wanted.get(name, ())):
        if not core.over(callback.__module__):
            _call(callback, name, module)


def _call(callback, name, module):
    try:
        callback(module)
    except Exception as error:
        core.fault("hook of " + name, error, callback.__module__)


def after_import(name, callback):
    """Calls `callback(module)` now if `name` is loaded, and after each (re)load."""
    if not _wanted:
        sys.meta_path.insert(0, _Finder)
    _wanted.setdefault(name, []).append(callback)
    module = sys.modules.get(name)
    if module is not None and not getattr(getattr(module, "__spec__", None), "_initializing", False):
        _call(callback, name, module)
