#!/bin/bash
# Runs once, in the empty cluster: a database and a user for Joblink, and others for the names of files. Neither is a superuser, so
# that the audit log is append-only to the servers. Patroni gives it an address, and it takes the socket instead.
set -eu
psql --username postgres --dbname postgres --no-psqlrc --set ON_ERROR_STOP=1 \
    --set joblink="$JOBLINK_DB_PASSWORD" --set filer="$FILER_DB_PASSWORD" <<'SQL'
CREATE ROLE joblink LOGIN PASSWORD :'joblink';
CREATE DATABASE joblink OWNER joblink;
CREATE ROLE filer LOGIN PASSWORD :'filer';
CREATE DATABASE filer OWNER filer;
SQL
