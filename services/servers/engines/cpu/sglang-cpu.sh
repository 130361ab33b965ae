#!/bin/sh
# sglang-cpu.sh VENV: what sglang_cpu_shim.py does, in every process of this environment. The .pth
# file makes it reach the schedulers too, which sglang starts afresh ("spawn").
set -eu
site=$("$1/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
cp "$(dirname "$0")/sglang_cpu_shim.py" "$site/"
echo "import sglang_cpu_shim" > "$site/sglang_cpu_shim.pth"
