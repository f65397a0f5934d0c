#!/bin/sh
# Hands in a job over HTTP and follows its events, with nothing but curl and sed. Ctrl-C cancels the job.
#
#   ./curl.sh [STEPS [PAUSE_MS]]
#
# SERVER and TOKEN come from the environment. Each event is printed as the JSON that it is.
set -eu

jobs="${SERVER:-http://127.0.0.1:3000}/v1/queues/chat/jobs"
body="{\"kind\":\"demo\",\"payload\":{\"steps\":${1:-40},\"pause_ms\":${2:-100}}}"

# Every request, with the token if there is one. It goes in by standard input, so that no other user of the machine sees it.
request() {
    if [ -n "${TOKEN:-}" ]; then
        printf 'header = "Authorization: Bearer %s"\n' "$TOKEN"
    fi | curl --silent --show-error --config - "$@"
}

# With a key, trying again is safe: it is the same job.
answer=$(request --fail-with-body --retry 5 --retry-connrefused --header 'Content-Type: application/json' \
    --header "Idempotency-Key: $(date +%s)-$$" --data "$body" "$jobs") || {
    echo "refused: $answer" >&2
    exit 1
}
id=$(printf '%s' "$answer" | sed -n 's/.*"id" *: *"\([0-9A-Z]*\)".*/\1/p')
echo "job $id" >&2
trap 'request --request POST "$jobs/$id/cancel" >&2 || true' INT

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkfifo "$folder/events"

# A connection that is lost is made again, from the event that came last: nothing is missing, and nothing comes twice.
place='' end=''
while [ -z "$end" ]; do
    {
        code=0
        request --no-buffer --fail --header "Last-Event-ID: $place" "$jobs/$id/events" || code=$?
        echo "$code" >"$folder/code"
    } >"$folder/events" &
    while IFS= read -r line; do
        case $line in
        'id: '*) place=${line#id: } ;;
        'event: completed' | 'event: failed' | 'event: cancelled') end=${line#event: } ;;
        'data: '*) printf '%s\n' "${line#data: }" ;;
        '') [ -z "$end" ] || break ;;
        esac
    done <"$folder/events"
    wait || true
    [ -z "$end" ] || break
    [ "$(cat "$folder/code")" != 22 ] || exit 1 # refused: curl said how
    echo "the connection is lost at ${place:-the beginning}" >&2
    sleep 1
done
[ "$end" = completed ]
