#!/usr/bin/env bash
# Crossdock beside Node-RED and n8n: webhook -> map -> HTTP with the same orders, receiver and load generator, in one
# run; then each is killed in the middle and asked what it still delivers. One command: benches/peers/run.sh
#
#   BENCH_BINARY=path   the crossdock to measure (target/release/crossdock)
#   PEERS=list          of crossdock, node-red, n8n (all three)
#   KEEP=1              leave the peers installed (n8n takes 2.4 GB and minutes to install; removed otherwise)
#   PEERS_DIR=path      where they are installed (target/peers)
#
# Loopback only, a fixed number of orders, ends by itself. Needs npm and a C++ compiler (n8n's sqlite3).
set -euo pipefail
cd "$(dirname "$0")/../.."
node_version=24.9.0 node_red_version=5.0.7 n8n_version=2.40.7
peers="${PEERS:-crossdock node-red n8n}"
binary="${BENCH_BINARY:-target/release/crossdock}"
dir="${PEERS_DIR:-target/peers}"
mkdir -p "$dir"
dir="$(cd "$dir" && pwd)"
if [[ " $peers " == *" crossdock "* ]]; then
  [ -x "$binary" ] || { echo "no $binary: cargo build --release --locked --bin crossdock, or BENCH_BINARY=path"; exit 1; }
  binary="$(realpath "$binary")"
fi

# install FOLDER SENTINEL PACKAGE [npm options…]: once, below $dir.
install() {
  local folder="$dir/$1" log="$dir/$1.log" there="$2" package="$3"
  shift 3
  [ "$(cat "$folder/.installed" 2>/dev/null)" = "$package" ] && return
  echo "installing $package" >&2
  rm -rf "$folder"
  mkdir -p "$folder"
  (cd "$folder" && npm init -y >/dev/null && npm install --no-audit --no-fund "$@" "$package" >"$log" 2>&1) ||
    { echo "$package could not be had: $(grep -m1 "npm error" "$log")"; exit 1; }
  [ -e "$folder/$there" ] || { echo "$package was installed without $there ($log)"; exit 1; }
  echo "$package" >"$folder/.installed"
}

cleanup() {
  rm -rf "$dir"/data-*
  [ "${KEEP:-}" = 1 ] || rm -rf "$dir/n8n" "$dir/node-red" "$dir/node"
}
trap cleanup EXIT

install node node_modules/node/bin/node "node@$node_version"
export PATH="$dir/node/node_modules/node/bin:$PATH"
if [[ " $peers " == *" node-red "* ]]; then
  install node-red node_modules/.bin/node-red "node-red@$node_red_version" --ignore-scripts
fi
if [[ " $peers " == *" n8n "* ]]; then
  free="$(df --output=avail -BM "$dir" | tail -n 1 | tr -dc 0-9)"
  if [ ! -d "$dir/n8n" ] && [ "$free" -lt 6000 ]; then
    echo "n8n needs some 4 GB while it is installed; $free MiB are free: left out"
    peers="${peers//n8n/}"
  else
    # Its install scripts fetch prebuilt programs from elsewhere; of those only sqlite3 is needed, and is compiled.
    install n8n node_modules/.bin/n8n "n8n@$n8n_version" --ignore-scripts --omit=optional
    [ -e "$dir/n8n/node_modules/sqlite3/build/Release/node_sqlite3.node" ] ||
      (cd "$dir/n8n" && npm rebuild sqlite3 >"$dir/sqlite3.log" 2>&1) || { tail -n 5 "$dir/sqlite3.log"; exit 1; }
  fi
fi
# In the background, so that a signal to this script reaches it and what was installed is removed all the same.
BENCH_BINARY="$binary" PEERS_DIR="$dir" node benches/peers/bench.mjs $peers &
bench=$!
trap 'kill "$bench" 2>/dev/null; wait "$bench"; exit 1' INT TERM
wait "$bench"
