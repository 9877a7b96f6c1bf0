#!/bin/sh
# Runs once, when the data folder of PostgreSQL is new: the role and the database of usherd, with the password that
# prepare.sh has made. What the role needs and no more: see ../postgresql.md.
set -eu
password=$(cat "${STORE_PASSWORD_FILE:-/run/secrets/store-password}")
[ -n "$password" ] || { echo "the password of usherd is empty" >&2; exit 1; }
psql -v ON_ERROR_STOP=1 -v "password=$password" --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
CREATE ROLE usherd LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE usherd OWNER usherd ENCODING 'UTF8' TEMPLATE template0;
REVOKE CONNECT, TEMPORARY ON DATABASE usherd FROM PUBLIC;
SQL
