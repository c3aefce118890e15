"""Hooks on optimizers, on backward and on the gradient scaler."""
import sys

from repro_audit_shim import core, hooks
from repro_audit_shim.guards import compiling


def hook(torch, recorder):
    """Tells the recorder when a step begins and ends and what the losses were."""
    hooks.after_import("torch.optim.optimizer", lambda module: _optimizers(module, recorder))
    if recorder.active:
        _backward(torch, recorder)
        for name in ("torch.amp.grad_scaler", "torch.cuda.amp.grad_scaler"):  # before 2.3 only the second
            hooks.after_import(name, lambda module: _scaler(module, recorder))


def _optimizers(module, recorder):
    before = core.guarded("before step", recorder.before)
    after_closure = core.guarded("after closure", recorder.after_closure)
    after = core.guarded("after step", recorder.after)
    saw = core.guarded("optimizer built", recorder.saw_optimizer)

    def pre(optimizer, args, kwargs):
        if compiling[0]() or core.state.disabled or _within_step(optimizer):
            return None
        rest = args[1:] if args and args[0] is optimizer else args
        closure = rest[0] if rest else kwargs.get("closure")
        before(optimizer, callable(closure))
        if not callable(closure) or not recorder.active:
            return None

        def watched(*a, **k):
            result = closure(*a, **k)
            if not compiling[0]():
                after_closure(optimizer)
            return result

        core.dress(watched, closure)
        if rest:
            head = args[: len(args) - len(rest)]
            return head + (watched,) + tuple(rest[1:]), kwargs
        changed = dict(kwargs)
        changed["closure"] = watched
        return args, changed

    def post(optimizer, args, kwargs):
        if not compiling[0]() and not _within_step(optimizer):
            after(optimizer)

    around_steps(module, pre, post)

    def built(original):
        def __init__(self, *args, **kwargs):
            original(self, *args, **kwargs)
            if not compiling[0]():
                saw(self)

        return __init__

    core.replace(module.Optimizer, "__init__", built)


def around_steps(module, pre, post=None):
    """Calls `pre` and `post` before and after the `step` of every optimizer."""
    if hasattr(module, "register_optimizer_step_pre_hook"):
        module.register_optimizer_step_pre_hook(pre)
        if post is not None:
            module.register_optimizer_step_post_hook(post)
    else:
        _old_optimizers(module, pre, post or (lambda optimizer, args, kwargs: None))


def _within_step(optimizer):
    """Is this the `step` of a parent class, called by the same optimizer's own? It is part of that one step."""
    frame = sys._getframe(2)
    for _ in range(12):
        if frame is None:
            return False
        if frame.f_code.co_name == "step" and frame.f_locals.get("self") is optimizer:
            return True
        frame = frame.f_back
    return False


def _old_optimizers(module, pre, post):
    """torch before 2.0 has no global hooks: a class's `step` is wrapped when its first instance is built, as torch does."""

    def make(original):
        def _hook_for_profile(self):
            original(self)
            kind = type(self)
            if not getattr(kind.step, "_repro_audit_watched", False):
                kind.step = _watched_step(kind.step, pre, post)

        return _hook_for_profile

    core.replace(module.Optimizer, "_hook_for_profile", make)


def _watched_step(original, pre, post):
    def step(*args, **kwargs):
        optimizer = args[0]
        args, kwargs = pre(optimizer, args, kwargs) or (args, kwargs)
        result = original(*args, **kwargs)
        post(optimizer, args, kwargs)
        return result

    core.dress(step, original)
    step.hooked = step._repro_audit_watched = True  # the first is torch's own mark: wrapped already
    return step


def _backward(torch, recorder):
    saw = core.guarded("loss", recorder.saw_loss)
    depth = [0]

    def make(original):
        def backward(*args, **kwargs):
            if compiling[0]():
                return original(*args, **kwargs)
            if not core.state.disabled and depth[0] == 0 and not recorder.busy():
                first = args[0] if args else kwargs.get("tensors", kwargs.get("outputs"))
                saw([first] if isinstance(first, torch.Tensor) else list(first or ()))
            depth[0] += 1
            try:
                return original(*args, **kwargs)
            finally:
                depth[0] -= 1

        return backward

    core.replace(torch.autograd, "backward", make)
    core.replace(torch.autograd, "grad", make)


def _scaler(module, recorder):
    if "step" not in vars(module.GradScaler):
        return
    skipped = core.guarded("skipped step", recorder.skipped)

    def make(original):
        def step(self, optimizer, *args, **kwargs):
            if compiling[0]():
                return original(self, optimizer, *args, **kwargs)
            seen = recorder.step
            result = original(self, optimizer, *args, **kwargs)
            if not core.state.disabled and recorder.step == seen and self.is_enabled():
                skipped(optimizer)
            return result

        return step

    core.replace(module.GradScaler, "step", make)
