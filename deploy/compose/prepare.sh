#!/bin/sh
# Makes secrets/: random passwords of the database, and a certificate for it by an authority of its own. What is there
# already stays. It has to be root: the database takes its key from root, or from its own user in the image.
set -eu
[ "$(id -u)" = 0 ] || { echo "run it as root: sudo sh $0" >&2; exit 1; }
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
cd secrets
random() { openssl rand -hex 24; }

# The folder is closed to others (0700); the files in it are open to the containers' users.
[ -e store-password ] || random > store-password
[ -e postgres-password ] || random > postgres-password
if [ ! -e db.key ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=usherd database CA" \
    -keyout ca.key -out db-ca.crt 2> /dev/null
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=db -keyout db.key -out db.csr 2> /dev/null
  printf 'subjectAltName=DNS:db\nextendedKeyUsage=serverAuth\n' > db.ext
  openssl x509 -req -in db.csr -CA db-ca.crt -CAkey ca.key -CAcreateserial -days 3650 -extfile db.ext -out db.crt 2> /dev/null
  rm -f ca.key db.csr db.ext db-ca.srl # nobody is to sign another one
fi
chmod 444 store-password postgres-password db-ca.crt db.crt
chown 0:999 db.key # the group of PostgreSQL in its image
chmod 640 db.key
[ ! -e bind-password ] || chmod 444 bind-password
[ -e bind-password ] || echo "Now write the password of the directory account into $PWD/bind-password, readable (chmod 444)." >&2
