"""Ends the process at a chosen moment: after a step, a saved checkpoint, or an epoch of the first loader."""
import os

from repro_audit_shim import core, hooks, record

_seen = {"checkpoint": 0, "epoch": 0}
_loader = []


def arm(torch, recorder):
    """Hooks the one moment that was asked for."""
    asked = core.state.kill
    number, name = int(asked["n"]), asked.get("signal") or "KILL"
    end = core.guarded("interrupt", lambda: _end(name, asked["at"], number, recorder))
    if asked["at"] == "step":
        hooks.after_import("torch.optim.optimizer", lambda module: _after_step(module, recorder, number, end))
    elif asked["at"] == "checkpoint":
        hooks.after_import("torch.serialization", lambda module: _after_save(torch, number, end))
    elif asked["at"] == "epoch":
        hooks.after_import("torch.utils.data.dataloader", lambda module: _after_epoch(module, number, end))


def _end(name, at, number, recorder):
    import signal

    recorder.flush(wait=True)
    record.write({"r": "interrupted", "at": at, "n": number, "signal": name, "steps": recorder.first_steps})
    os.kill(os.getpid(), getattr(signal, "SIG" + name))


def _after_step(module, recorder, number, end):
    first = []

    def post(optimizer, args, kwargs):
        if not first:
            first.append(optimizer)
        if optimizer is first[0] and recorder.first_steps == number:
            end()

    module.register_optimizer_step_post_hook(post)


def _after_save(torch, number, end):
    def make(original):
        def save(obj, f, *args, **kwargs):
            result = original(obj, f, *args, **kwargs)
            if not _ours(f) and core.worker_id() is None:
                _seen["checkpoint"] += 1
                if _seen["checkpoint"] == number:
                    end()
            return result

        return save

    core.replace(torch, "save", make)


def _ours(f):
    name = getattr(f, "name", None)
    return isinstance(name, str) and core.state.record_dir is not None and name.startswith(core.state.record_dir)


def _after_epoch(module, number, end):
    def make(original):
        def __next__(self):
            if not _loader:
                _loader.append(getattr(self, "_dataset", None))
            try:
                return original(self)
            except StopIteration:
                if getattr(self, "_dataset", None) is _loader[0]:
                    _seen["epoch"] += 1
                    if _seen["epoch"] == number:
                        end()
                raise

        return __next__

    core.replace(module._BaseDataLoaderIter, "__next__", make)
