"""Ends the process at a chosen moment: after a step, a saved checkpoint, an epoch, or a backward pass of the next step.

A checkpoint is all that is written between two steps: several files, perhaps
through a buffer of the job's own. It counts as saved when training goes on. An
epoch is over when the loader that fed the first step is begun anew, after
everything that the job does at an epoch's end.
"""
import os

from repro_audit_shim import core, hooks, record

_state = {"over": False, "saved_at": None, "checkpoints": 0, "main": None, "last": None, "begun": 0}


def arm(torch, recorder):
    """Hooks the one moment that was asked for."""
    asked = core.state.kill
    number, name = int(asked["n"]), asked.get("signal") or "KILL"
    end = core.guarded("interrupt", lambda: _end(name, asked["at"], number, recorder))
    if asked["at"] == "step":
        hooks.after_import("torch.optim.optimizer", lambda module: _after_step(module, recorder, number, end))
    elif asked["at"] == "backward":
        _after_backward(torch, recorder, number, end)
    elif asked["at"] == "checkpoint":
        _after_save(torch, recorder, number, end)
    elif asked["at"] == "epoch":
        hooks.after_import("torch.optim.optimizer", _first_step)
        hooks.after_import("torch.utils.data.dataloader", lambda module: _after_epoch(module, number, end))


def _end(name, at, number, recorder):
    import signal

    if _state["over"]:
        return
    _state["over"] = True
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


def _after_backward(torch, recorder, number, end):
    def make(original):
        def backward(*args, **kwargs):
            result = original(*args, **kwargs)
            if recorder.first_steps == number:
                end()
            return result

        return backward

    core.replace(torch.autograd, "backward", make)


# -- checkpoints -----------------------------------------------------------------


def _after_save(torch, recorder, number, end):
    import atexit

    def goes_on():
        if _state["checkpoints"] == number:
            end()

    def saved():
        if core.worker_id() is None and _state["saved_at"] != recorder.first_steps:
            if _state["checkpoints"] == number:
                end()
            _state["saved_at"] = recorder.first_steps
            _state["checkpoints"] += 1

    def wrap_save(original):
        def save(obj, f, *args, **kwargs):
            if not _ours(f):
                saved()
            return original(obj, f, *args, **kwargs)

        return save

    def wrap_safetensors(original):
        def save_file(*args, **kwargs):
            saved()
            return original(*args, **kwargs)

        return save_file

    hooks.after_import("torch.serialization", lambda module: core.replace(torch, "save", wrap_save))
    hooks.after_import("safetensors.torch", lambda module: core.replace(module, "save_file", wrap_safetensors))
    hooks.after_import("torch.nn.modules.module", lambda module: _before_forward(torch, module, goes_on))
    hooks.after_import("torch.optim.optimizer", lambda module: _before_step(module, goes_on))
    pid = os.getpid()
    atexit.register(lambda: goes_on() if os.getpid() == pid else None)


def _before_forward(torch, module, call):
    def pre(called, args):
        if called.training and torch.is_grad_enabled() and core.worker_id() is None:
            call()

    module.register_module_forward_pre_hook(pre)


def _before_step(module, call):
    module.register_optimizer_step_pre_hook(lambda optimizer, args, kwargs: call())


def _ours(f):
    name = getattr(f, "name", None)
    return isinstance(name, str) and core.state.record_dir is not None and name.startswith(core.state.record_dir)


# -- epochs ----------------------------------------------------------------------


def _first_step(module):
    def pre(optimizer, args, kwargs):
        if _state["main"] is None and _state["last"] is not None:
            _state["main"] = _state["last"]

    module.register_optimizer_step_pre_hook(pre)


def _after_epoch(module, number, end):
    def wrap_iter(original):
        def __iter__(self):
            if core.worker_id() is None and _state["main"] is not None and self.dataset is _state["main"]:
                _state["begun"] += 1
                if _state["begun"] == number:
                    end()
            return original(self)

        return __iter__

    def wrap_next(original):
        def __next__(self):
            if _state["main"] is None:
                _state["last"] = getattr(self, "_dataset", None)
            return original(self)

        return __next__

    core.replace(module.DataLoader, "__iter__", wrap_iter)
    core.replace(module._BaseDataLoaderIter, "__next__", wrap_next)
