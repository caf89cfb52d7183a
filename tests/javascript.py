"""The node and npm that web/build.py finds or installs."""

import importlib.util
from types import ModuleType

from tests.processes import ROOT


def web_build() -> ModuleType:
    """web/build.py, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location("web_build", ROOT / "web" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    return build
