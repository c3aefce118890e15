"""Switches of torch: threads, cuDNN, deterministic algorithms, TF32, attention, compile, device.

Each level is set through torch's own function when torch has been imported, and
that function is then replaced: a later call of the job is recorded with its
place and changes nothing.
"""
import os
import sys

from repro_audit_shim import core, frames, hooks, record, settings

ON = ("on", "true", "1", "yes")
OFF = ("off", "false", "0", "no")


def arm(levels):
    """Arms one hook on torch for all of them."""
    device = str(levels.get("device", "")).lower()
    if device.startswith("cuda:"):
        refused = _choose_card(device)
        if refused:
            settings.refuse("device", levels.pop("device"), refused)
    hooks.after_import("torch", lambda torch: _apply(torch, levels))


def _apply(torch, levels):
    for setting, level in sorted(levels.items()):
        try:
            APPLY[setting](torch, setting, str(level).lower())
        except Exception as error:
            settings.refuse(setting, level, "could not be applied: %r" % (error,))


def _switch(setting, level):
    """True, False, or None with the refusal said."""
    if level in ON:
        return True
    if level in OFF:
        return False
    settings.refuse(setting, level, "levels are on and off")
    return None


def _enforce(owner, name, setting, result=None, pass_for=None):
    """Replaces a setter by one that only notes what was asked, and by whom."""

    def make(original):
        def setter(*args, **kwargs):
            if core.released(__name__):
                return original(*args, **kwargs)
            if pass_for is not None and pass_for(sys._getframe(1)):
                return original(*args, **kwargs)
            record.overridden(setting, args[0] if args else kwargs, frames.site(2))
            return result

        return setter

    return core.replace(owner, name, make)


def _in_worker_loop(frame):
    return frame.f_code.co_filename.replace("\\", "/").endswith("torch/utils/data/_utils/worker.py")


def _threads(torch, setting, level):
    if not level.isdigit() or int(level) < 1:
        return settings.refuse(setting, level, "a number of threads from 1 up")
    torch.set_num_threads(int(level))
    _enforce(torch, "set_num_threads", setting, pass_for=_in_worker_loop)
    settings.readable(setting, level, lambda: str(torch.get_num_threads()), level)


def _cudnn(name):
    def apply(torch, setting, level):
        value = _switch(setting, level)
        if value is None:
            return
        getattr(torch._C, "_set_cudnn_" + name)(value)
        _enforce(torch._C, "_set_cudnn_" + name, setting)
        prop = type(torch.backends.cudnn).__dict__.get(name)
        if prop is not None and hasattr(prop, "setter"):
            prop.setter = getattr(torch._C, "_set_cudnn_" + name)
        read = getattr(torch._C, "_get_cudnn_" + name)
        settings.readable(setting, level, lambda: "on" if read() else "off", "on" if value else "off", _card(torch))

    return apply


def _card(torch):
    return None if torch.cuda.is_available() else "no CUDA device: set, but without effect here"


def _deterministic(torch, setting, level):
    if level not in ("off", "warn", "on"):
        return settings.refuse(setting, level, "levels are off, warn and on")
    if hasattr(torch.utils, "deterministic"):
        # filling new memory would touch another source: `uninitialised`
        torch.utils.deterministic.fill_uninitialized_memory = False
    if level == "warn":
        torch.use_deterministic_algorithms(True, warn_only=True)
        from repro_audit_shim import alerts

        alerts.arm(torch)
    else:
        torch.use_deterministic_algorithms(level == "on")
    for name in ("use_deterministic_algorithms", "set_deterministic_debug_mode"):
        _enforce(torch, name, setting)
    _enforce(torch._C, "_set_deterministic_algorithms", setting)

    def read():
        if not torch.are_deterministic_algorithms_enabled():
            return "off"
        return "warn" if torch.is_deterministic_algorithms_warn_only_enabled() else "on"

    settings.readable(setting, level, read, level)


def _tf32(torch, setting, level):
    value = _switch(setting, level)
    if value is None:
        return
    for name in ("_set_cublas_allow_tf32", "_set_cudnn_allow_tf32"):
        getattr(torch._C, name)(value)
        _enforce(torch._C, name, setting)
    _enforce(torch, "set_float32_matmul_precision", setting)
    _enforce_new_precision(torch, setting)

    def read():
        matmul, conv = torch._C._get_cublas_allow_tf32(), torch._C._get_cudnn_allow_tf32()
        return ("on" if matmul else "off") if matmul == conv else "mixed"

    settings.readable(setting, level, read, "on" if value else "off", _card(torch))


def _enforce_new_precision(torch, setting):
    """`fp32_precision`, of torch 2.9 and later: once a job sets it, the older switches can no longer even be read."""

    def make(original):
        def setter(backend, op, precision):
            if core.released(__name__) or backend not in ("cuda", "generic"):
                return original(backend, op, precision)
            record.overridden(setting, precision, frames.site(2))
            return None

        return setter

    if hasattr(torch._C, "_set_fp32_precision_setter"):
        core.replace(torch._C, "_set_fp32_precision_setter", make)


SDPA = {"flash": "flash", "efficient": "mem_efficient", "math": "math", "cudnn": "cudnn"}


def _sdpa(torch, setting, level):
    if level not in SDPA:
        return settings.refuse(setting, level, "levels are math, flash, efficient and cudnn")
    if level in ("efficient", "cudnn") and not torch.cuda.is_available():
        return settings.refuse(setting, level, "this backend needs a CUDA device")
    present = []
    for name, suffix in SDPA.items():
        setter = getattr(torch._C, "_set_sdp_use_" + suffix, None)
        if setter is None:
            continue
        present.append(name)
        setter(name == level)
        _enforce(torch._C, "_set_sdp_use_" + suffix, setting)
    if level not in present:
        return settings.refuse(setting, level, "this torch has no such backend")

    def read():
        on = [n for n in present if getattr(torch._C, "_get_%s_sdp_enabled" % (
            "mem_efficient" if n == "efficient" else n))()]
        return "+".join(on)

    settings.readable(setting, level, read, level)


def _compile(torch, setting, level):
    if level not in OFF:
        return settings.refuse(setting, level, "only off can be applied from outside")
    if not hasattr(torch, "compile"):
        return settings.readable(setting, level, lambda: "off", "off", "this torch cannot compile")

    def identity(original):
        def compile(model=None, *args, **kwargs):
            if model is None:
                return lambda function: function
            record.overridden(setting, "torch.compile", frames.site(2))
            return model

        return compile

    core.replace(torch, "compile", identity)
    if hasattr(torch.nn.Module, "compile"):
        core.replace(torch.nn.Module, "compile", lambda original: lambda self, *a, **k: None)

    def read():
        return "on" if "torch.compile" in core.displaced(__name__) else "off"

    return settings.readable(setting, level, read, "off")


CHOSEN = "REPRO_AUDIT_CHOSEN_CARD"


def _choose_card(level):
    """Leaves one card visible, which has to happen before CUDA is first used; the reason where there is none of that number."""
    if os.environ.get(CHOSEN) == level:
        return None  # a child of the process that chose
    index = int(level.split(":")[1])
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    cards = None if visible is None else [card for card in visible.split(",") if card.strip()]
    if cards is not None and index >= len(cards):
        return "only %d cards are visible" % len(cards)
    os.environ["CUDA_VISIBLE_DEVICES"] = str(index) if cards is None else cards[index]
    os.environ[CHOSEN] = level
    return None


def _on_card(torch, setting, level):
    """A job without an option for it chooses its device by itself: whether it took the card shows at its first step."""
    if not torch.cuda.is_available():
        return settings.refuse(setting, level, "no CUDA device")

    called = _first_call(torch)

    def idle():
        """Has this process computed, and not on a card?"""
        return bool(settings.stepped() or called[0]) and not torch.cuda.is_initialized()

    def note():
        return "the job computes on the CPU though a card is there; put {device} where its command takes the device" \
            if idle() else None

    return settings.readable(setting, level, lambda: "cpu" if idle() else level, level, note)


def _first_call(torch):
    """Becomes true when a module is called; that is all there is to see where nothing is trained."""
    module = torch.nn.Module
    original = module.__call__
    called = [False]

    def __call__(self, *args, **kwargs):
        called[0] = True
        if module.__call__ is __call__:
            module.__call__ = original
        return original(self, *args, **kwargs)

    module.__call__ = core.dress(__call__, original)
    return called


def _device(torch, setting, level):
    if level != "cpu":
        return _on_card(torch, setting, level)

    def no_card(original):
        def is_available():
            return False

        return is_available

    core.replace(torch.cuda, "is_available", no_card)
    core.replace(torch.cuda, "device_count", lambda original: lambda: 0)
    settings.readable(setting, level, lambda: "cuda" if torch.cuda.is_initialized() else "cpu", "cpu")


APPLY = {
    "threads": _threads,
    "cudnn.enabled": _cudnn("enabled"),
    "cudnn.benchmark": _cudnn("benchmark"),
    "cudnn.deterministic": _cudnn("deterministic"),
    "deterministic_algorithms": _deterministic,
    "cuda.tf32": _tf32,
    "sdpa.backend": _sdpa,
    "compile": _compile,
    "device": _device,
}
