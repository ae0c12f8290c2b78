"""What a reader may have set before: Keras's backend, a policy, a closed stderr."""

import os
import subprocess
import sys

import pytest

STEP = """
import numpy as np, keras
SETTING
from hamlib.recipes import RECIPES
from hamlib.models import PolicyGradient
from hamlib.tasks import get_task
from hamlib.training import build, compile_model, stream
import dataclasses
for name in ("smallest-2016", "sort", "stack", "sort-lstm+a"):
    recipe = RECIPES[name]
    keras.utils.set_random_seed(0)
    model = build(recipe)
    model = PolicyGradient(model) if recipe.reinforced else model
    compile_model(model, recipe, jit_compile=False)
    task = get_task(recipe.task)
    loss = model.fit(stream(task, 4, 8, 0), steps_per_epoch=2, verbose=0).history["loss"][0]
    inputs, _ = task.examples(4, 3, 0, 0)
    print(name, round(float(loss), 4), np.asarray(model(inputs)).dtype, np.round(np.asarray(model(inputs)).sum(), 2))
"""


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}
    )


@pytest.fixture(scope="module")
def plain():
    return run(STEP.replace("SETTING", "")).stdout


@pytest.mark.parametrize(
    "setting",
    [
        "keras.config.set_dtype_policy('mixed_float16')",
        "keras.config.set_dtype_policy('mixed_bfloat16')",
        "keras.config.set_floatx('float64')",
    ],
)
def test_models_keep_float32(setting, plain):
    """Built, trained and called under any policy they give the numbers that they give without."""
    found = run(STEP.replace("SETTING", setting))
    assert found.stdout == plain and plain.count("float32") == 4, found.stderr[-2000:]


@pytest.mark.parametrize("backend", ["jax", "torch", "nonsense"])
def test_another_backend_is_named(backend):
    found = run("import hamlib", KERAS_BACKEND=backend)
    last = found.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: KERAS_BACKEND: got '" + backend) and "expected 'tensorflow'" in last


def test_a_keras_json_with_another_backend_is_named(tmp_path):
    (tmp_path / "keras.json").write_text('{"backend": "jax"}')
    found = run("import hamlib", KERAS_HOME=str(tmp_path))
    assert "ImportError" in found.stderr.strip().splitlines()[-1] and "tensorflow" in found.stderr


@pytest.mark.parametrize("close", ["sys.stderr = None", "os.close(2)", "sys.stderr = None; os.close(2)"])
def test_without_stderr(close):
    assert run(f"import os, sys; {close}\nimport hamlib; print('done')").stdout == "done\n"
