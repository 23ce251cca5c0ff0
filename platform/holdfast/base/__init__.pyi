from .attributes import MAX_ATTRIBUTES, MAX_ID_BYTES, Value, is_null, valid_value
from .errors import (
    ClusterError,
    ConfigError,
    ConflictError,
    DataError,
    DivergedError,
    ExportError,
    HoldfastError,
    IncompatibleError,
    InvalidImageError,
    InvalidVectorError,
    NotFoundError,
    NotReadyError,
    ResourcesError,
    StaleEpochError,
    StoreError,
    TooLargeError,
    TooManyPixelsError,
    UnsoundError,
)
from .extras import import_extra
from .folders import cache_folder
from .kinds import Kinds, PartConfig, configs_of, load_class, outside_part, unknown_kinds
from .names import version_number
from .process import Process
from .processors import THREADS_VARIABLE, cpu_count, cpu_quotas, has_quota, thread_count
from .redaction import HIDDEN, hide_in_url, hide_secrets, is_secret
from .settings import Settings
from .settings_file import load_settings, parse_settings, read_values, refuse_same_place, set_key
from .text import InvalidTextError, check_text, shown
from .vectors import NORM_TOLERANCE, as_vector, bad_norms, explain_norm
from .whole_files import remove_drafts, require_writable, sync, whole_file
from .yaml_text import decode_yaml, dump_yaml, load_yaml

__all__ = [
    "import_extra",
    "ClusterError",
    "ConfigError",
    "ConflictError",
    "DataError",
    "DivergedError",
    "ExportError",
    "HIDDEN",
    "HoldfastError",
    "IncompatibleError",
    "InvalidImageError",
    "InvalidTextError",
    "InvalidVectorError",
    "Kinds",
    "MAX_ATTRIBUTES",
    "MAX_ID_BYTES",
    "NORM_TOLERANCE",
    "NotFoundError",
    "NotReadyError",
    "PartConfig",
    "Process",
    "ResourcesError",
    "Settings",
    "StaleEpochError",
    "StoreError",
    "THREADS_VARIABLE",
    "TooLargeError",
    "TooManyPixelsError",
    "UnsoundError",
    "Value",
    "as_vector",
    "bad_norms",
    "cache_folder",
    "check_text",
    "configs_of",
    "cpu_count",
    "cpu_quotas",
    "decode_yaml",
    "dump_yaml",
    "explain_norm",
    "has_quota",
    "hide_in_url",
    "hide_secrets",
    "is_null",
    "is_secret",
    "load_class",
    "load_settings",
    "load_yaml",
    "outside_part",
    "parse_settings",
    "read_values",
    "refuse_same_place",
    "remove_drafts",
    "require_writable",
    "set_key",
    "shown",
    "sync",
    "thread_count",
    "unknown_kinds",
    "valid_value",
    "version_number",
    "whole_file",
]
