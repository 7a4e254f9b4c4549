#!/bin/sh
# The same with kcat: one line an alert, to wherever a pipe leads. `./alerts.sh localhost:9092 | mail ...`
# Without the group (-G) it reads all that is there and ends: kcat -C -t sla.alerts.v1 -e ...
exec kcat -b "$1" -q -u -X isolation.level=read_committed -X auto.offset.reset=earliest \
  -f '%h\t%k\t%s\n' -G my-shell sla.alerts.v1
