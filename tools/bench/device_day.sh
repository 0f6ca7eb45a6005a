#!/bin/bash
# The first minutes on a CUDA device, the most important parts first:
#
#     bash tools/bench/device_day.sh [-t SECONDS] [PART[=LIMIT][:WORD...] ...]
#     bash tools/bench/device_day.sh -t 200 env smoke tests=60 grid=40:30s gridfull:60:0:1:2
#     bash tools/bench/device_day.sh tests:tests/ctc:tests/net ncu:128:1600:38:250
#
# Each part has a limit in seconds and the failure of one stops no other; what is left of SECONDS
# cuts the last ones short. The sanitizer runs beside the tests: neither tells a time. $OUT gets
# summary.txt, which is printed at the end, and the logs. .gpu/whl may hold wheels of packages that
# are missing there, .gpu/data the corpora. Without a device the Python parts run small on the CPU.
set -u
PARTS="env smoke tests ctc steps grid"
declare -A LIMITS=([env]=20 [smoke]=60 [tests]=70 [sanitizer]=110 [ctc]=50 [steps]=45
    [grid]=70 [heads]=60 [rnn]=30 [ncu]=45 [gridfull]=400 [an4]=400)
declare -A SHOWN=([env]=4 [smoke]=12 [tests]=30 [sanitizer]=60 [ctc]=16 [steps]=60
    [grid]=8 [heads]=20 [rnn]=9 [ncu]=150 [gridfull]=24 [an4]=24)
SECONDS_IN_ALL=600
export PYTHON=${PYTHON:-python3}
if [[ ${1:-} == -t ]]; then
    SECONDS_IN_ALL=$2
    shift 2
fi
export OUT=${OUT:-/tmp/device_day} DAY_DATA=${DAY_DATA:-.gpu/data}
export PYTHONPATH=/tmp/site:. PYTHONUNBUFFERED=1 OMP_NUM_THREADS=${OMP_NUM_THREADS:-4}
LOGS=$(mktemp -d)
export LOGS
mkdir -p "$OUT"
: > "$OUT/summary.txt"

say() { echo "$@" | tee -a "$OUT/summary.txt"; }

finish() {
    nvidia-smi --query-gpu=clocks.sm,temperature.gpu,power.draw,memory.used --format=csv,noheader \
        >> "$OUT/summary.txt" 2>&1
    say "in all $SECONDS s"
    cat "$LOGS"/*.log > "$OUT/logs.txt" 2>/dev/null
    printf '\n==== summary\n'
    cut -c1-180 "$OUT/summary.txt" | tail -c 11000
}
trap finish EXIT

# part NAME LIMIT COMMAND ...: its output to a log, the end of it to the summary
part() {
    local name=$1 limit=$2 started=$SECONDS left=$((SECONDS_IN_ALL - SECONDS))
    shift 2
    ((left < limit)) && limit=$left
    if ((limit < 5)); then
        say "-- $name: no time left"
        return
    fi
    timeout -k 5 "$limit" "$@" > "$LOGS/$name.log" 2>&1
    local status=$?
    say "-- $name: status $status, $((SECONDS - started)) s of $limit"
    grep -v '^USDT\|profiler_start\|profiler_stop\|^$' "$LOGS/$name.log" \
        | tail -n "${SHOWN[$name]:-20}" | cut -c1-180 | tee -a "$OUT/summary.txt"
}

sanitize() {  # both tools at once; what Python takes to start is the most of it
    for tool in memcheck racecheck; do
        timeout -k 2 "$1" compute-sanitizer --tool $tool --print-limit 5 --report-api-errors no \
            "$PYTHON" tools/bench/device_day.py small > "$LOGS/$tool.log" 2>&1 &
    done
    wait
    for tool in memcheck racecheck; do
        echo "== $tool: the first that it reports, and the end"
        grep -m 24 '^=========' "$LOGS/$tool.log"
        tail -n 4 "$LOGS/$tool.log"
    done
}

run_tests() {
    local processes=()
    "$PYTHON" -c "import xdist" 2> /dev/null && processes=(-n "${DAY_PROCESSES:-8}")
    OMP_NUM_THREADS=1 "$PYTHON" -m pytest -m cuda "${@:-tests/ctc}" -q "${processes[@]}" \
        --maxfail=25 -p no:cacheprovider --durations=5 --tb=short
}
export -f sanitize run_tests
export LOGS

run_part() {
    local name=$1 limit=$2
    shift 2
    case $name in
    tests)
        part sanitizer "${LIMITS[sanitizer]}" bash -c "sanitize $((LIMITS[sanitizer] - 3))" > /dev/null &
        local sanitizer=$!
        part tests "$limit" bash -c 'run_tests "$@"' tests "$@"
        wait $sanitizer
        ;;
    sanitizer)
        part sanitizer "$limit" bash -c "sanitize $((limit - 3))"
        ;;
    ncu)
        part ncu "$limit" ncu --clock-control none --launch-count 6 \
            -k regex:"scores|sweeps|segments|finish|gradient" --section SpeedOfLight \
            --section Occupancy --section WarpStateStats --section LaunchStats \
            "$PYTHON" tools/bench/device_day.py one "$@"
        ;;
    *) part "$name" "$limit" "$PYTHON" tools/bench/device_day.py "$name" "$@" ;;
    esac
}

nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm,clocks.max.sm,power.draw \
    --format=csv,noheader 2>&1 | tee -a "$OUT/summary.txt"
if ls .gpu/whl/*.whl > /dev/null 2>&1 && [[ -z ${DAY_KEEP_PACKAGES:-} ]]; then
    "$PYTHON" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade \
        --target /tmp/site .gpu/whl/*.whl 2>&1 | tail -3
fi
for asked in ${*:-$PARTS}; do
    IFS=: read -r -a words <<< "$asked"
    name=${words[0]%%=*}
    limit=${LIMITS[$name]:-60}
    [[ ${words[0]} == *=* ]] && limit=${words[0]#*=}
    run_part "$name" "$limit" "${words[@]:1}"
done
