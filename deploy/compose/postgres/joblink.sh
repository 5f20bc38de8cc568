#!/bin/bash
# Runs once, in an empty database server: the database, and the user for Joblink, who is no superuser, so that the audit log
# is append-only to the server.
set -eu
psql --username "$POSTGRES_USER" --dbname postgres --set ON_ERROR_STOP=1 --set password="$JOBLINK_DB_PASSWORD" <<'SQL'
CREATE ROLE joblink LOGIN PASSWORD :'password';
CREATE DATABASE joblink OWNER joblink;
SQL
