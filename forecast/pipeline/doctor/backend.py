"""Keras's backend: what it computes on, and how well. Starting it takes seconds."""

from __future__ import annotations

from collections.abc import Iterator

from forecast.config import Settings
from forecast.errors import ConfigError
from forecast.pipeline.doctor.finding import FAIL, OK, WARN, Finding

_HALF, _BRAIN = (7, 0), (8, 0)


def backend(settings: Settings) -> Iterator[Finding]:
    """The devices, whether their memory grows, the fused kernels and the precisions that pay."""
    from forecast.networks.training import prepare_backend

    try:
        prepare_backend(0)
        import_error = None
    except ConfigError as error:
        yield Finding("backend", FAIL, error.message, error.hint)
        return
    except Exception as error:  # whatever a broken TensorFlow raises while it is imported
        import_error = error
    if import_error is not None:
        told = f"it does not start: {type(import_error).__name__}: {import_error}"
        yield Finding("backend", FAIL, told.splitlines()[0], "make install")
        return
    from forecast.networks.devices import cpu_loop, devices, driver_present, fused_kernels

    found = devices()
    gpus = [device for device in found if device.kind == "GPU"]
    if not gpus:
        missed = driver_present()
        told = "no GPU" + (", though this machine has an NVIDIA driver" if missed else "")
        hint = "pip install -e '.[gpu]'" if missed else None
        yield Finding("devices", WARN if missed else OK, f"{told}: networks train on the CPU", hint)
    for device in gpus:
        grows = {True: "memory grows as needed", False: "takes all memory at once", None: ""}
        told = ", ".join(part for part in (device.name, grows[device.memory_grows]) if part)
        hint = "TF_FORCE_GPU_ALLOW_GROWTH=true" if device.memory_grows is False else None
        yield Finding("devices", WARN if hint else OK, told, hint)
    fused, reason = fused_kernels(settings.network, settings.units)
    uses = {True: "uses", False: "does not use", None: "needs none of"}[fused]
    told = f"{settings.network} {uses} cuDNN's fused ones: {reason}"
    yield Finding("kernels", WARN if gpus and fused is False else OK, told)
    loop, compiler = cpu_loop(settings.network, settings.units)
    if loop is not None:
        yield Finding("loop", OK, loop, "install gcc, then make install" if compiler else None)
    if gpus:
        yield Finding("precision", OK, _precisions([device.capability for device in gpus]))


def _precisions(capabilities: list[tuple[int, int] | None]) -> str:
    known = [capability for capability in capabilities if capability is not None]
    if not known:
        return "float32; the backend does not tell what the card can do"
    weakest = min(known)
    pays = [
        name
        for name, needed in (("mixed_float16", _HALF), ("mixed_bfloat16", _BRAIN))
        if weakest >= needed
    ]
    told = f"capability {weakest[0]}.{weakest[1]}"
    return f"{told}: {' and '.join(pays)} may pay" if pays else f"{told}: float32 alone pays"
