"""Every operation of one step: name, digests of inputs and outputs, the user's line.

Runs only in the drilling pass. The mode is entered when the step before has
ended and left when the step itself has. An operation that draws from no
generator is done again a few times on copies of what it was given, and so is
a kernel that torch does not see: one that then answers differently is told as
an alert, with the line of the forward pass where it belongs to a backward one.
"""
import re
import sys

from repro_audit_shim import core, digest, frames, launches, record

LIMIT = 50000
AGAIN = {"cuda": 64}  # how often an operation is done again there
AGAIN_ELSEWHERE = 16
AGAIN_SECONDS = 15.0  # in all
AT_ONCE = 1 << 28  # bytes of results that are kept at a time
UNTOUCHED = ("empty", "new_empty", "resize", "set_", "_local_scalar_dense", "item", "record_stream", "copy_", "_to_copy", "clone")
_FRAME = re.compile(r'File "(.+)", line (\d+), in (\S+)')
RANDOM = ("rand", "dropout", "bernoulli", "normal", "uniform", "multinomial", "exponential", "poisson")


def arm(torch, recorder):
    """Puts the mode around the step asked for."""
    wanted = int(core.state.drill.get("step", 0))
    mode = [None]
    count = [0]
    from torch.utils._python_dispatch import TorchDispatchMode

    class Drill(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            kwargs = kwargs or {}
            before = saved = None
            if not core.state.disabled and count[0] < LIMIT:
                before = look((args, kwargs))
                saved = guarded(copies, func, args, kwargs) if may_repeat(func) else None
            result = func(*args, **kwargs)
            if before is not None:
                after = look(result)
                write(func, before, after)
                if saved is not None and after is not None:
                    guarded(again_like, func, saved, result, after)
            return result

    again = {"n": 0, "failed": 0, "error": None, "late": 0}

    def guarded(function, *args):
        try:
            return function(*args)
        except Exception as error:
            again["failed"] += 1
            again["error"] = again["error"] or repr(error)[:500]
            return None

    seeded = getattr(torch.Tag, "nondeterministic_seeded", None)
    spent = [0.0]
    told = set()

    def may_repeat(func):
        name = str(func)
        # a backward pass is handed the state that its forward pass drew from, whatever torch's tag says
        draws = seeded in func.tags and "_backward" not in name
        able = (name.startswith("aten.") and not draws and not any(word in name for word in RANDOM)
                and not name.startswith(tuple("aten." + u for u in UNTOUCHED)))
        return able and in_time()

    def in_time():
        again["late"] += spent[0] >= AGAIN_SECONDS
        return spent[0] < AGAIN_SECONDS

    def copies(func, args, kwargs):
        """The arguments, with copies of those that the operation writes to."""
        written = {a.name: a.alias_info is not None and a.alias_info.is_write for a in func._schema.arguments}
        fresh = [copy(a) if w else a for a, w in zip(args, written.values())]
        return fresh, {name: copy(value) if written.get(name) else value for name, value in kwargs.items()}

    def copy(value):
        if isinstance(value, torch.Tensor):
            return value.clone()
        return [copy(part) for part in value] if isinstance(value, (list, tuple)) else value

    def size(value):
        """Bytes of the tensors in a result."""
        if isinstance(value, torch.Tensor):
            return value.numel() * value.element_size()
        return sum(map(size, value)) if isinstance(value, (list, tuple)) else 0

    def again_like(func, saved, first, after):
        """Does an operation again on `saved`, copies made before it was done; `after` is the digest of its first result."""
        args, kwargs = saved
        if not repeats(lambda: copies(func, args, kwargs), lambda given: func(*given[0], **given[1]), size(first),
                       device(args), after):
            announce(str(func), args)

    def repeats(fresh, do, size, device, after):
        """Does `do(fresh())`, done again and again, look like `after` each time? `size` is how many bytes one keeps."""
        at_once = max(1, AT_ONCE // max(1, size))
        began, left = record.monotonic(), AGAIN.get(device, AGAIN_ELSEWHERE)
        again["n"] += 1
        try:
            while left > 0 and record.monotonic() - began < 1.0:
                some = [fresh() for _ in range(min(left, at_once))]
                left -= len(some)
                # One right after the other, as in a step: a card that has nothing else to do adds up in the same order.
                if any([look(result) != after for result in [do(given) for given in some]]):
                    return False
        finally:
            spent[0] += record.monotonic() - began
        return True

    def announce(name, args):
        place = forward_place() or site()
        if (name, place) not in told and len(told) < 200:
            told.add((name, place))
            file, line, function = place or (None, None, None)
            record.write({"r": "alert", "operation": name, "device": device(args), "file": file, "line": line,
                          "function": function})

    def device(args):
        """The kind of device of the first tensor that the operation was given; None where it was given none."""
        for value in args:
            for part in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(part, torch.Tensor):
                    return part.device.type
        return None

    def site():
        user = frames.user_frame(sys._getframe(2))
        return frames.place(user) if user is not None else None

    def forward_place():
        """The user's line whose forward pass made the backward node at work, where there is one."""
        current = getattr(torch._C, "_current_autograd_node", None)
        node = current() if current is not None else None
        lines = (node.metadata.get("traceback_") or ()) if node is not None else ()
        for found in reversed([_FRAME.search(text) for text in lines]):
            if found and frames.is_user_file(found.group(1)):
                return found.group(1), int(found.group(2)), found.group(3)
        return None

    def look(things):
        try:
            gather = digest.Gather(torch)
            gather.tree(things)
            root = gather.finish()[1]
            return root.root() if isinstance(root, digest.Promise) else root
        except Exception as error:
            core.fault("drill", error)
            return None

    def write(func, before, after):
        try:
            name = str(func)
            user = frames.user_frame(sys._getframe(2))
            item = {"r": "op", "step": wanted, "n": count[0], "name": name, "in": digest.text(before or 0),
                    "out": digest.text(after or 0), "random": any(word in name for word in RANDOM)}
            if user is not None:
                item["file"], item["line"], item["function"] = frames.place(user)
            record.write(item)
            count[0] += 1
        except Exception as error:
            core.fault("drill", error)

    anomaly = [False]

    def remember_forward_lines(on):
        try:
            if on:
                anomaly[0] = torch.is_anomaly_enabled()
            if not anomaly[0]:
                torch.set_anomaly_enabled(on, False)
        except Exception:
            pass  # an older torch: the line of the backward call is told then

    def enter(*_):
        if mode[0] is None and not core.state.disabled:
            mode[0] = Drill()
            remember_forward_lines(True)
            recorder.own_modes[0] = 1
            mode[0].__enter__()

    def leave():
        if mode[0] is not None and mode[0] != "done":
            mode[0].__exit__(None, None, None)
            remember_forward_lines(False)
            recorder.own_modes[0] = 0
            mode[0] = "done"
            record.write({"r": "drilled", "step": wanted, "again": again["n"], "late": again["late"],
                          "failed": again["failed"], "error": again["error"]})

    original_after, original_saw = recorder.after, recorder.saw_optimizer

    def after(optimizer):
        first = recorder._index(optimizer) == 0
        number = recorder.first_steps
        if first and number == wanted + 1:
            leave()
        original_after(optimizer)
        if first and number == wanted:
            enter()

    def saw_optimizer(optimizer):
        original_saw(optimizer)
        if wanted == 0:
            enter()

    def launched(name, given, copies, do, size):
        after = look(given)
        if after is not None and not repeats(copies, do, size, device(given[0]), after):
            announce(name, given[0])

    recorder.after, recorder.saw_optimizer = after, saw_optimizer
    launches.arm(torch, lambda: isinstance(mode[0], Drill) and in_time(), guarded, launched)
