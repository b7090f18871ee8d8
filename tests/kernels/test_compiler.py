import os
import subprocess
import sys

import pytest

from nequip_openmm.errors import BackendError
from nequip_openmm.kernels import compiler

CODE = "int answer(void) { return 42; }\n"


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEQUIP_OPENMM_CACHE", str(tmp_path))
    compiler.cache_folder.cache_clear()
    compiler._load.cache_clear()
    yield tmp_path
    compiler.cache_folder.cache_clear()
    compiler._load.cache_clear()


def libraries(folder):
    return sorted(p for p in folder.iterdir() if p.is_file())


def test_code_is_compiled_once_and_kept(empty_cache, caplog):
    assert compiler.load_library("test code", CODE).answer() == 42
    assert "compiling the test code" in caplog.text
    (kept,) = libraries(empty_cache)
    written = kept.stat().st_mtime_ns

    caplog.clear()
    compiler._load.cache_clear()  # as a new process would begin
    assert compiler.load_library("test code", CODE).answer() == 42
    assert caplog.text == ""
    assert libraries(empty_cache) == [kept]
    assert kept.stat().st_mtime_ns == written


def test_other_code_is_another_file(empty_cache):
    compiler.load_library("test code", CODE)
    assert compiler.load_library("test code", CODE.replace("42", "43")).answer() == 43
    assert len(libraries(empty_cache)) == 2


@pytest.mark.parametrize("what", ["_flags", "_compiler_version", "_processor"])
def test_all_that_the_machine_code_depends_on_is_in_the_name(empty_cache, monkeypatch, what):
    found = compiler._library_path("test", CODE, compiler._compiler())
    monkeypatch.setattr(compiler, what, lambda *_: ("something else",))
    assert compiler._library_path("test", CODE, compiler._compiler()) != found


def test_options_of_ones_own_are_another_file(empty_cache, monkeypatch):
    names = set()
    for options in ("", " -mno-avx512f", " -mno-avx"):
        monkeypatch.setenv("NEQUIP_OPENMM_CC", "python -m ziglang cc" + options)
        names.add(compiler._library_path("test", CODE, compiler._compiler()))
    monkeypatch.delenv("NEQUIP_OPENMM_CC")
    assert len(names) == 3
    assert compiler._library_path("test", CODE, compiler._compiler()) in names


def test_wrong_code_is_an_error_and_leaves_nothing(empty_cache):
    with pytest.raises(BackendError, match=r"compiling the kernels failed.*error"):
        compiler.load_library("test code", "int answer(void) { return forty_two; }\n")
    assert libraries(empty_cache) == []


def test_damaged_library_names_the_file_and_the_remedy(empty_cache):
    path = compiler._library_path("test code", CODE, compiler._compiler())
    path.write_bytes(b"not a library")
    with pytest.raises(BackendError, match="delete the file"):
        compiler.load_library("test code", CODE)


def test_missing_compiler_says_what_to_install(empty_cache, monkeypatch):
    monkeypatch.setattr(compiler.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackendError, match="pip install ziglang"):
        compiler.load_library("test code", CODE)


def test_compiler_of_ones_own_that_does_not_start(empty_cache, monkeypatch):
    monkeypatch.setenv("NEQUIP_OPENMM_CC", "no-such-compiler")
    with pytest.raises(BackendError, match="'no-such-compiler' does not start"):
        compiler.load_library("test code", CODE)


def test_cache_that_cannot_be_written_is_replaced_and_told(tmp_path, monkeypatch, caplog):
    occupied = tmp_path / "file"
    occupied.write_text("no folder")
    monkeypatch.setenv("NEQUIP_OPENMM_CACHE", str(occupied / "cache"))
    compiler.cache_folder.cache_clear()
    folder = compiler.cache_folder()
    compiler.cache_folder.cache_clear()
    assert folder.is_dir()
    assert "NEQUIP_OPENMM_CACHE" in caplog.text


def test_processes_that_compile_at_the_same_time(tmp_path):
    script = (
        "from nequip_openmm.kernels.compiler import load_library\n"
        f"print(load_library('test code', {CODE!r}).answer())"
    )
    environment = {**os.environ, "NEQUIP_OPENMM_CACHE": str(tmp_path)}
    started = [
        subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    assert [p.communicate(timeout=120)[0].strip() for p in started] == [b"42"] * 3
    assert len(libraries(tmp_path)) == 1
