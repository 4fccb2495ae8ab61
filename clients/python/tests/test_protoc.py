"""The proto by `protoc` as it is, without buf and its managed mode: the options for Go and Java stand in the files."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from serving import REPOSITORY

PROTO = REPOSITORY / "proto"
FILES = sorted(PROTO.glob("breakglass/v1/*.proto"))
GO = REPOSITORY / "clients" / "go"
PROTOC = Path(sys.executable).with_name("protoc")


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


def without_versions(generated: str) -> str:
    """The code without the head that names its generators."""
    return re.sub(r"(?m)^//.*\n", "", generated)


@pytest.mark.skipif(shutil.which("go") is None, reason="the generator of Go code is run by go, which is not on PATH")
def test_go_code_lands_in_the_package_of_the_client_and_is_its_code(tmp_path: Path) -> None:
    plugin = run("go", "-C", GO / "tools", "tool", "-n", "protoc-gen-go").strip()
    # `tool -n` names what `tool` builds.
    run("go", "-C", GO / "tools", "tool", "protoc-gen-go", "--version")
    run(PROTOC, "-I", PROTO, f"--plugin=protoc-gen-go={plugin}", f"--go_out={tmp_path}", *FILES)
    landed = tmp_path / "breakglass.test" / "clients" / "go" / "breakglassv1"
    made = {path.name: without_versions(path.read_text()) for path in landed.iterdir()}
    kept = (path for path in (GO / "breakglassv1").glob("*.pb.go") if not path.name.endswith("_grpc.pb.go"))
    assert made == {path.name: without_versions(path.read_text()) for path in kept}
    assert len(made) == len(FILES)


def test_java_code_has_a_package_and_a_file_for_each_message(tmp_path: Path) -> None:
    run(PROTOC, "-I", PROTO, f"--java_out={tmp_path}", *FILES)
    landed = tmp_path / "breakglass" / "v1"
    assert [path for path in tmp_path.rglob("*.java") if path.parent != landed] == []
    names = {path.stem for path in landed.iterdir()}
    for proto in FILES:
        text = proto.read_text()
        outer = re.findall(r'java_outer_classname = "(\w+)"', text)
        top_level = re.findall(r"(?m)^(?:message|enum) (\w+)", text)
        assert names.issuperset([*outer, *top_level]), proto.name
        assert len(outer) == 1
    assert all("\npackage breakglass.v1;\n" in path.read_text() for path in landed.iterdir())
