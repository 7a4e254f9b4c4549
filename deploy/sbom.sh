#!/usr/bin/env bash
# Writes the release's bill of materials: `deploy/sbom.sh [OUT]`, dist/slastream-VERSION.cdx.json unless told otherwise.
# What it lists is what `pip install slastream[local]` brings, installed for this into an environment of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml | head -1)
out=${1:-dist/slastream-$version.cdx.json}
tools=$root/var/check/cyclonedx
if ! "$tools/bin/python" -c 'import cyclonedx_py, jsonschema' 2>/dev/null; then
  python3 -m venv --clear "$tools"
  "$tools/bin/pip" install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
  "$tools/bin/pip" install --quiet --disable-pip-version-check cyclonedx-bom==7.5.0 \
    'cyclonedx-python-lib[json-validation]==11.12.0'
fi
bare=$(mktemp -d)
trap 'rm -rf "$bare"' EXIT
python3 -m venv --without-pip "$bare"
"$tools/bin/pip" --python "$bare" install --quiet --disable-pip-version-check --constraint constraints.txt '.[local]'
"$tools/bin/python" deploy/sbom.py "$bare" "$out"
