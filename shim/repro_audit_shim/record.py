"""The flight record: one file of JSON lines per process, whole lines in one write.

The file is opened at the first thing worth recording, so that helper processes
leave nothing behind; a fork opens its own. A process killed in the middle of a
write tears one line, the last. Where the folder cannot be written the
record ends silently: the job comes first.
"""
import os
import sys
import time

from repro_audit_shim import core

FORMAT = "repro-audit.flight/1"
LIMIT = 256 * 1024 * 1024

# Taken before anything is replaced: what we do ourselves is not the job's doing.
_open, _write, _close, _getpid, _getppid = os.open, os.write, os.close, os.getpid, os.getppid
now, monotonic = time.perf_counter_ns, time.monotonic
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)


class _File:
    pid = None
    fd = None
    written = 0
    dead = False


_encoders = []


def _line(item):
    if not _encoders:
        import json

        _encoders.append(json.JSONEncoder(separators=(",", ":"), default=str, check_circular=False).encode)
    return (_encoders[0](item) + "\n").encode("utf-8", "replace")


def write(*items, even_disabled=False):
    """Appends records; opens the file and says hello first where needed."""
    if core.state.record_dir is None or (core.state.disabled and not even_disabled):
        return
    pid = _getpid()
    if _File.pid != pid:
        _start(pid)
    if _File.dead or _File.fd is None:  # no descriptor: the file is being opened, further up this very stack
        return
    _put(b"".join(map(_line, items)))


def begun():
    """Has this process a record already?"""
    return _File.pid == _getpid()


def _put(data):
    if _File.written + len(data) > LIMIT:
        data, _File.dead = b'{"r":"full"}\n', True
    try:
        _write(_File.fd, data)
        _File.written += len(data)
    except OSError:
        _File.dead = True


def _start(pid):
    if _File.fd is not None:
        try:
            _close(_File.fd)
        except OSError:
            pass
    _File.pid, _File.fd, _File.written, _File.dead = pid, None, 0, False
    number = core.rank()
    hello = _line(_hello(pid, number))
    name = "flight-%s-%d.jsonl" % ("main" if number is None else number, pid)
    try:
        _File.fd = _open(os.path.join(core.state.record_dir, name), _FLAGS, 0o600)
    except OSError:
        _File.dead = True
        return
    _put(hello)


def _hello(pid, number):
    from repro_audit_shim import digest

    return {
        "r": "hello",
        "format": FORMAT,
        "pid": pid,
        "ppid": _getppid(),
        "rank": number,
        "local_rank": os.environ.get("LOCAL_RANK"),
        "role": core.lineage(),
        "argv": list(getattr(sys, "orig_argv", None) or getattr(sys, "argv", []))[:64],
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "torch": _version("torch"),
        "numpy": _version("numpy"),
        "hash_randomization": sys.flags.hash_randomization,
        "hashseed": os.environ.get("PYTHONHASHSEED"),
        "optimize": sys.flags.optimize,
        "level": core.state.level,
        "digest": digest.algorithm(),
    }


def _version(name):
    return getattr(sys.modules.get(name), "__version__", None)


def entered():
    """Notes that the shim came into this interpreter, whatever it does later."""
    if core.state.record_dir is None:
        return
    arguments = list(getattr(sys, "orig_argv", None) or getattr(sys, "argv", []))[:8]
    try:
        from _json import encode_basestring_ascii as quoted
    except ImportError:
        from json.encoder import encode_basestring_ascii as quoted
    line = '{"pid":%d,"ppid":%d,"python":%s,"argv":[%s]}\n' % (
        _getpid(), os.getppid(), quoted(sys.version.split()[0]), ",".join(quoted(a[:1000]) for a in arguments))
    try:
        fd = _open(os.path.join(core.state.record_dir, "entered.jsonl"), _FLAGS, 0o600)
        try:
            _write(fd, line.encode())
        finally:
            _close(fd)
    except OSError:
        pass


def applied(setting, level, read_back, ok, note=None, phase="import", by_job=False):
    """Says how a level asked for turned out, as read back from inside; `by_job`: another one holds the source as still."""
    item = {"r": "apply", "setting": setting, "asked": str(level), "read_back": read_back,
            "ok": bool(ok), "note": note, "phase": phase}
    if by_job:
        item["by_job"] = True
    write(item, even_disabled=True)


def overridden(setting, value, place):
    """Says that the job asked for another level, where, and that ours stayed."""
    item = {"r": "override", "setting": setting, "asked": repr(value)[:100]}
    if place:
        item["file"], item["line"], item["function"] = place
    write(item, even_disabled=True)
