"""The package's metadata; the build system and the tools are in pyproject.toml."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
URL = "https://github.com/flask-clustaar/flask-clustaar"

# Read and not imported, because the dependencies are not installed during a build.
VERSION = re.search(
    r'^__version__ = "(.+)"$', (HERE / "flask_clustaar/_version.py").read_text(), re.M
)
assert VERSION is not None

# PyPI shows the README, with pictures from GitHub.
README = re.sub(
    r"^(\.\. image:: )(?!http)",
    rf"\1{URL}/raw/main/",
    (HERE / "README.rst").read_text(encoding="utf-8"),
    flags=re.M,
)

# Lower bounds only, because an upper bound restricts whole applications.
# requirements/lowest.txt lists the same versions, and `make test-min` tests them.
INSTALL_REQUIRES = [
    "Flask>=3.0",
    "blinker>=1.8.1",
    "itsdangerous>=2.1.2",
    "justhtml>=3.0",
    "marshmallow>=4.3",
    "msgspec>=0.21",
]

# The dependency groups for development are in pyproject.toml.
EXTRAS = {
    "async": ["asgiref>=3.6"],
    "jmespath": ["jmespath>=1.0"],
    "opentelemetry": ["opentelemetry-api>=1.30"],
    "prometheus": ["prometheus-client>=0.20"],
    "redis": ["redis>=5.0"],
}

setup(
    name="Flask-Clustaar",
    version=VERSION[1],
    description="Webhooks for the Clustaar chatbot platform with Flask.",
    long_description=README,
    long_description_content_type="text/x-rst",
    author="The Flask-Clustaar authors",
    project_urls={
        "Documentation": "https://flask-clustaar.readthedocs.io/",
        "Changelog": "https://flask-clustaar.readthedocs.io/en/stable/project/changelog.html",
        "Source": URL,
        "Issues": f"{URL}/issues",
    },
    license_expression="MIT",
    license_files=["LICENSE"],
    packages=find_packages(include=["flask_clustaar", "flask_clustaar.*"]),
    package_data={"flask_clustaar": ["py.typed", "inspector/static/*"]},
    python_requires=">=3.11",
    install_requires=INSTALL_REQUIRES,
    extras_require=EXTRAS,
    entry_points={
        "flask.commands": ["clustaar = flask_clustaar.cli:clustaar"],
        "pyinstaller40": ["hook-dirs = flask_clustaar._pyinstaller:hook_directories"],
        "pytest11": ["clustaar = flask_clustaar.pytest_plugin"],
    },
    keywords=["clustaar", "chatbot", "webhook", "flask", "marshmallow"],
    classifiers=[
        "Development Status :: 5 - Production/Stable",
        "Environment :: Web Environment",
        "Framework :: Flask",
        "Framework :: Pytest",
        "Intended Audience :: Developers",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: 3.14",
        "Topic :: Communications :: Chat",
        "Topic :: Internet :: WWW/HTTP :: Dynamic Content",
        "Topic :: Software Development :: Libraries :: Python Modules",
        "Typing :: Typed",
    ],
    zip_safe=False,
)
