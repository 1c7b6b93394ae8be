#!/usr/bin/env bash
# Tries the extension in real shops: installs OpenCart and the extension as a merchant does (admin pages, uploaded zip), buys
# something at the storefront, and checks every call and event. See README.md.
#
#   try.sh OPENCART3/upload OPENCART4/upload
#
# Needs php (cli, mysql, curl, gd, zip, mbstring, xml) and mariadb-server. All it makes is in a directory below /tmp and on
# loopback ports, and is gone when it ends (KEEP=1 keeps it running until Enter).
set -euo pipefail
set -m # every server is the head of a process group of its own: PHP's leaves workers behind
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] || { sed -n '2,9p' "$0"; exit 2; }
work=$(mktemp -d /tmp/crossdock-opencart.XXXXXX)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill -- "-$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

base=${TRY_PORT:-18300}
mkdir -p "$work/db" && chmod 755 "$work"
[ "$(id -u)" = 0 ] && chown mysql "$work/db" && as="--user=mysql" || as=""
mariadb-install-db --no-defaults $as --datadir="$work/db" --auth-root-authentication-method=normal --skip-test-db >"$work/db-install.log" 2>&1
mariadbd --no-defaults $as --datadir="$work/db" --socket="$work/db/sock" --port=$base --bind-address=127.0.0.1 >"$work/db.log" 2>&1 &
pids+=($!)
for _ in $(seq 300); do mariadb-admin --no-defaults --socket="$work/db/sock" -uroot ping >/dev/null 2>&1 && break; sleep 0.2; done
mariadb-admin --no-defaults --socket="$work/db/sock" -uroot ping >/dev/null || { cat "$work/db.log"; exit 1; }
sql() { mariadb --no-defaults --socket="$work/db/sock" -uroot "$@"; }
sql -e "CREATE USER 'shop'@'127.0.0.1' IDENTIFIED BY 'shop'; GRANT ALL ON *.* TO 'shop'@'127.0.0.1'"

php "$here/build.php" >/dev/null
n=0
for upload in "$@"; do
  n=$((n + 1))
  port=$((base + n)); hooks=$((base + 10 + n)); shop="$work/shop$n"; name="shop$n"
  cp -r "$upload" "$shop"
  cp "$shop/config-dist.php" "$shop/config.php"; cp "$shop/admin/config-dist.php" "$shop/admin/config.php" 2>/dev/null || touch "$shop/admin/config.php"
  sql -e "CREATE DATABASE $name CHARACTER SET utf8mb4"
  (cd "$shop/install" && php -d error_reporting='E_ALL & ~E_DEPRECATED' cli_install.php install --db_driver mysqli --db_hostname 127.0.0.1 --db_port $base --db_username shop --db_password shop \
    --db_database $name --db_prefix oc_ --username admin --password try-password --email admin@example.com --http_server "http://127.0.0.1:$port/") >"$work/$name-install.log" 2>&1 \
    || { cat "$work/$name-install.log"; exit 1; }
  rm -rf "$shop/install"
  # Several workers: the admin of 4 and the trial call the shop while it answers.
  (cd "$shop" && PHP_CLI_SERVER_WORKERS=4 exec php -d error_reporting='E_ALL & ~E_DEPRECATED' -d upload_max_filesize=8M -S 127.0.0.1:$port >"$work/$name.log" 2>&1) &
  pids+=($!)
  mkdir -p "$work/hooks$n"
  (cd "$work/hooks$n" && exec php -S 127.0.0.1:$hooks "$here/test/receiver.php" >"$work/hooks$n.log" 2>&1) &
  pids+=($!)
  php "$here/test/try.php" "http://127.0.0.1:$port" "http://127.0.0.1:$hooks" "$work/hooks$n" "$here/dist" "127.0.0.1:$base/$name" "$shop" || { echo "the shop's log:"; tail -5 "$work/$name.log"; find "$shop" -name error.log -exec tail -5 {} +; exit 1; }
  [ -z "${RECORD:-}" ] || cp "$work/hooks$n"/*.json "$RECORD"/ 2>/dev/null || true
done
[ -z "${KEEP:-}" ] || read -r -p "running in $work; Enter ends it "
