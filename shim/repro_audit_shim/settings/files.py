"""order.filesystem: the order in which files are found, and nothing else about them.

Listings come sorted by name (`sorted`) or the other way round (`reverse`).
Names that the job makes up at random (uuids, tokens, temporary names) begin
with a counter and stay random after it: a job that sorts them finds them in the
order of their creation, while whoever takes a number out of them still gets
another one in each run. Modification times seen by the user's code follow the
order of the names.
"""
import os
import stat
import time

from repro_audit_shim import core, frames, hooks, settings

_reverse = [False]
_names = [0]
_listings = [0]
EPOCH = 1_700_000_000


def arm(levels):
    """Replaces listings, name makers and modification times."""
    level = str(levels["order.filesystem"]).lower()
    if level in ("off", "no", "false"):
        return
    if level not in ("sorted", "reverse", "on", "0"):
        settings.refuse("order.filesystem", level, "levels are sorted and reverse")
        return
    _reverse[0] = level == "reverse"
    core.replace(os, "listdir", _listdir)
    core.replace(os, "scandir", _scandir)
    core.replace(os, "stat", _stat)
    core.replace(os, "lstat", _stat)
    hooks.after_import("pathlib", _old_pathlib)
    if not _reverse[0]:
        hooks.after_import("uuid", _uuid)
        hooks.after_import("secrets", _secrets)
        hooks.after_import("tempfile", _tempfile)
    settings.readable_in_place("order.filesystem", level, lambda: (
        "%d listings and %d made-up names held so far in this process" % (_listings[0], _names[0])), "files")


def _ordered(items, key=None):
    _listings[0] += 1
    return sorted(items, key=key, reverse=_reverse[0])


def _listdir(original):
    def listdir(*args, **kwargs):
        names = original(*args, **kwargs)
        return names if core.released(__name__) else _ordered(names)

    return listdir


class _Listing:
    """What os.scandir returns, in a fixed order."""

    def __init__(self, entries):
        self._entries = iter(entries)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._entries)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        """Nothing is open any more."""
        self._entries = iter(())


class _Entry:
    """A DirEntry for the user's code, whose modification time follows the names."""

    def __init__(self, entry):
        self._entry = entry

    def __getattr__(self, name):
        return getattr(self._entry, name)

    def __fspath__(self):
        return self._entry.path

    def __repr__(self):
        return repr(self._entry)

    def stat(self, **kwargs):
        """As DirEntry.stat."""
        return _timed(self._entry.stat(**kwargs), self._entry.path)


def _scandir(original):
    def scandir(*args, **kwargs):
        if core.released(__name__):
            return original(*args, **kwargs)
        with original(*args, **kwargs) as found:
            entries = _ordered(found, key=lambda e: e.name)
        if frames.caller_is_user():
            entries = [_Entry(e) for e in entries]
        return _Listing(entries)

    return scandir


_BETWEEN = {"genericpath", "posixpath", "ntpath", "pathlib"}
_HAND_ON_TIMES = {"getmtime", "getctime", "stat", "lstat"}  # the others of those modules look at something else


def _stat(original):
    def call(path, *args, **kwargs):
        result = original(path, *args, **kwargs)
        if core.released(__name__) or isinstance(path, int) or kwargs.get("dir_fd") is not None \
                or not stat.S_ISREG(result.st_mode):
            return result
        frame = frames.caller()
        while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in _BETWEEN:
            if frame.f_code.co_name not in _HAND_ON_TIMES:
                return result
            frame = frame.f_back
        if frame is None or not frames.is_user(frame):
            return result
        return _timed(result, path)

    return call


_real_listdir, _real_stat, _real_time = os.listdir, os.stat, time.time
_SETTLED = 1.0  # s: a folder that changed less long ago may change again at what its clock shows as the same time
_folders = {}


def _place(folder, name):
    """The place of a name among those of its folder, which is listed anew only where it changed."""
    changed = _real_stat(folder).st_mtime_ns
    known = _folders.get(folder)
    if known is None or known[0] != changed:
        settled = changed / 1e9 < _real_time() - _SETTLED
        places = {name: place for place, name in enumerate(sorted(_real_listdir(folder)))}
        known = changed, places
        if settled and len(_folders) < 256:
            _folders[folder] = known
    return known[1][name]


def _timed(result, path):
    """The same stat with the times of change following the name's place in its folder."""
    try:
        folder, name = os.path.split(os.path.abspath(os.fspath(path)))
        place = _place(folder, name)
    except (OSError, KeyError, TypeError):
        return result
    seconds = EPOCH + (-place if _reverse[0] else place)
    kind, (whole, _) = type(result), result.__reduce__()[1]
    values = list(whole)
    values[8] = values[9] = seconds
    named = {n: getattr(result, n) for n in dir(result) if n.startswith("st_") and n not in
             ("st_mode", "st_ino", "st_dev", "st_nlink", "st_uid", "st_gid", "st_size")}
    named.update(st_mtime=float(seconds), st_ctime=float(seconds), st_mtime_ns=seconds * 10**9,
                 st_ctime_ns=seconds * 10**9)
    return kind(values, named)


def _old_pathlib(module):
    """Python 3.8 and 3.9 keep their own references to the functions of `os`."""
    accessor = getattr(module, "_NormalAccessor", None)
    if accessor is None:
        return
    for name in ("listdir", "scandir", "stat", "lstat"):
        if name in accessor.__dict__:
            setattr(accessor, name, staticmethod(getattr(os, name)))


# -- made-up names -------------------------------------------------------------


def _counter():
    _names[0] += 1
    return _names[0] & 0xFFFFF


def _uuid(module):
    def make(original):
        def uuid4(*args, **kwargs):
            made = original(*args, **kwargs)
            if core.released(__name__) or frames.user_frame(frames.caller()) is None:
                return made
            return module.UUID(int=(made.int & ((1 << 108) - 1)) | (_counter() << 108))

        return uuid4

    for name in ("uuid4", "uuid1"):
        core.replace(module, name, make)


def _secrets(module):
    def make(original):
        def token(*args, **kwargs):
            made = original(*args, **kwargs)
            if core.released(__name__) or len(made) < 8 or not frames.caller_is_user():
                return made
            return "%05x" % _counter() + made[5:]

        return token

    for name in ("token_hex", "token_urlsafe"):
        core.replace(module, name, make)


def _tempfile(module):
    original = module._RandomNameSequence.__next__

    def __next__(self):
        made = original(self)
        return made if core.released(__name__) else "%05x" % _counter() + made[5:]

    module._RandomNameSequence.__next__ = core.dress(__next__, original)
