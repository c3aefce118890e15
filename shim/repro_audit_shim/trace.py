"""Which of the user's lines created, drew from or read a source of variation.

Armed only in the tracing pass. A place is written when it is first seen, so
that a killed process still tells, and once more with its count at the end.
"""
import linecache
import os
import sys

from repro_audit_shim import core, frames, guards, hooks, record
from repro_audit_shim.guards import compiling

LIMIT = 400
MOST_FILES = 200
TOLD_AGAIN = (2, 16, 256)  # a run that is stopped never tells its final counts
_places = {}
_active = [False]

PYTHON = ("random", "uniform", "randint", "randrange", "choice", "choices", "shuffle", "sample", "gauss",
          "normalvariate", "betavariate", "expovariate", "getrandbits", "triangular", "randbytes", "vonmisesvariate",
          "lognormvariate", "paretovariate", "weibullvariate", "gammavariate")
NUMPY = ("random", "rand", "randn", "randint", "permutation", "shuffle", "choice", "uniform", "normal", "random_sample",
         "standard_normal", "beta", "binomial", "exponential", "poisson", "gamma", "bytes", "multinomial", "dirichlet",
         "random_integers", "ranf", "sample", "laplace", "multivariate_normal")
TORCH = ("rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial", "rand_like", "randn_like",
         "randint_like", "poisson", "dropout")
TENSOR = ("uniform_", "normal_", "random_", "bernoulli_", "exponential_", "cauchy_", "geometric_", "log_normal_",
          "bernoulli", "multinomial")
CLOCK = ("time", "perf_counter", "monotonic", "process_time", "thread_time", "time_ns", "perf_counter_ns",
         "monotonic_ns", "process_time_ns", "thread_time_ns", "localtime", "gmtime", "strftime", "ctime", "asctime")


def arm():
    """Arms the sources that are to be traced."""
    import atexit

    pid = os.getpid()
    atexit.register(lambda: os.getpid() == pid and finish())
    core.finish_trace = finish
    hooks.after_import("torch", guards.arm)
    for source, hook in HOOKS.items():
        if core.tracing(source):
            hook()


def note(source, what, kind, direct=False, entries=None):
    """Counts one use of a source at the user's line that caused it; an import causes nothing."""
    if core.state.disabled or _active[0]:
        return
    _active[0] = True
    try:
        frame = frames.caller()
        user = frame if frame is not None and frames.is_user(frame) else None
        if user is None and not direct and not frames.importing(frame):
            user = frames.user_frame(frame)
        if user is None:
            return
        file, line, function = frames.place(user)
        key = (source, what, kind, file, line, function)
        place = _places.get(key)
        if place is not None:
            place["count"] += 1
            if place["count"] in TOLD_AGAIN:
                _write(key, place)
            if entries is not None and entries > (place["entries"] or 0):
                place["entries"] = entries
        elif len(_places) < LIMIT:
            _places[key] = place = {"count": 1, "order": len(_places), "entries": entries}
            _write(key, place)
    except Exception as error:
        core.fault("trace", error)
    finally:
        _active[0] = False


def _write(key, place, final=False):
    source, what, kind, file, line, function = key
    item = {"r": "trace", "source": source, "what": what, "kind": kind, "file": file, "line": line,
            "function": function, "worker": core.worker_id(), "final": final}
    item.update(place)
    record.write(item)


def finish():
    """The final counts, and the places that only the source shows."""
    if core.state.disabled:
        return
    try:
        for key, place in list(_places.items()):
            if place["count"] > 1:
                _write(key, place, True)
        _places.clear()
    except Exception as error:
        core.fault("trace", error)


def _watch(source, what, kind, direct=False, when=None):
    def make(original):
        def call(*args, **kwargs):
            if not compiling[0]() and (when is None or when(*args, **kwargs)):
                note(source, what, kind, direct)
            return original(*args, **kwargs)

        return call

    return make


def _no_seed(*args, **kwargs):
    value = args[0] if args else kwargs.get("seed", kwargs.get("x", kwargs.get("a")))
    return value is None


def _python():
    def hook(module):
        for name in PYTHON:
            core.replace(module, name, _watch("seed.python", "random." + name, "draw"))

    hooks.after_import("random", hook)


def _numpy():
    def hook(module):
        for name in NUMPY:
            core.replace(module, name, _watch("seed.numpy", "numpy.random." + name, "draw"))

    def library(module):
        core.replace(module, "check_random_state", _watch("seed.numpy", "random_state=None", "draw", when=_no_seed))

    hooks.after_import("numpy.random", hook)
    # Libraries take the global generator from here where they are given none, and draw from it in compiled code.
    hooks.after_import("sklearn.utils.validation", library)
    hooks.after_import("scipy._lib._util", library)


def _torch():
    def hook(torch):
        def default(*args, **kwargs):
            return kwargs.get("generator") is None

        for name in TORCH:
            guards.replace(torch, name, _watch("seed.torch", "torch." + name, "draw", when=default))
        for name in TENSOR:
            core.replace(torch.Tensor, name, _watch("seed.torch", "Tensor." + name, "draw", when=default))
        core.replace(torch.nn.functional, "dropout", _watch("seed.torch", "dropout", "draw"))

    hooks.after_import("torch", hook)


def _numpy_generator():
    def hook(module):
        core.replace(module, "default_rng", _watch("seed.numpy_generator", "numpy.random.default_rng", "create",
                                                   when=_no_seed))
        source = sys.modules.get("numpy.random.bit_generator") or sys.modules.get("numpy.random._bit_generator")
        if source is not None:
            core.replace(source, "randbits", _watch("seed.numpy_generator", "entropy for a NumPy generator", "create"))

    hooks.after_import("numpy.random", hook)


def _generator():
    def hook(torch):
        def make(name):
            def outer(original):
                def call(self, *args):
                    if not compiling[0]() and self is not torch.default_generator:
                        note("dataloader.generator", "Generator." + name, "seed")
                    return original(self, *args)

                return call

            return outer

        for name in ("seed", "manual_seed"):
            core.replace_in_type(torch._C.Generator, name, make(name))

    hooks.after_import("torch", hook)


def _entropy():
    _operating_system("entropy", lambda: True)


def _worker():
    _operating_system("seed.worker", lambda: core.worker_id() is not None)

    def numpy(module):
        source = sys.modules.get("numpy.random.bit_generator") or sys.modules.get("numpy.random._bit_generator")
        if source is not None:
            core.replace(source, "randbits", _watch("seed.worker", "entropy for a NumPy generator", "create",
                                                    when=lambda *a, **k: core.worker_id() is not None))

    hooks.after_import("numpy.random", numpy)

    def clock():
        import time

        for name in CLOCK:
            core.replace(time, name, _watch("seed.worker", "time." + name, "read", direct=True,
                                            when=lambda *a, **k: core.worker_id() is not None))

    clock()


def _operating_system(source, here):
    def when(*args, **kwargs):
        return here()

    for name in ("urandom", "getrandom"):
        core.replace(os, name, _watch(source, "os." + name, "read", when=when))
    for name in ("getpid", "getppid"):
        core.replace(os, name, _watch(source, "os." + name, "read", direct=True, when=when))

    def uuids(module):
        for name in ("uuid4", "uuid1"):
            core.replace(module, name, _watch(source, "uuid." + name, "read", when=when))

    def python(module):
        core.replace(module, "_urandom", _watch(source, "os.urandom", "read", when=when))
        original = module.Random.seed

        def seed(self, a=None, version=2):
            if a is None and here():
                note(source, "random.Random without a seed", "create")
            return original(self, a, version)

        module.Random.seed = core.dress(seed, original)

    hooks.after_import("uuid", uuids)
    hooks.after_import("random", python)


def _clock():
    import time

    for name in CLOCK:
        core.replace(time, name, _watch("clock", "time." + name, "read", direct=True))

    def dates(module):
        def make(name, kind):
            def outer(original):
                def call(cls, *args, **kwargs):
                    note("clock", "%s.%s" % (kind, name), "read", True)
                    return original.__get__(None, cls)(*args, **kwargs)

                return classmethod(call)

            return outer

        for name in ("now", "utcnow"):
            core.replace_in_type(module.datetime, name, make(name, "datetime"))
        core.replace_in_type(module.date, "today", make("today", "date"))

    hooks.after_import("datetime", dates)


def _files():
    def listing(original):
        def listdir(*args, **kwargs):
            found = original(*args, **kwargs)
            note("order.filesystem", "os.listdir", "list", entries=len(found))
            return found

        return listdir

    def scanning(original):
        def scandir(*args, **kwargs):
            from repro_audit_shim.settings import files

            with original(*args, **kwargs) as entries:
                found = list(entries)
            note("order.filesystem", "os.scandir", "list", entries=len(found))
            return files._Listing(found)

        return scandir

    core.replace(os, "listdir", listing)
    core.replace(os, "scandir", scanning)

    def uuids(module):
        for name in ("uuid4", "uuid1"):
            core.replace(module, name, _watch("order.filesystem", "uuid." + name, "name"))

    def temporary(module):
        original = module._RandomNameSequence.__next__

        def __next__(self):
            note("order.filesystem", "tempfile", "name")
            return original(self)

        module._RandomNameSequence.__next__ = core.dress(__next__, original)

    def times(module):
        core.replace(module, "getmtime", _watch("order.filesystem", "os.path.getmtime", "list", direct=True))

    hooks.after_import("uuid", uuids)
    hooks.after_import("tempfile", temporary)
    hooks.after_import("os.path", times)


def _race():
    def thread(module):
        core.replace(module.Thread, "start", _watch("race", "Thread.start", "start", direct=True))

    def pool(module):
        for name in ("imap_unordered", "apply_async", "map_async", "map", "starmap", "imap"):
            core.replace(module.Pool, name, _watch("race", "Pool." + name, "start", direct=True))

    def process(module):
        core.replace(module.BaseProcess, "start", _watch("race", "Process.start", "start", direct=True))

    def futures(module):
        for name in ("as_completed", "wait"):
            core.replace(module, name, _watch("race", name, "order", direct=True))

    def tasks(module):
        core.replace(module, "as_completed", _watch("race", "as_completed", "order", direct=True))

    def parallel(module):
        core.replace(module.Parallel, "__init__", _watch(
            "race", "joblib.Parallel(return_as='generator_unordered')", "order", when=lambda *a, **k: (
                k.get("return_as") == "generator_unordered")))

    def executor(module):
        core.replace(module.ThreadPoolExecutor, "submit", _watch("race", "ThreadPoolExecutor.submit", "start", direct=True))

    def loader(module):
        core.replace(module.DataLoader, "__init__", _watch(
            "race", "DataLoader(in_order=False)", "order", when=lambda *a, **k: k.get("in_order", True) is False))

    hooks.after_import("threading", thread)
    hooks.after_import("multiprocessing.pool", pool)
    hooks.after_import("multiprocessing.process", process)
    hooks.after_import("concurrent.futures", futures)
    hooks.after_import("asyncio", tasks)
    hooks.after_import("joblib.parallel", parallel)
    hooks.after_import("concurrent.futures.thread", executor)
    hooks.after_import("torch.utils.data.dataloader", loader)


def _streams():
    """Copies from a card to the host that nobody waits for, which what reads them may be too soon for; streams of the job's own."""
    from repro_audit_shim.settings import streams

    def unawaited(*call, **kwargs):
        """Not one of those with which records are fetched from the card."""
        return streams.asks_not_to_wait(call, kwargs) and not frames.is_ours(sys._getframe(3))

    def to_host(source, *args, **kwargs):
        where = args[0] if args else kwargs.get("device")
        to_cpu = "cpu" in str(getattr(where, "device", where))
        return source.is_cuda and to_cpu and unawaited(source, *args, **kwargs)

    def into_host(target, source, *args, **kwargs):
        return source.is_cuda and not target.is_cuda and unawaited(target, source, *args, **kwargs)

    def hook(torch):
        for name, when in (("to", to_host), ("copy_", into_host)):
            core.replace(torch.Tensor, name, _watch("cuda.streams", "Tensor.%s(non_blocking=True)" % name, "copy", when=when))

    def cuda(module):
        """A handle of a stream that is there already tells its id."""
        core.replace(module.Stream, "__new__", _watch("cuda.streams", "torch.cuda.Stream", "start", direct=True, when=lambda *a, **k: (
            "stream_id" not in k and "stream_ptr" not in k)))

    hooks.after_import("torch", hook)
    hooks.after_import("torch.cuda.streams", cuda)


def _says_empty(*_args, **_kwargs):
    """Does the calling line say so itself? Compiled functions of NumPy's make arrays too, in no frame of their own."""
    frame = frames.caller()
    return frame is not None and "empty" in linecache.getline(frame.f_code.co_filename, frame.f_lineno)


def _uninitialised():
    def hook(torch):
        for name in ("empty", "empty_like", "empty_strided"):
            guards.replace(torch, name, _watch("uninitialised", "torch." + name, "create", direct=True))
        for name in ("new_empty",):
            core.replace(torch.Tensor, name, _watch("uninitialised", "Tensor." + name, "create", direct=True))

    def numpy(module):
        for name in ("empty", "empty_like"):
            core.replace(module, name, _watch("uninitialised", "numpy." + name, "create", direct=True, when=_says_empty))

    hooks.after_import("torch", hook)
    hooks.after_import("numpy", numpy)


MADE_UP = ("/proc/", "/sys/")  # by the system, as they are read
COMPILED = ("/__pycache__/", "/.triton/", "/torchinductor_", "/torch_extensions/", "/.nv/ComputeCache/")  # the same when made again


def _leftovers():
    """Files that the job opens to read and that changed after the audit began and before this run did."""
    if core.state.began is None or not hasattr(sys, "addaudithook"):
        return
    began, entered = (os.stat(path).st_ctime_ns for path in (core.state.began, core.state.told))
    own = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(core.state.told))))
    stat, only_writes = os.stat, os.O_WRONLY | os.O_TRUNC

    def opened(path, flags):
        if flags & only_writes:
            return
        try:
            name = os.path.abspath(os.fsdecode(path))
            seen = stat(name)
        except (OSError, TypeError, ValueError):
            return
        regular = seen.st_mode & 0o170000 == 0o100000
        if regular and began < seen.st_ctime_ns < entered and not name.startswith((own + os.sep, *MADE_UP)) \
                and not any(cache in name for cache in COMPILED):
            here = os.getcwd() + os.sep
            note("leftovers", name[len(here):] if name.startswith(here) else name, "read", direct=False)

    def hook(event, args):
        if event == "open" and not core.state.disabled and not _active[0]:
            try:
                opened(args[0], args[2])
            except Exception as error:
                core.fault("leftovers", error)

    sys.addaudithook(hook)


def _hash_order():
    """Written as each of the job's own files begins to run, since a run that is stopped has no end; the rest at the end."""
    if "--multiprocessing-fork" in (getattr(sys, "orig_argv", None) or getattr(sys, "argv", ())):
        return  # its parent runs the same files
    seen, order, busy = set(), [0], [False]

    def write(names):
        from repro_audit_shim import hashorder

        new = [name for name in names if os.path.abspath(name) not in seen]
        seen.update(map(os.path.abspath, new))
        for file, line, function, what in hashorder.places(new)[:LIMIT - order[0]]:
            record.write({"r": "trace", "source": "hashseed", "what": what, "kind": "source", "file": file,
                          "line": line, "function": function, "count": 1, "order": order[0], "entries": None,
                          "worker": None, "final": True})
            order[0] += 1

    def look(names):
        if busy[0] or core.state.disabled or len(seen) >= MOST_FILES or not core.lineage().endswith("main"):
            return
        busy[0] = True
        try:
            write(names())
        except Exception as error:
            core.fault("hash order", error)
        finally:
            busy[0] = False

    def begun(event, args):
        if event == "exec":
            code = args[0]
            name = getattr(code, "co_filename", "")
            if name.endswith(".py") and code.co_name == "<module>" and frames.is_user_file(name):
                look(lambda: [name])

    def rest():
        from repro_audit_shim import hashorder

        look(hashorder.user_files)

    if hasattr(sys, "addaudithook"):
        sys.addaudithook(begun)
    core.tell_hash_order = rest
    import atexit

    atexit.register(rest)


HOOKS = {
    "seed.python": _python, "seed.numpy": _numpy, "seed.torch": _torch, "seed.numpy_generator": _numpy_generator,
    "seed.worker": _worker, "dataloader.generator": _generator, "entropy": _entropy, "clock": _clock,
    "order.filesystem": _files, "leftovers": _leftovers, "race": _race, "cuda.streams": _streams,
    "uninitialised": _uninitialised, "hashseed": _hash_order,
}
