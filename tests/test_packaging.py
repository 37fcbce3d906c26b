"""What travels: the wheel holds the library alone, the bundle the application too."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from fedbreath.config import LIBRARY, choices, config_dir
from simulation import PACKAGES

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
ASSETS = {
    "fedbreath/objectives/public.json",
    "fedbreath/report/page.css",
    "fedbreath/report/page.js",
    "fedbreath/report/figure.html.jinja",
    "fedbreath/report/page.html.jinja",
    "fedbreath/report/privacy.html.jinja",
    "fedbreath/datacheck/page.html.jinja",
}

#: What an installed library must be able to do; prints where it came from.
PROOF = """
import fedbreath, pathlib
from fedbreath import config
found = config.component("data", "esc10", ["root=x"])
assert (found.name, found.config.root) == ("esc10", "x")
assert config.component("data", "simulated", ["persons=3"]).build().sites()
assert config.component("data", "real", ["root=x"]).config.root == "x"
for group in config.LIBRARY:
    assert config.choices(group), group
import torch
from fedbreath.audio import FrontEnd
from fedbreath.objectives import public
public.computed = None  # nothing is rendered
assert len(public.standard(FrontEnd(), 62)[0]) == 1984
from fedbreath.report import page
from fedbreath.datacheck import page as check_page
print(pathlib.Path(fedbreath.__file__).parent)
print(config.config_dir())
"""


def names(archive: Path) -> set[str]:
    with zipfile.ZipFile(archive) as opened:
        return {name for name in opened.namelist() if not name.endswith("/")}


def tracked(*patterns: str) -> set[str]:
    """Files of the tree by pattern, with forward slashes."""
    return {p.relative_to(ROOT).as_posix() for pattern in patterns for p in ROOT.glob(pattern)}


def proven(python: Path, where: Path | None = None) -> list[Path]:
    """Run the proof, far from the checkout, with `where` before everything on the path."""
    at = f"import sys; sys.path.insert(0, {str(where)!r})\n" if where else ""
    said = subprocess.run(
        [str(python), "-I", "-c", at + PROOF],
        cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    return [Path(line) for line in said.stdout.splitlines()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for module in ("build", "hatchling"):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed: pip install fedbreath[test]")
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    (built,) = out.glob("*.whl")
    return built


def test_every_group_of_the_library_is_listed_for_the_wheel() -> None:
    tree = tomllib.loads((ROOT / "pyproject.toml").read_text())
    target = tree["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert target["packages"] == ["fedbreath"]
    assert target["force-include"] == {
        f"configs/{group}": f"fedbreath/configs/{group}" for group in LIBRARY
    }


def test_a_checkout_uses_its_own_configs() -> None:
    assert config_dir() == ROOT / "configs"
    assert not (ROOT / "fedbreath/configs").exists()


def test_the_wheel_holds_the_library_and_nothing_else(wheel: Path) -> None:
    found = {name for name in names(wheel) if ".dist-info/" not in name}
    assert {name.partition("/")[0] for name in found} == {"fedbreath"}
    assert found - tracked("fedbreath/**/*.py") == (
        ASSETS
        | {"fedbreath/py.typed"}
        | {f"fedbreath/configs/{group}/{name}.yaml" for group in LIBRARY for name in choices(group)}
    )
    assert tracked("fedbreath/**/*.py") <= found
    info = {name.partition(".dist-info/")[2] for name in names(wheel)} - {""}
    assert {"METADATA", "entry_points.txt", "licenses/LICENSE"} <= info


def test_an_unpacked_wheel_works(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(tmp_path)
    (tmp_path / "configs/data").mkdir(parents=True)  # of some other package
    package, configs = proven(BIN / "python", tmp_path)
    assert (package, configs) == (tmp_path / "fedbreath", tmp_path / "fedbreath/configs")


def venv(folder: Path) -> Path:
    """A new environment that sees what this one has installed; its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(
        "\n".join(path for path in sys.path if path.endswith("site-packages"))
    )
    return folder / "bin/python"


def install(python: Path, *what: str) -> None:
    if find_spec("pip") is None:
        pytest.skip("pip is not installed")
    command = [
        sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index",
        "--no-build-isolation", "--disable-pip-version-check", "--force-reinstall", *what,
    ]  # fmt: skip
    said = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.slow
def test_an_installed_wheel_works(wheel: Path, tmp_path: Path) -> None:
    python = venv(tmp_path / "venv")
    install(python, str(wheel))
    package, configs = proven(python)
    assert package.is_relative_to(tmp_path)
    assert configs == package / "configs"
    said = subprocess.run(
        [str(python.parent / "fedbreath"), "--help"], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    assert not (package.parent / "server").exists()


@pytest.mark.slow
def test_an_editable_installation_uses_the_checkout(tmp_path: Path) -> None:
    python = venv(tmp_path / "venv")
    if find_spec("editables") is None:
        pytest.skip("editables is not installed: pip install fedbreath[test]")
    install(python, "--editable", str(ROOT))
    assert proven(python) == [ROOT / "fedbreath", ROOT / "configs"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    flwr = shutil.which("flwr", path=f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}")
    if flwr is None:
        pytest.skip("flwr is not installed as a command")
    out = tmp_path_factory.mktemp("bundle")
    said = subprocess.run(
        [flwr, "build", "--app", str(ROOT)],
        cwd=out, capture_output=True, text=True, check=False,
        env={**os.environ, "FLWR_HOME": str(out), "FLWR_TELEMETRY_ENABLED": "0",
             "FLWR_DISABLE_UPDATE_CHECK": "1"},
    )  # fmt: skip
    assert said.returncode == 0, said.stdout + said.stderr
    (built,) = out.glob("*.fab")
    return built


def test_the_bundle_holds_the_application(bundle: Path) -> None:
    found = names(bundle)
    packages = ("fedbreath", "strategies", "client", "server", "simulation")
    assert tracked(*(f"{name}/**/*.py" for name in packages), "configs/**/*.yaml") <= found
    assert "fedbreath/objectives/public.json" in found
    assert {"configs/config.yaml", "pyproject.toml"} <= found
    for group in PACKAGES:
        assert any(name.startswith(f"configs/{group}/") for name in found), group


def test_the_bundle_holds_nothing_else(bundle: Path) -> None:
    kept = {"fedbreath", "strategies", "client", "server", "simulation", "configs",
            "pyproject.toml", "README.md", "LICENSE", ".info"}  # fmt: skip
    assert {name.partition("/")[0] for name in names(bundle)} <= kept


def test_an_unpacked_bundle_uses_its_own_configs(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle) as opened:
        opened.extractall(tmp_path)
    run = tmp_path / "configs/config.yaml"
    run.write_text(re.sub(r"^rounds: \d+", "rounds: 77", run.read_text(), flags=re.MULTILINE))
    said = subprocess.run(
        [sys.executable, "-m", "simulation", "--cfg"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert "rounds: 77" in said.stdout
