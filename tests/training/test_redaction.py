"""Which names hold secrets, for W&B's settings and for the variables of a job's file."""

import pytest

from zoo.runs.redaction import is_secret, redact

SECRETS = (
    *("key", "api_key", "APIKEY", "keys", "WANDB_API_KEY", "wandb_key", "HF_TOKEN", "HFTOKEN"),
    *("token", "tokens", "secret", "secrets", "my_secret", "AWS_SECRET", "password", "passwords"),
    *("passwd", "MYPASSWD", "DB_PASSWORD", "credential", "credentials", "GIT_CREDENTIALS"),
)
OPEN = (
    *("key_size", "num_keys_", "tokenizer", "token_dim", "keyboard", "secretary", "passwordless"),
    *("ZOO_DATA", "lr", "batch_size", "max_tokens_per_batch", "monitor", "pass", "vocabulary"),
)


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_known_by_their_names(name):
    assert is_secret(name)
    assert redact({"model": [{name: "0123", "lr": 1}]}) == {"model": [{"lr": 1}]}


@pytest.mark.parametrize("name", OPEN)
def test_other_names_are_not(name):
    assert not is_secret(name)
    assert redact({name: "0123"}) == {name: "0123"}
