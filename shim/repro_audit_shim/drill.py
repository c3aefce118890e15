"""Every operation of one step: name, digests of inputs and outputs, the user's line.

Runs only in the drilling pass. The mode is entered when the step before has
ended and left when the step itself has.
"""
import sys

from repro_audit_shim import core, digest, frames, record

LIMIT = 50000
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
            before = None
            if not core.state.disabled and count[0] < LIMIT:
                before = look((args, kwargs))
            result = func(*args, **kwargs)
            if before is not None:
                write(func, before, look(result))
            return result

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

    def enter(*_):
        if mode[0] is None and not core.state.disabled:
            mode[0] = Drill()
            recorder.own_modes[0] = 1
            mode[0].__enter__()

    def leave():
        if mode[0] is not None and mode[0] != "done":
            mode[0].__exit__(None, None, None)
            recorder.own_modes[0] = 0
            mode[0] = "done"

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

    recorder.after, recorder.saw_optimizer = after, saw_optimizer
