"""The Cython extensions, and nothing else: metadata lives in pyproject.toml."""

from Cython.Build import cythonize
from setuptools import Extension, setup

EXTENSIONS = [
    Extension("router_core.spread", ["router_core/spread.pyx"]),
]

setup(ext_modules=cythonize(EXTENSIONS, language_level=3))
