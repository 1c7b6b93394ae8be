#!/usr/bin/env bash
# Checks what operators get as files: the Helm chart, the alert rules and the dashboard. Called by `make test`.
# Needs Python 3.12 or later with PyPI for Helm itself, and Debian's packages for promtool; says plainly what it could
# not do without them. Tools are kept below target/ (CROSSDOCK_TEST_TOOLS for another place); nothing is installed
# in the system, nothing is contacted but the package registries.
set -euo pipefail
cd "$(dirname "$0")/.."
tools="${CROSSDOCK_TEST_TOOLS:-target/ops-tools}"
mkdir -p "$tools"
tools="$(cd "$tools" && pwd)"
packages=(helm-sdkpy==0.1.32 kubernetes-validate==1.37.0 jsonschema==4.26.0 PyYAML==6.0.4)

# A Python that helm-sdkpy takes; the newest first.
find_python() {
  local found
  for found in python3.14 python3.13 python3.12 "$HOME"/.pyenv/versions/3.1[2-9]*/bin/python3 python3; do
    found="$(command -v "$found" 2>/dev/null)" || continue
    "$found" -c 'import sys, venv; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && { echo "$found"; return; }
  done
  return 1
}

stamp="$tools/venv/.made"
if [ "$(cat "$stamp" 2>/dev/null)" != "${packages[*]}" ]; then
  rm -rf "$tools/venv"
  if python="$(find_python)"; then
    if "$python" -m venv "$tools/venv" >"$tools/pip.log" 2>&1 &&
      "$tools/venv/bin/pip" install -q --disable-pip-version-check "${packages[@]}" >>"$tools/pip.log" 2>&1; then
      echo "${packages[*]}" >"$stamp"
    else
      echo "chart: helm could not be had here: $(tail -n 1 "$tools/pip.log")"
    fi
  else
    echo "chart: helm could not be had here: no Python 3.12 or later (helm-sdkpy needs it)"
  fi
fi

# Without Helm any Python still checks the values against their schema: its own modules, or a venv with those two.
python="$tools/venv/bin/python"
if [ ! -f "$stamp" ]; then
  python=python3
  if ! "$python" -c 'import yaml, jsonschema' 2>/dev/null; then
    if [ -x "$tools/plain/bin/python" ] || { python3 -m venv "$tools/plain" &&
      "$tools/plain/bin/pip" install -q --disable-pip-version-check "${packages[@]:2}"; } >>"$tools/pip.log" 2>&1; then
      python="$tools/plain/bin/python"
    fi
  fi
fi
bytecode="$tools/pycache"
export PYTHONPYCACHEPREFIX="$bytecode"
echo "chart helm/crossdock"
if "$python" -c 'import yaml, jsonschema' 2>/dev/null; then
  # Helm keeps its notes in memory: the pretended cluster need not store releases. (Set here, since Go reads the
  # environment as the process started.)
  HELM_DRIVER=memory "$python" helm/test/check.py
else
  echo "  not checked: no Python with PyYAML and jsonschema"
fi

promtool="$(command -v promtool || true)"
if [ -z "$promtool" ]; then
  promtool="$tools/prometheus/usr/bin/promtool"
  if [ ! -x "$promtool" ] && command -v apt-get >/dev/null; then
    # Fetched and unpacked, not installed: the package would start a server.
    fetched="$(mktemp -d)"
    if (cd "$fetched" && { apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; }; } &&
      dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool) >"$tools/apt.log" 2>&1; then
      mkdir -p "$(dirname "$promtool")"
      mv "$fetched/usr/bin/promtool" "$promtool"
    fi
    rm -rf "$fetched"
  fi
  [ -x "$promtool" ] || promtool=""
fi
echo "alerts and dashboard deploy/"
if [ -z "$promtool" ]; then
  echo "  promtool could not be had here: expressions were not checked"
else
  "$promtool" check rules deploy/prometheus/alerts.yaml | sed 's/^/  /'
  (cd deploy/prometheus && "$promtool" test rules alerts_test.yaml) | sed '/^$/d; s/^/  /'
fi
if "$python" -c 'import yaml' 2>/dev/null; then
  "$python" deploy/check.py "$promtool"
else
  echo "  names and the dashboard were not checked: no Python with PyYAML"
fi
