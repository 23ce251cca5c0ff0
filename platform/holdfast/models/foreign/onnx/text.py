"""The text tower beside an image tower, both ONNX: its tokenizer, and what runs it."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.base import ConfigError, Settings, import_extra
from holdfast.models.foreign.onnx.files import copy_model, open_session, shape_of
from holdfast.models.foreign.signature import choose_output

MODEL = "text.onnx"
TOKENIZER = "tokenizer.json"
_INTEGERS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
_LONGEST = 100_000
"""A tokenizer's file says 1e30 where it knows no longest text."""


class TextTower(Settings):
    """How a text becomes tokens, besides the tokenizer itself."""

    output: str
    length: int | None = None
    """Every text is filled up or cut off to so many tokens; None: each is embedded at its own length."""
    pad: int = 0
    """The token that fills up."""


def adopt_text(model: Path, tokenizer: Path, wished: str | None, folder: Path) -> TextTower:
    """Copy a text tower and its tokenizer into `folder`. Raises ConfigError."""
    if not tokenizer.is_file():
        raise ConfigError(f"There is no file {str(tokenizer)!r}: give --tokenizer tokenizer.json.")
    copy_model(model, folder, MODEL)
    shutil.copyfile(tokenizer, folder / TOKENIZER)
    session = open_session(folder / MODEL, str(model))
    _token_types(session, str(model))
    outputs = {each.name: shape_of(each) for each in session.get_outputs()}
    fixed = {shape_of(each)[-1] for each in session.get_inputs()} - {None}
    said = _said_of_tokens(tokenizer)
    length = fixed.pop() if fixed else said.get("length")
    loaded = _load_tokenizer(folder / TOKENIZER, str(tokenizer))
    pad = said.get("pad")
    if isinstance(pad, str):
        pad = loaded.token_to_id(pad)
    if length is not None and pad is None:
        raise ConfigError(
            f"{model} takes texts of {length} tokens, and {tokenizer} does not say which token fills them "
            "up: put the model's tokenizer_config.json beside it."
        )
    return TextTower(output=choose_output(outputs, wished, str(model)), length=length, pad=pad or 0)


class OnnxText:
    """A tokenizer and a session, which any number of threads may use."""

    def __init__(self, tower: TextTower, folder: Path, named: str) -> None:
        self._output = tower.output
        self._length = tower.length
        self._tokenizer = _load_tokenizer(folder / TOKENIZER, named)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        if tower.length is not None:
            self._tokenizer.enable_truncation(tower.length)
            self._tokenizer.enable_padding(length=tower.length, pad_id=tower.pad)
        self._session = open_session(folder / MODEL, named)
        self._types = _token_types(self._session, named)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (n, d), of any norm."""
        encoded = [self._tokenizer.encode(text) for text in texts]
        if self._length is not None:
            return self._run(encoded)
        return np.concatenate([self._run([each]) for each in encoded])

    def _run(self, encoded: Sequence[Any]) -> np.ndarray:
        values = {
            "input_ids": [each.ids for each in encoded],
            "attention_mask": [each.attention_mask for each in encoded],
        }
        given = {name: np.array(values[name], _INTEGERS[kind]) for name, kind in self._types.items()}
        (answer,) = self._session.run([self._output], given)
        if np.ndim(answer) != 2:
            raise ConfigError(
                f"The text tower answers with shape {np.shape(answer)}: embeddings are (texts, dimension); "
                "name another of its outputs."
            )
        return np.asarray(answer, np.float32)


def _token_types(session: Any, named: str) -> dict[str, str]:
    """The types of its inputs by name. Raises ConfigError for inputs that tokens cannot feed."""
    types = {each.name: each.type for each in session.get_inputs()}
    unknown = types.keys() - {"input_ids", "attention_mask"}
    if unknown or "input_ids" not in types or not set(types.values()) <= _INTEGERS.keys():
        listed = ", ".join(f"{name}: {kind}" for name, kind in types.items())
        raise ConfigError(f"{named} takes {listed}: a text tower takes input_ids, and attention_mask maybe.")
    return types


def _said_of_tokens(tokenizer: Path) -> Mapping[str, Any]:
    """What a tokenizer's own file, else the one that transformers keeps beside it, says of filling up:
    `length`, and `pad` as a number or a token."""
    said: dict[str, Any] = {}
    beside = tokenizer.with_name("tokenizer_config.json")
    if beside.is_file():
        config = _read_json(beside)
        pad, longest = config.get("pad_token"), config.get("model_max_length")
        said["pad"] = pad.get("content") if isinstance(pad, Mapping) else pad
        if isinstance(longest, int) and longest < _LONGEST and said["pad"] is not None:
            said["length"] = longest
    padding = _read_json(tokenizer).get("padding")
    if isinstance(padding, Mapping):
        said["pad"] = padding.get("pad_id")
        strategy = padding.get("strategy")
        if isinstance(strategy, Mapping) and "Fixed" in strategy:
            said["length"] = strategy["Fixed"]
    return said


def _read_json(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{file} is not valid JSON: {error}.") from error


def _load_tokenizer(file: Path, named: str) -> Any:
    library = import_extra(
        "tokenizers", "onnx", "A text tower in ONNX needs the library tokenizers", ConfigError
    )
    try:
        return library.Tokenizer.from_file(str(file))
    except Exception as error:
        # The library raises Exception itself.
        raise ConfigError(f"{named} is no tokenizer.json: {error}.") from error
