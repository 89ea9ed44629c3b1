#!/bin/sh
# Puts each event into a folder, once:  program = ["/etc/carrack/hooks/on-event.sh", "/var/spool/carrack-events"]
# The event is on standard input; a few of its values are in the environment, which has nothing else.
set -eu
folder=$1
target=$folder/$CARRACK_EVENT-$CARRACK_EVENT_ID.json
# An event may come twice. Status 0 says that it was taken.
[ ! -e "$target" ] || exit 0
cat > "$target.new"
# Names and paths are what users chose: keep them in quotes, and never let a shell read them.
case $CARRACK_EVENT in
    upload) printf '%s uploaded %s\n' "$CARRACK_USER" "$CARRACK_FILE" >> "$folder/uploads.txt" ;;
esac
mv "$target.new" "$target"
