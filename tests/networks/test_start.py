"""What loading Keras leaves out, and that it can be had afterwards."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import pytest

START = """
import sys
from forecast.networks.training import prepare_backend
prepare_backend(1)
assert "tensorflow" in sys.modules
assert not {"sklearn", "matplotlib"} & set(sys.modules), "loaded for nothing"
import matplotlib, sklearn
prepare_backend(1)
assert sys.modules["sklearn"] is sklearn
"""


LOOKED_FOR = """
import importlib.util
from forecast.networks.importing import importing_keras
with importing_keras():
    assert importlib.util.find_spec("sklearn") is not None
    try:
        import sklearn
    except ModuleNotFoundError:
        print("hidden")
import sklearn
"""


THREADS = """
import sys, threading, time
from forecast.networks.training import prepare_backend
begun, ended = threading.Event(), threading.Event()

def talk():
    begun.set()
    import sklearn.utils, matplotlib
    while not ended.is_set():
        print("line", file=sys.stderr, flush=True)
        said.append(1)
        time.sleep(0.01)

said, faults = [], []
threading.excepthook = lambda fault: faults.append(fault.exc_value)
thread = threading.Thread(target=talk)
thread.start()
begun.wait()
prepare_backend(1)
ended.set()
thread.join()
print(len(said), faults)
"""
OPERATIONS = """
from forecast.networks.training import prepare_backend
prepare_backend(1)
import tensorflow as tf
from tensorflow.python.eager import context
print(float(tf.raw_ops.Digamma(x=tf.constant(1.0, "float64"))))
print([name for name in context.context().list_function_names() if "Digamma" in name])
"""
CLOSED = """
import sys
sys.stderr = None
from forecast.networks.training import prepare_backend
prepare_backend(1)
"""


def python(code, **variables):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )


def test_other_threads_import_and_speak_while_keras_is_imported():
    result = python(THREADS)
    said, faults = result.stdout.strip().split(" ", 1)
    assert faults == "[]"
    assert int(said) > 10
    assert result.stderr == "line\n" * int(said)


def test_tensorflow_makes_no_function_of_an_operation():
    value, functions = python(OPERATIONS).stdout.splitlines()
    assert float(value) == pytest.approx(-0.57721566)
    assert functions == "[]"


def test_without_a_stderr_keras_starts_all_the_same():
    assert python(CLOSED).returncode == 0


@pytest.mark.parametrize("backend", ["torch", "foo"])
def test_a_backend_that_is_not_there_is_an_error_with_words(backend, tmp_path):
    if importlib.util.find_spec(backend):
        pytest.skip(f"{backend} is installed")
    chosen = tmp_path / "keras.json"
    chosen.write_text(json.dumps({"backend": backend}))
    variables = ({"KERAS_BACKEND": backend}, {"KERAS_HOME": str(tmp_path)})
    for given, place in zip(variables, ("KERAS_BACKEND", str(chosen)), strict=True):
        environment = {name: os.environ[name] for name in os.environ if name != "KERAS_BACKEND"}
        code = f"import os; os.environ.clear(); os.environ.update({environment | given!r}){REFUSED}"
        result = python(code)
        assert result.returncode == 0, result.stderr[-2000:]
        assert f"Received '{backend}' from {place}" in result.stdout


REFUSED = """
from forecast.errors import ConfigError
from forecast.networks.training import prepare_backend
try:
    prepare_backend(1)
except ConfigError as error:
    print(error)
"""


def test_keras_starts_without_what_it_needs_for_nothing():
    result = python(START)
    assert result.returncode == 0, result.stderr[-2000:]


def test_who_looks_whether_a_hidden_package_is_there_gets_an_answer():
    # As torch's compiler does for a list of packages; an exception instead ends its import.
    result = python(LOOKED_FOR)
    assert (result.stdout, result.returncode) == ("hidden\n", 0), result.stderr[-2000:]
