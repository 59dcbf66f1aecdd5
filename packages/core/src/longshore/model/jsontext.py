"""JSON texts of many small values."""

from __future__ import annotations

import json
from collections.abc import Callable
from json.encoder import c_make_encoder  # type: ignore[attr-defined]  # there in CPython, None elsewhere
from typing import Any

__all__ = ["json_writer"]


def json_writer(*, compact: bool = True, sort_keys: bool = False, ascii_only: bool = True) -> Callable[[Any], str]:
    """Make a function that writes a value as JSON text.

    It writes what `json.dumps` would, which makes an encoder for each value: that takes longer than to write a small
    one. The function does not look for values that hold themselves.

    Raises:
        TypeError, ValueError: by the function, when JSON cannot say a value.
    """
    item, key = (",", ":") if compact else (", ", ": ")
    encoder = json.JSONEncoder(
        sort_keys=sort_keys, ensure_ascii=ascii_only, check_circular=False, separators=(item, key)
    )
    if c_make_encoder is None:
        return encoder.encode
    write_text = json.encoder.encode_basestring_ascii if ascii_only else json.encoder.encode_basestring
    pieces = c_make_encoder(None, encoder.default, write_text, None, key, item, sort_keys, False, True)
    return lambda value: "".join(pieces(value, 0))
