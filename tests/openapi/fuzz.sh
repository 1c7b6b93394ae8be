#!/usr/bin/env bash
# The OpenAPI document against a running gateway, by schemathesis: whatever is sent, no 5xx, and every
# answer is one that the document names. The gateway has the role `api`: it calls nobody.
#
#   tests/openapi/fuzz.sh BINARY [SECONDS]
#
# Ends with 0 and says so plainly where schemathesis cannot be installed (no Python, no package index).
set -euo pipefail
cd "$(dirname "$0")/../.."
binary=${1:?the crossdock binary}
seconds=${2:-50}
target=${CARGO_TARGET_DIR:-target}
venv=${SCHEMATHESIS_VENV:-$target/schemathesis}
version=4.32.5

skip() { echo "openapi fuzz: NOT RUN: $1"; exit 0; }
if ! [ -x "$venv/bin/schemathesis" ]; then
  command -v python3 >/dev/null || skip "there is no python3"
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || skip "python3 is older than 3.10"
  python3 -m venv "$venv" >/dev/null 2>&1 || { rm -rf "$venv"; skip "python3 has no venv module"; }
  timeout 240 "$venv/bin/pip" install -q --disable-pip-version-check "schemathesis==$version" 2>"$venv.log" \
    || { rm -rf "$venv"; skip "pip cannot install schemathesis ($(tail -n 1 "$venv.log"))"; }
fi

data=$(mktemp -d)
gateway=
tidy() {
  if [ -n "$gateway" ]; then kill "$gateway" 2>/dev/null && wait "$gateway" 2>/dev/null || true; fi
  rm -rf "$data"
}
trap tidy EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
token=fuzz-$(python3 -c 'import secrets; print(secrets.token_hex(32))')
for name in $(compgen -e CROSSDOCK_ || true); do unset "$name"; done
binary=$(realpath "$binary")
(cd "$data" && exec env CROSSDOCK_LISTEN="127.0.0.1:$port" CROSSDOCK_DATA_DIR="$data" CROSSDOCK_ADMIN_TOKEN="$token" \
  CROSSDOCK_ROLE=api CROSSDOCK_MIN_FREE_MB=0 CROSSDOCK_LOG=warn "$binary" serve >"$data/out" 2>"$data/log") &
gateway=$!
python3 - "$port" <<'WAIT' || { cat "$data/log"; exit 1; }
import sys, time, urllib.request
for _ in range(600):
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/readyz", timeout=1)
        sys.exit(0)
    except OSError:
        time.sleep(0.1)
sys.exit("the gateway does not start")
WAIT
# Something to find: a merchant, a connection and an order.
SCHEMATHESIS_TOKEN=$token python3 tests/openapi/furnish.py "http://127.0.0.1:$port"
# An endless stream is no answer that can be waited for; the page of the document is not in it.
set +e
venv=$(realpath "$venv") config=$(realpath tests/openapi/schemathesis.toml)
# It keeps a cache where it runs.
cd "$data"
timeout $((seconds + 120)) "$venv/bin/schemathesis" --config-file "$config" run "http://127.0.0.1:$port/openapi.json" \
  --header "Authorization: Bearer $token" --max-time "$seconds" --seed "${FUZZ_SEED:-1}" --no-color ${FUZZ_FLAGS:-} >"$data/report" 2>&1
code=$?
set -e
if [ $code -ne 0 ]; then cat "$data/report"; grep -v '^$' "$data/log" | tail -n 20; echo "openapi fuzz: FAILED"; exit 1; fi
tail -n 25 "$data/report" | grep -E 'cases|passed|Operations|operations|generated|Seed' || true
if grep -q ERROR "$data/log"; then grep ERROR "$data/log" | head; echo "openapi fuzz: the gateway logged errors"; exit 1; fi
echo "openapi fuzz: passed"
