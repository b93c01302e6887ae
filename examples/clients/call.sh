#!/bin/sh
# Calls an app directly, without the queue: sh call.sh owner/ocr picture.png
printf '{"image": "data:image/png;base64,%s"}' "$(base64 -w0 "$2")" |
  curl --fail-with-body --silent --show-error --cacert "$SSL_CERT_FILE" \
    --header "Authorization: Key $FAL_KEY" --header 'Content-Type: application/json' \
    --data-binary @- "$CARRICK_URL/$1"
