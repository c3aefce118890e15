"""Generators of the user's own: NumPy's, Python's and torch's, wherever a function that is running holds one.

The frames that save, and those that load, are looked through: their variables,
and what their objects, dictionaries and lists hold.
"""
import sys

from repro_audit_shim import frames

_MOST = 256
_DEEPEST = 3


def states(torch, known):
    """{path: state} of every generator found; those in `known` are others' business."""
    return {path: _get(torch, one) for path, one in _found(torch, known)}


def put(torch, known, value):
    """Puts the states of the same paths back."""
    for path, one in _found(torch, known):
        if path in value:
            _set(torch, one, value[path])


def _found(torch, known):
    seen = {id(one) for one in known}
    kinds = _kinds(torch)
    frame = sys._getframe(1)
    while frame is not None and len(seen) < _MOST:
        if frames.is_user(frame):
            where = frame.f_code.co_name
            for name, value in list(frame.f_locals.items()):
                if not name.startswith("__"):
                    for found in _walk(value, "%s.%s" % (where, name), kinds, seen, 0):
                        yield found
        frame = frame.f_back


def _kinds(torch):
    kinds = [torch.Generator]
    python, numpy = sys.modules.get("random"), sys.modules.get("numpy.random")
    if python is not None:
        kinds.append(python.Random)
    if numpy is not None:
        kinds += [numpy.Generator, numpy.RandomState]
    return tuple(kinds)


def _walk(value, path, kinds, seen, depth):
    if isinstance(value, kinds):
        if id(value) not in seen:
            seen.add(id(value))
            yield path, value
        return
    inside = _inside(value) if depth < _DEEPEST else None
    if not inside or id(value) in seen:
        return
    seen.add(id(value))
    for name, one in inside:
        for found in _walk(one, "%s.%s" % (path, name), kinds, seen, depth + 1):
            yield found


def _inside(value):
    kind = type(value)
    if kind is dict:
        return list(value.items())[:64]
    if kind in (list, tuple):
        return list(enumerate(value[:64]))
    module = sys.modules.get(kind.__module__)
    own = getattr(module, "__file__", None)
    if kind.__module__ == "__main__" or (own and frames.is_user_file(own)):
        return list(getattr(value, "__dict__", {}).items())[:64]
    return None


def _get(torch, one):
    if isinstance(one, torch.Generator):
        return one.get_state()
    if hasattr(one, "bit_generator"):
        return one.bit_generator.state
    return one.getstate() if hasattr(one, "getstate") else one.get_state()


def _set(torch, one, state):
    if isinstance(one, torch.Generator):
        one.set_state(state)
    elif hasattr(one, "bit_generator"):
        one.bit_generator.state = state
    elif hasattr(one, "setstate"):
        one.setstate(state)
    else:
        one.set_state(state)
