"""What every hook needs: refusals, settings and messages."""

from componentize_py_types import Err
from wit_world.imports import logging, store
from wit_world.imports.types import Refusal


def refusal(reason: str, hint: str | None = None) -> Err:
    """Says no: `raise refusal(…)`. Any other exception is a crash of the plugin."""
    return Err(Refusal(reason, hint))


def setting(name: str) -> str:
    """One of the settings in plugins.toml."""
    value = store.get(name)
    if value is None:
        raise refusal(f"the setting `{name}` is missing", "write it under `config`")
    return value


def info(message: str) -> None:
    """Shows a message to the person who deploys."""
    logging.log(logging.Level.INFO, "", message)
