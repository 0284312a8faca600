#!/bin/sh
# Makes the sample traces: make.sh COMMAND [FOLDER]. COMMAND is the exchange-router to use; FOLDER is this one unless
# another is given. Equal versions write equal bytes.
set -eu
router=$1
out=${2:-$(dirname "$0")}

"$router" trace generate --scenario toy --start 2026-03-17T00:00 --hours 24 --seed 1 --exchanges-per-day 2000 \
    --out "$out/toy-day.parquet" --json > /dev/null
"$router" trace generate --scenario jiangxi --start 2026-03-17T10:00 --hours 1 --seed 1 --exchanges-per-day 400000 \
    --out "$out/jiangxi-hour.parquet" --json > /dev/null
"$(dirname "$router")/python" "$(dirname "$0")/make_matrices.py" "$out/made-matrices.npz"
