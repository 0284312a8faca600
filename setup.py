"""The Cython extensions, and nothing else: metadata lives in pyproject.toml.

With `ENGINE_SANITIZE` set they are built for the tests that look for reads and writes out of bounds.
"""

import os

from Cython.Build import cythonize
from setuptools import Extension, setup

SANITIZE = bool(os.environ.get("ENGINE_SANITIZE"))
SANITIZERS = [
    "-fsanitize=address,undefined",
    # Nothing is copied from nowhere here and there: no bytes, and a null pointer.
    "-fno-sanitize=nonnull-attribute",
    "-fno-sanitize-recover=undefined",
    "-fno-omit-frame-pointer",
]
COMPILE = ["-O1", "-g", *SANITIZERS] if SANITIZE else ["-O3"]
LINK = SANITIZERS if SANITIZE else []

EXTENSIONS = [
    Extension(name, [f"{name.replace('.', '/')}.pyx"], extra_compile_args=COMPILE, extra_link_args=LINK)
    for name in ("router_core.spread", "router_core.engine.core", "router_core.table.route_table")
]

DIRECTIVES = {
    "language_level": 3,
    # The engine's state is plain C, which no directive checks: that is what the sanitizers are for.
    "boundscheck": True,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
}

setup(ext_modules=cythonize(EXTENSIONS, compiler_directives=DIRECTIVES, force=SANITIZE))
