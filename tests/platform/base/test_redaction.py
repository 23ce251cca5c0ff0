"""Passwords are hidden from whatever a person or a program reads."""

import time

import pytest

from holdfast.base import HoldfastError, StoreError, hide_in_url, hide_secrets, is_secret, load_settings
from holdfast.store import open_store
from holdfast_serving import ServingConfig

SECRET = "s3cr3t"
TEXTS = [
    "postgresql://user:s3cr3t@host/database",
    "postgresql+psycopg://user:s3cr3t%40@host:5432/database?sslmode=require",
    "postgresql://user:a/s3cr3t@host/database",
    "postgresql://user:1234/s3cr3t@host/database",
    "postgresql://user:a@s3cr3t@host/database",
    "postgresql://user:a's3cr3t@host/database",
    "postgresql://host/database?user=user&password=s3cr3t",
    "postgresql://host/database?password=s3cr3t&user=user",
    "postgresql://host/database?pass%77ord=s3cr3t",
    "postgresql://user@host/database?sslpassword=s3cr3t",
    "postgres://user:s3cr3t@host/database",
    "s3://KEY:s3cr3t@bucket/photos",
    "s3://bucket/photos?access_key=KEY&secret_key=s3cr3t&endpoint_override=minio:9000",
    "s3://bucket/photos?session_token=s3cr3t",
    "abfs://container@account.dfs.core.windows.net/photos?account_key=s3cr3t",
    "https://account.blob.core.windows.net/photos/1.png?sv=2024&sig=s3cr3t",
    "https://bucket.s3.amazonaws.com/1.png?X-Amz-Signature=s3cr3t",
    "http://root:s3cr3t@milvus:19530",
    "https://s3cr3t@cluster.example.org",
    "host=host user=user password=s3cr3t",
    "host=host password = 'a s3cr3t' user=user",
    "--set index.token=root:s3cr3t",
    "{'kind': 'milvus', 'token': 'root:s3cr3t'}",
    "DefaultEndpointsProtocol=https;AccountKey=s3cr3t==;EndpointSuffix=core.windows.net",
    "Authorization: Bearer s3cr3t",
]
PLAIN = [
    "http://minio:9000/photos/a@2x.png",
    "http://127.0.0.1:8265 and http://[::1]:8000/",
    "postgresql://user@host:5432/database?sslmode=require&sslkey=/etc/key",
    "s3://bucket/photos?endpoint_override=minio:9000",
    "index.token: Input should be a valid string",
    "min_seq=5, key=3, k=1",
    "mail of a@b.example, or 12:30 o'clock",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_secret_is_hidden_and_the_rest_is_not(text):
    for shown in (hide_secrets(f"At {text} it failed."), str(HoldfastError(f"{text!r} failed"))):
        assert SECRET not in shown
        assert "***" in shown
        assert shown.endswith("failed.") or shown.endswith("failed")


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_secret_stays(text):
    assert hide_secrets(text) == text


def test_a_url_may_hold_blanks():
    assert SECRET not in hide_in_url("postgresql://user:a s3cr3t@host/database?password=b s3cr3t")


def test_names_of_secrets():
    assert all(
        map(is_secret, ["password", "index.token", "AccountKey", "X-Amz-Security-Token", "secret_key"])
    )
    assert not any(map(is_secret, ["key", "sslkey", "passfile", "min_seq", "tokens_per_image", "compass"]))


def test_hostile_texts_cost_no_more_than_their_length():
    started = time.perf_counter()
    for text in ("://a:" * 10_000, "a://b:" * 10_000 + "@", "?a" * 30_000, "password='" + "\\" * 60_000):
        hide_secrets(text)
    assert time.perf_counter() - started < 10


def test_errors_keep_their_class_and_other_arguments():
    assert StoreError("a", 3).args == ("a", 3)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:s3cr3t@127.0.0.1:1/database",
        "postgresql://user@127.0.0.1:1/database?password=s3cr3t",
        "postgresql://user:s3cr3t@127.0.0.1:port/database",
        "postgresql://user:a@s3cr3t@127.0.0.1:1/database",
        "postgresql://127.0.0.1:1/database?user=user&password=s3cr3t&sslmode=nonsense",
        "mysql://user:s3cr3t@host/database",
        "nonsense://user:s3cr3t@host/database",
    ],
)
def test_a_store_that_cannot_be_opened_keeps_its_password(url, tmp_path):
    with pytest.raises(StoreError) as refused:
        open_store(url, str(tmp_path))
    assert SECRET not in str(refused.value)


def test_a_setting_that_is_refused_keeps_its_secret():
    index = ["index.kind=milvus", "index.uri=http://milvus:19530"]
    for override in ("index.token=[s3cr3t]", "index.uri=ftp://root:s3cr3t@milvus", "index.token=root:s3cr3t"):
        with pytest.raises(HoldfastError) as refused:
            load_settings(ServingConfig, None, ["store=x", "replicas=0", *index, override])
        assert SECRET not in str(refused.value)
    assert SECRET not in repr(ServingConfig(store="postgresql://user:s3cr3t@host/database"))


def test_how_a_key_is_sent_can_be_said() -> None:
    said = "send Authorization: Bearer KEY, or X-API-Key: KEY."
    assert hide_secrets(said) == said
    assert "KEYS3cret" not in hide_secrets("Authorization: Bearer KEYS3cret")
