"""Script mode: how AWS's framework containers run a user's training script without an entrypoint of their own.

The contract is that of the public ``sagemaker-training`` toolkit, which the SDK's estimators rely on: the script's
archive and name come as hyperparameters (JSON text) or variables; the script gets the other hyperparameters as
``--key value`` and finds its folders in ``SM_*`` variables.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.sagemaker.container_folder import ContainerFolder, processor_count, resource_config

CODE = "/opt/ml/code"
_RESERVED = ("sagemaker_", "_tuning_objective_metric")


@dataclass(frozen=True)
class Script:
    """A training script.

    Attributes:
        program: File name in the archive, e.g. ``train.py``.
        submit_directory: S3 URI of the archive, or of a folder in the container.
        hyperparameters: Those that are the script's, decoded from JSON.
    """

    program: str
    submit_directory: str
    hyperparameters: Mapping[str, Any]


def find_script(hyperparameters: Mapping[str, str], environment: Mapping[str, str]) -> Script | None:
    """Return the script that a job's hyperparameters or variables name, or ``None`` where they name none."""
    decoded = {name: _decode(text) for name, text in hyperparameters.items()}
    program = decoded.get("sagemaker_program") or environment.get("SAGEMAKER_PROGRAM")
    directory = decoded.get("sagemaker_submit_directory") or environment.get("SAGEMAKER_SUBMIT_DIRECTORY")
    if not program or not directory:
        return None
    own = {name: value for name, value in decoded.items() if not name.startswith(_RESERVED)}
    return Script(str(program), str(directory), own)


def script_arguments(script: Script) -> list[str]:
    """Return the command: the interpreter or shell, the script, and ``--key value`` in the order of the keys."""
    interpreter = "/bin/sh" if script.program.endswith(".sh") else "python"
    arguments = [interpreter, script.program]
    for name in sorted(script.hyperparameters):
        arguments += [f"--{name}" if len(name) > 1 else f"-{name}", _argument(script.hyperparameters[name])]
    return arguments


def script_environment(
    script: Script, channels: Mapping[str, str], input_config: Mapping[str, Any], instance_type: str
) -> dict[str, str]:
    """Return the ``SM_*`` variables of the toolkit.

    Args:
        script: The script.
        channels: Folder in the container by name of the channel.
        input_config: ``inputdataconfig.json``.
        instance_type: The job's.
    """
    resources = resource_config(instance_type)
    hyperparameters = dict(script.hyperparameters)
    module = script.program.removesuffix(".py")
    arguments = script_arguments(script)[2:]
    variables: dict[str, Any] = {
        "channels": sorted(channels),
        "current_host": resources["current_host"],
        "current_instance_type": instance_type,
        "hosts": resources["hosts"],
        "hps": hyperparameters,
        "input_config_dir": "/opt/ml/input/config",
        "input_data_config": input_config,
        "input_dir": "/opt/ml/input",
        "log_level": 20,
        "model_dir": "/opt/ml/model",
        "module_dir": script.submit_directory,
        "module_name": module,
        "network_interface_name": resources["network_interface_name"],
        "num_cpus": processor_count(),
        "num_gpus": 0,
        "output_data_dir": "/opt/ml/output/data",
        "output_dir": "/opt/ml/output",
        "output_intermediate_dir": "/opt/ml/output/intermediate",
        "resource_config": resources,
        "user_args": arguments,
        "user_entry_point": script.program,
    }
    environment = {f"SM_{name.upper()}": _text(value) for name, value in variables.items()}
    environment |= {f"SM_CHANNEL_{name.upper().replace('-', '_')}": path for name, path in channels.items()}
    environment |= {f"SM_HP_{name.upper().replace('-', '_')}": _argument(v) for name, v in hyperparameters.items()}
    return environment


def script_failure(folder: ContainerFolder, script: Script, exit_code: int, last_lines: list[str]) -> None:
    """Write the failure file as the toolkit does, unless the script wrote its own."""
    if folder.read_text("/opt/ml/output/failure"):
        return
    path = folder.path("/opt/ml/output/failure")
    path.parent.mkdir(parents=True, exist_ok=True)
    message = next((line for line in reversed(last_lines) if line.strip()), "")
    command = " ".join(script_arguments(script))
    path.write_text(
        f'ExecuteUserScriptError:\nExitCode {exit_code}\nErrorMessage "{message}"\nCommand "{command}"',
        encoding="utf-8",
    )


def _decode(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _argument(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
