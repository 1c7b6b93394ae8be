#!/usr/bin/env bash
# The quick tests of the extension: syntax of every file, the unit tests, and that both zips can be packed.
set -euo pipefail
cd "$(dirname "$0")"
find . -name '*.php' -print0 | xargs -0 -n1 php -l | grep -v '^No syntax errors' && exit 1
php test/unit.php
if php -m | grep -qx zip; then php build.php >/dev/null; fi
