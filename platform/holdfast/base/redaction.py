"""Secrets are hidden wherever a text is shown; this is the one place that knows how they look."""

import re
from urllib.parse import unquote

HIDDEN = "***"

_SECRET_NAME = re.compile(
    r"(?:^|[_.-])(?:(?:ssl)?pass(?:word|wd|phrase)?|pwd|secrets?(?:_?key)?|tokens?|credentials?|sig(?:nature)?"
    r"|(?:api|access|account|private|shared|auth|client|server|storage)_?keys?(?:_?id)?)$",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# All of them bounded, so that a hostile text costs no more than its length.
_SCHEME = r"(?P<scheme>\b[a-z][a-z0-9+.-]{0,40})://(?P<user>[^\s:/?#@'\"]{0,256})"
_USER_INFO = re.compile(_SCHEME + r"(?P<password>:\S{0,1024})?@", re.IGNORECASE)
_USER_INFO_OF_ONE = re.compile(_SCHEME + r"(?P<password>:.*)?@", re.IGNORECASE | re.DOTALL)
_PARAMETER = re.compile(r"(?P<start>[?&;])(?P<name>[^\s=&;?#'\"]{1,100})(?P<is>=)(?P<value>[^\s&'\"]+)")
_PARAMETER_OF_ONE = re.compile(r"(?P<start>[?&])(?P<name>[^=&]{1,100})(?P<is>=)(?P<value>[^&]+)")
_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_PAIR = re.compile(
    # password=x, password = 'x y', 'password': 'x y'; not "password: a word of a sentence"
    r"(?P<start>\b)(?P<name>[A-Za-z][\w.-]{0,100})(?P<is>\s{0,2}=\s{0,2}|['\"]\s{0,2}:\s{0,2})"
    rf"(?P<value>{_QUOTED}|[^\s,;&'\")\]}}]+)"
)
# KEY stands for one where a message says how a key is sent.
_BEARER = re.compile(r"(?P<start>\bBearer\s)(?P<value>(?-i:(?!KEY\b))\S+)", re.IGNORECASE)
_PORT = re.compile(r":\d{1,5}([/?#'\",)]|$)")
_WITH_PORT = ("http", "https", "hdfs", "viewfs", "ray", "grpc", "tcp", "redis")


def is_secret(name: str) -> bool:
    """Whether a setting, an option or a URL's parameter of this name holds a secret."""
    return _SECRET_NAME.search(_CAMEL.sub("_", unquote(name))) is not None


def hide_secrets(text: str) -> str:
    """The text with every password, token and access key in it replaced by `***`.

    Found are those of URLs (`scheme://USER:PASSWORD@HOST`, `?password=`, percent-encoded or not), of
    connection strings (`password=...`), of settings (`'token': ...`) and of headers. Rather too much is
    hidden than too little.
    """
    if "://" in text:
        text = _USER_INFO.sub(_without_password, text)
        text = _PARAMETER.sub(_without_value, text)
    if "=" in text or ":" in text:
        text = _PAIR.sub(_without_value, text)
    return _BEARER.sub(rf"\g<start>{HIDDEN}", text)


def hide_in_url(url: str) -> str:
    """A text that is a URL as a whole, without its secrets, which may then hold blanks and quotes as well."""
    if "://" not in url:
        return url
    return _PARAMETER_OF_ONE.sub(_without_value, _USER_INFO_OF_ONE.sub(_without_password, url))


def _without_password(found: re.Match[str]) -> str:
    scheme, user, password = found["scheme"], found["user"], found["password"]
    if password is None:
        # Who logs in to a web service with one word logs in with a key; to a database, with a name.
        shown = HIDDEN if user and scheme.lower() in ("http", "https") else user
        return f"{scheme}://{shown}@"
    if scheme.lower() in _WITH_PORT and _PORT.match(password):
        return found[0]
    return f"{scheme}://{user}:{HIDDEN}@"


def _without_value(found: re.Match[str]) -> str:
    if not is_secret(found["name"]):
        return found[0]
    quote = found["value"][0] if found["value"][0] in "'\"" else ""
    return f"{found['start']}{found['name']}{found['is']}{quote}{HIDDEN}{quote}"
