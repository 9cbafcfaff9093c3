#!/bin/sh
# Build a wheel, install it away from the checkout, and run it there: what works only in the checkout does not work.
# usage: wheel.sh PYTHON
set -eu
case "$1" in /*) python=$1 ;; *) python=$(pwd)/$1 ;; esac
away=$(mktemp -d)
trap 'rm -rf "$away"' EXIT
"$python" -m build --wheel --outdir "$away/dist" . >"$away/build.log" 2>&1 || { cat "$away/build.log"; exit 1; }
"$python" -m venv "$away/venv"
"$away/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$away"/dist/*.whl
cp sample_logs/inc-2024-00123.tar.gz "$away/"
cd "$away"
venv/bin/pirtimeline --version
venv/bin/pirtimeline --help >/dev/null
venv/bin/pirtimeline parsers list | grep -q tomcat_juli
venv/bin/pirtimeline parsers check
venv/bin/pirtimeline signatures list | grep -q jvm.oom.heap
venv/bin/pirtimeline build inc-2024-00123.tar.gz --case case --incident INC-2024-00123 --quiet
venv/bin/pirtimeline timeline case --format md >timeline.md
grep -q "02:58:03" timeline.md
venv/bin/pirtimeline verify case
test -s case/report.md
test -s case/timeline.html
echo "the wheel works away from the checkout"
