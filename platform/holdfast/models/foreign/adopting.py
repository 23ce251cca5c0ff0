"""From what a user calls a model to its files, described."""

from pathlib import Path

from holdfast.base import ConfigError, kinds_of, load_class
from holdfast.models.foreign.description import ForeignConfig
from holdfast.models.foreign.kinds import BUILT_IN
from holdfast.models.foreign.loading import load_foreign
from holdfast.models.foreign.wishes import Wishes
from holdfast.models.model import Model


def adopt_files(model: str, wishes: Wishes, folder: Path) -> Model:
    """Put all that a model needs into an empty folder, with its description; returns it as it is loaded.

    Args:
        model: `KIND:REFERENCE`, such as `onnx:FILE`; of another package `package.module:Class:REFERENCE`.

    Raises ConfigError for an unknown kind, and for what is no such model.
    """
    kind, _, reference = model.partition(":")
    name, _, rest = reference.partition(":")
    by_word = {word: config for config in BUILT_IN for word in kinds_of(config)}
    if kind in by_word:
        by_word[kind].adopt(reference, wishes, folder)
    elif "." in kind and name.isidentifier():
        load_class(f"{kind}:{name}", ForeignConfig).adopt(rest, wishes, folder)
    else:
        words = ", ".join(f"{word}:" for word in by_word)
        raise ConfigError(f"{model!r} names no model: it begins with one of {words}, such as onnx:FILE.")
    return load_foreign(folder)
