#!/bin/sh
# Run a command and show that it goes on: deploy/step.sh "setup 2/4: what it does" COMMAND...
words=$1
shift
start=$(date +%s)
"$@" &
child=$!
trap 'kill "$child" 2>/dev/null; exit 130' INT TERM
printf '%s ' "$words"
told=0
while kill -0 "$child" 2>/dev/null; do
  sleep 0.2
  took=$(($(date +%s) - start))
  if [ $((took - told)) -ge 5 ]; then
    printf '%ss ' "$took"
    told=$took
  fi
done
wait "$child"
code=$?
if [ "$code" -eq 0 ]; then echo "done"; else echo "failed"; fi
exit "$code"
