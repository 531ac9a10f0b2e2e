#!/bin/sh
# Runs a command with the credentials of the simulators on one state directory, in a network where the providers' names lead there.
set -eu
state=${STATE_DIR:-/state}
exports=$(pushrig env --state-dir "$state")
eval "$exports"
# The file has the address of one simulator, as it is inside its container.
GOOGLE_APPLICATION_CREDENTIALS=$HOME/service-account.json
sed 's|"token_uri": *"[^"]*"|"token_uri": "https://oauth2.googleapis.com/token"|' "$state/service-account.json" \
    > "$GOOGLE_APPLICATION_CREDENTIALS"
export GOOGLE_APPLICATION_CREDENTIALS
exec "$@"
