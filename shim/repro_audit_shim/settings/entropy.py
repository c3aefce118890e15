"""entropy, seed.numpy_generator, seed.worker, dataloader.generator.

Four questions about the same few sources, told apart by who asks where:

- `entropy` (`on`): everything that asks the operating system, global generators
  included; `os`: only urandom, uuids, secrets, process ids and `random.Random()`;
- `seed.numpy_generator`: NumPy generators built without a seed, outside loader workers;
- `seed.worker`: whatever a loader worker takes from entropy, process ids or the clock;
- `dataloader.generator`: torch generators seeded by `.seed()`, and those handed to a
  loader or sampler with a seed that is not written as a number.

Held values are keyed by source, user's line, process and thread, and the number
of the call there: a global counter would follow the race between threads.
"""
import hashlib
import linecache
import os
import re
import sys

from repro_audit_shim import core, frames, hooks, record, settings

_TLS_AND_TRACKERS = {"ssl", "http", "urllib", "urllib3", "requests", "socket", "asyncio", "wandb", "mlflow",
                     "multiprocessing", "grpc", "pip", "concurrent"}
_calls = {}
_level = {}
_numpy_global = [False]
_owned = []
_PID_BASE = 1 << 23  # above any real process id: a stray signal finds nobody


def arm(levels):
    """Arms the sources that the settings asked for need."""
    for setting, level in levels.items():
        text = str(level).lower()
        if text not in ("off", "no", "false"):
            _level[setting] = text
    if "entropy" in _level and _level["entropy"] != "os":
        from repro_audit_shim.settings import seeds

        seeds.hold_all(_salt())
    if "entropy" in _level or "seed.worker" in _level:
        _operating_system()
    if "seed.worker" in _level:
        from repro_audit_shim.settings import clock

        clock.arm_for_workers()
    hooks.after_import("random", _python)
    hooks.after_import("numpy.random", _numpy)
    hooks.after_import("torch", _torch)
    for setting in _level:
        settings.readable_in_place(setting, str(levels[setting]), lambda s=setting: (
            "%d values held so far in this process" % _counts.get(s, 0)), "entropy")


def _salt():
    try:
        salt = int(_level.get("entropy", 0))
    except ValueError:
        salt = 0
    return core.disturbed("entropy", salt)


_counts = {}


def _holder(source):
    """The setting that holds this source here and now, or None."""
    if core.released(__name__):
        return None
    in_worker = core.worker_id() is not None
    if in_worker and "seed.worker" in _level:
        return "seed.worker"
    entropy = _level.get("entropy")
    if entropy is not None and (entropy != "os" or source in ("urandom", "uuid", "getpid", "Random")):
        return "entropy"
    if source == "numpy" and not in_worker and "seed.numpy_generator" in _level and not _numpy_global[0]:
        return "seed.numpy_generator"
    if source == "Generator.seed" and "dataloader.generator" in _level:
        return "dataloader.generator"
    return None


def _keyed(holder, source, n):
    """`n` bytes that are the same at this call in every run, or None where no user's code asks."""
    frame = frames.caller()
    user = frames.user_frame(frame)
    if user is None or frames.passes_through(frame, _TLS_AND_TRACKERS) or _numpys_own(frame):
        return None
    file, line, function = frames.place(user)
    key = (source, os.path.basename(file), line, function, core.lineage(), _thread())
    number = _calls[key] = _calls.get(key, 0) + 1
    _counts[holder] = _counts.get(holder, 0) + 1
    text = repr((_salt(),) + key + (number,)).encode()
    out = b""
    block = 0
    while len(out) < n:
        out += hashlib.sha256(text + b"%d" % block).digest()
        block += 1
    return out[:n]


def _numpys_own(frame):
    """Does NumPy seed its global generator, as it does while it is imported? That is for `seed.numpy` to hold."""
    return frames.importing(frame) and frames.passes_through(frame, {"numpy"})


def _thread():
    threading = sys.modules.get("threading")
    if threading is None:
        return ""
    thread = threading._active.get(threading.get_ident())
    return "" if thread is None or thread is threading._main_thread else thread.name


def _number(source, bits=62):
    """A held number for this source, or None where it is not held here."""
    holder = _holder(source)
    if holder is None:
        return None
    data = _keyed(holder, source, 16)
    return None if data is None else int.from_bytes(data, "big") >> (128 - bits)


# -- the operating system ------------------------------------------------------


def _operating_system():
    for name in ("urandom", "getrandom"):
        core.replace(os, name, _bytes_source)
    core.replace(os, "getpid", _process_id)
    core.replace(os, "getppid", _parents_id)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before_fork, after_in_child=_in_child)
    for name in ("kill", "killpg", "getpgid", "getsid", "waitpid", "getpriority", "sched_getaffinity"):
        core.replace(os, name, _understands_held_ids)
    hooks.after_import("uuid", _uuid)


def _bytes_source(original):
    def urandom(size, *flags):
        holder = _holder("urandom")
        held = _keyed(holder, "urandom", size) if holder else None
        return original(size, *flags) if held is None else held

    return urandom


# -- process ids: one that follows from the place among the processes of the job, and stands for the real one

_forks = []  # the numbers of the forks that led here from the interpreter that was started
_forked = [0]
_real = {}  # real ids by held ones, as far as this process can know them
_depth = []
_own = []
_parent = []


def _held_id(text):
    return _PID_BASE + int.from_bytes(hashlib.sha256(text.encode()).digest()[:2], "big")


def _own_id():
    """The held id of this process."""
    held = _held_id("%d %s %s" % (_generation(), core.lineage(), _forks))
    _real[held] = record._getpid()
    return held


def _parents_own_id():
    """The held id of the parent: what its own `getpid` gives where it forked us or where it, too, was entered."""
    if not _parent:
        generation = _generation()
        _parent.append(_held_id("%d main []" % (generation - 1) if generation else "outside"))
        _real[_parent[0]] = record._getppid()
    return _parent[0]


def _generation():
    """How many interpreters that the shim entered lie above this one: each has its line in `entered.jsonl`."""
    if not _depth:
        parents = {}
        try:
            with open(os.path.join(core.state.record_dir or "", "entered.jsonl"), encoding="utf-8") as lines:
                for line in lines:
                    told = core.parse(line)
                    parents[told["pid"]] = told["ppid"]
        except (OSError, ValueError, KeyError, TypeError):
            pass
        pid, depth = record._getpid(), 0
        while parents.get(pid) in parents and depth < 64:
            pid, depth = parents[pid], depth + 1
        _depth.append(depth)
    return _depth[0]


def _before_fork():
    _forked[0] += 1
    _own[:] = [_own_id()]


def _in_child():
    _parent[:] = _own
    _real[_parent[0]] = record._getppid()
    _forks.append(_forked[0])
    _forked[0] = 0


def _held_for_user(original, held):
    def ask():
        frame = frames.caller()
        if frame is None or not frames.is_user(frame) or not _holder("getpid") or _needs_real_id(frame):
            return original()
        return held()

    return ask


def _process_id(original):
    return _held_for_user(original, _own_id)


def _parents_id(original):
    return _held_for_user(original, _parents_own_id)


def _needs_real_id(frame):
    """Is the id on this line meant for the system rather than for a seed?"""
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
    return any(word in line for word in ("psutil", "kill", "/proc", "Process("))


def _understands_held_ids(original):
    def call(pid, *rest):
        if isinstance(pid, int) and _PID_BASE <= pid < _PID_BASE + 65536:
            pid = _real.get(pid, pid)  # of another process, which nobody told us: nobody is found, and nobody hit
        return original(pid, *rest)

    return call


def _uuid(module):
    def make(original):
        def uuid4(*args, **kwargs):
            number = _number("uuid", 128)
            return original(*args, **kwargs) if number is None else module.UUID(int=number, version=4)

        return uuid4

    for name in ("uuid4", "uuid1"):
        core.replace(module, name, make)


# -- Python's random -----------------------------------------------------------


def _python(module):
    if "entropy" in _level or "seed.worker" in _level:
        core.replace(module, "_urandom", _bytes_source)
    original = module.Random.seed

    def seed(self, a=None, version=2):
        if a is None and not core.released(__name__):
            a = _number("Random" if self is not module._inst else "random")
            try:
                self._entropic = True
            except AttributeError:
                pass
        return original(self, a, version)

    module.Random.seed = core.dress(seed, original)

    def outer(global_seed):
        def seed(*args, **kwargs):
            if (not args or args[0] is None) and not kwargs:
                number = _number("random")
                if number is not None:
                    return global_seed(number)
            return global_seed(*args, **kwargs)

        return seed

    core.replace(module, "seed", outer)


# -- NumPy ---------------------------------------------------------------------


def _numpy(module):
    source = sys.modules.get("numpy.random.bit_generator") or sys.modules.get("numpy.random._bit_generator")
    if source is None or not hasattr(source, "randbits"):
        if "seed.numpy_generator" in _level:
            settings.refuse("seed.numpy_generator", _level["seed.numpy_generator"], "this NumPy seeds itself elsewhere")
        return

    def bits(original):
        def randbits(k):
            number = _number("numpy", 128)
            return original(k) if number is None else number >> max(0, 128 - k)

        return randbits

    core.replace(source, "randbits", bits)

    def for_global(original):
        def seed(*args, **kwargs):
            _numpy_global[0] = True
            try:
                return original(*args, **kwargs)
            finally:
                _numpy_global[0] = False

        return seed

    core.replace(module, "seed", for_global)


# -- torch ---------------------------------------------------------------------


def _torch(torch):
    kind = torch._C.Generator
    default = torch.default_generator

    def seed_make(original):
        def seed(self):
            if self is default and "entropy" not in _level and core.worker_id() is None:
                return original(self)
            number = _number("Generator.seed")
            if number is None:
                return original(self)
            self.manual_seed(number)
            return number

        return seed

    core.replace_in_type(kind, "seed", seed_make)
    if "dataloader.generator" not in _level:
        return

    def manual_make(original):
        def manual_seed(self, value):
            if not core.released(__name__) and any(self is g for g in _owned) and not _literal_seed():
                value = _number("Generator.seed") or value
            return original(self, value)

        return manual_seed

    core.replace_in_type(kind, "manual_seed", manual_make)
    hooks.after_import("torch.utils.data.dataloader", lambda module: _loaders(module, torch))


_LITERAL = re.compile(r"manual_seed\(\s*\d+\s*\)")


def _literal_seed():
    frame = frames.user_frame(frames.caller())
    return frame is not None and bool(_LITERAL.search(linecache.getline(frame.f_code.co_filename, frame.f_lineno)))


def _loaders(module, torch):
    """A generator handed to a loader or sampler gets a fixed seed, once, as it is handed over."""

    def make(original):
        def __init__(self, *args, **kwargs):
            if not core.released(__name__):
                try:
                    _hold_generators(torch, list(args[1:]) + list(kwargs.values()))
                except Exception as error:
                    core.fault("loader generator", error, __name__)
            original(self, *args, **kwargs)

        return __init__

    core.replace(module.DataLoader, "__init__", make)


def _hold_generators(torch, arguments):
    level = core.seed_level("dataloader.generator")
    python = sys.modules.get("random")
    queue = list(arguments)
    for argument in arguments:
        if isinstance(argument, torch.utils.data.Sampler):
            parts = list(vars(argument).values())
            queue += parts
            for part in parts:
                if isinstance(part, torch.utils.data.Sampler):
                    queue += list(vars(part).values())
    for thing in queue:
        if isinstance(thing, torch.Generator) and thing is not torch.default_generator:
            if any(thing is g for g in _owned):
                continue
            torch._C.Generator.manual_seed(thing, level)
            _owned.append(thing)
            _counts["dataloader.generator"] = _counts.get("dataloader.generator", 0) + 1
        elif python is not None and isinstance(thing, python.Random) and getattr(thing, "_entropic", False):
            thing.seed(level)
            _counts["dataloader.generator"] = _counts.get("dataloader.generator", 0) + 1
