#!/bin/sh
# A private authority and two certificates that it signs, to try things out: certificates.sh FOLDER [HOST]
#   FOLDER/ca.pem                        what clients trust
#   FOLDER/nginx/{cert,key}.pem          for HOST (api.example.com), localhost and 127.0.0.1
#   FOLDER/postgres/{cert,key}.pem       for the host `postgres` and localhost
# Nothing that is there is replaced. The public gets certificates of a public authority instead.
set -eu
umask 077
folder=${1:?Usage: certificates.sh FOLDER [HOST]}
host=${2:-api.example.com}
days=90

mkdir -p "$folder"
if [ ! -e "$folder/ca.pem" ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$days" -subj '/CN=Private authority of the shop' \
    -addext 'keyUsage=critical,keyCertSign' -keyout "$folder/ca.key" -out "$folder/ca.pem" 2>/dev/null
fi

sign() {
  mkdir -p "$folder/$1"
  [ ! -e "$folder/$1/cert.pem" ] || return 0
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$folder/$1/key.pem" \
    -out "$folder/$1/request.pem" 2>/dev/null
  printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\n' "$3" >"$folder/$1/extensions"
  openssl x509 -req -in "$folder/$1/request.pem" -CA "$folder/ca.pem" -CAkey "$folder/ca.key" -CAcreateserial -days "$days" \
    -extfile "$folder/$1/extensions" -out "$folder/$1/cert.pem" 2>/dev/null
  rm "$folder/$1/request.pem" "$folder/$1/extensions"
}

sign nginx "$host" "DNS:$host,DNS:localhost,IP:127.0.0.1"
sign postgres postgres DNS:postgres,DNS:localhost
# Certificates are public; Postgres drops root's rights before it reads its key, and takes it from a copy.
chmod 755 "$folder" "$folder/nginx" "$folder/postgres"
chmod 644 "$folder/ca.pem" "$folder/nginx/cert.pem" "$folder/postgres/cert.pem"
