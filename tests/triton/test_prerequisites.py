"""What is missing is said, by name and with the remedy."""

import importlib.util
import os
import platform
import shutil
import sysconfig
from typing import Any

import pytest

from framecast.errors import InvalidRepository
from framecast.triton.prerequisites import find_triton


def test_everything_is_found_here() -> None:
    files = find_triton()
    assert files.server.is_file()
    assert files.stub.is_file()
    assert all(folder.is_dir() for folder in files.libraries)


@pytest.mark.parametrize(
    ("module", "name", "value", "sentence"),
    [
        (platform, "machine", lambda: "aarch64", r"Linux x86-64.*--triton-address"),
        (importlib.util, "find_spec", lambda name: None, r"pip install 'framecast\[server\]'"),
        (shutil, "which", lambda name: None, "setpriv is missing; install util-linux"),
        (sysconfig, "get_config_var", lambda name: "/nowhere", r"libpython3\.\d+\.so\.1\.0.*apt-get install libpython"),
    ],
)
def test_what_is_missing_is_said(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, value: Any, sentence: str
) -> None:
    monkeypatch.setattr(module, name, value)
    if name == "get_config_var":
        monkeypatch.setattr(os, "access", lambda path, mode: "libpython" not in str(path))
    with pytest.raises(InvalidRepository, match=sentence):
        find_triton()
