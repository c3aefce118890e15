"""Whose code is calling: the user's, or a library's?"""
import os
import sys

_OWN = os.path.dirname(__file__)
_DOOR = os.path.dirname(_OWN)
_GO_BETWEENS = ("/torch/_compile.py", "/torch/_dynamo/eval_frame.py", "/functools.py")
_STDLIB = os.path.dirname(os.path.abspath(os.__file__))
_BIN = os.path.dirname(os.path.abspath(sys.executable or "/nowhere/x"))
_TEMPORARY = os.path.abspath(os.environ.get("TMPDIR") or "/tmp")
_verdicts = {}


def is_user_file(filename):
    """Is this code object's file one of the user's?"""
    verdict = _verdicts.get(filename)
    if verdict is None:
        verdict = _verdicts[filename] = _judge(filename)
    return verdict


def _judge(filename):
    if filename.startswith("<"):
        return filename in ("<stdin>", "<string>") or filename.startswith("<ipython")
    path = os.path.abspath(filename)
    if "/site-packages/" in path or "/dist-packages/" in path or _is_generated(path):
        return False
    return not any(path.startswith(p + os.sep) for p in (_DOOR, _STDLIB, _BIN))


def _is_generated(path):
    """Did a library write this file for itself? Graph layers and compilers put such modules among temporary files."""
    if "/torchinductor_" in path:
        return True
    loose = os.path.dirname(path) == _TEMPORARY
    return loose and _TEMPORARY not in (os.getcwd(), os.path.abspath(sys.path[0] if sys.path else ""))


def is_user(frame):
    """Does this frame run the user's code? Generated code counts only in `-c` and stdin."""
    name = frame.f_code.co_filename
    if not is_user_file(name):
        return False
    return not name.startswith("<") or frame.f_globals.get("__name__") in ("__main__", "__mp_main__")


def user_frame(frame):
    """The innermost frame of the user's at or above `frame`, or None."""
    for _ in range(200):
        if frame is None:
            return None
        if is_user(frame):
            return frame
        frame = frame.f_back
    return None


def caller():
    """The frame that called into this package: the first one outside of it."""
    frame = sys._getframe(1)
    while frame is not None and _transparent(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


_clear = {}


def _transparent(filename):
    """Is this file one of ours, or a library's wrapper that only passes calls on?"""
    known = _clear.get(filename)
    if known is None:
        known = _clear[filename] = filename.startswith(_OWN) or filename.endswith(_GO_BETWEENS)
    return known


def is_ours(frame):
    """Does this frame run this package's code?"""
    return frame.f_code.co_filename.startswith(_OWN)


def importing(frame):
    """Does the way from `frame` up to the user's code lead through an import?"""
    for _ in range(200):
        if frame is None or is_user(frame):
            return False
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def caller_is_user():
    """Was the wrapper that asks called straight from the user's code?"""
    frame = caller()
    return frame is not None and is_user(frame)


def passes_through(frame, names):
    """Does the way from `frame` up to the user's code lead through one of these top-level modules?"""
    for _ in range(200):
        if frame is None or is_user(frame):
            return False
        if frame.f_globals.get("__name__", "").split(".")[0] in names:
            return True
        frame = frame.f_back
    return False


def place(frame):
    """(file, line, function) of a frame."""
    code = frame.f_code
    name = code.co_filename
    if not name.startswith("<"):
        name = os.path.abspath(name)
    return name, frame.f_lineno, code.co_name


def site(depth=2):
    """Where the user's code caused this call: (file, line, function) or None."""
    frame = user_frame(sys._getframe(depth))
    return None if frame is None else place(frame)
