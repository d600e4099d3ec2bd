# shellcheck shell=bash
# --- What the boot program asks of S3 and of EC2, beyond aws.sh

# s3_upload FILE KEY: a large file becomes the object, without being read into memory.
s3_upload() {
  s3_request PUT "$2" application/octet-stream --fail --output /dev/null --upload-file "$1" --max-time 1800
}

s3_delete() {
  s3_request DELETE "$1" '' --fail --output /dev/null --request DELETE
}

# s3_list PREFIX [AFTER]: keys that start with PREFIX, and come after the key AFTER; sorted, a line each, below the cluster's prefix. The
# first 1000.
s3_list() {
  local answer query
  # Sorted, as the signature wants it.
  query="list-type=2&prefix=$(urlencode "$S3_PREFIX/$1")"
  if [ -n "${2:-}" ]; then query+="&start-after=$(urlencode "$S3_PREFIX/$2")"; fi
  answer=$(aws_request s3 "$S3_REGION" GET "$S3_URL/?$query" '' '' --fail) || return
  grep --only-matching '<Key>[^<]*' <<< "$answer" | cut -c "$((${#S3_PREFIX} + 7))-" || true
}

# s3_exists KEY: whether there is such an object. Only 200 and 404 are answers. Anything else (an outage; a 403, which is what a
# missing key gives without s3:ListBucket) says nothing, so S3 is asked again.
s3_exists() {
  local status pause=1
  while true; do
    status=$(s3_request HEAD "$1" '' --head --output /dev/null --write-out '%{http_code}') || true
    case $status in
      200) return 0 ;;
      404) return 1 ;;
    esac
    problem "S3 answers $status when asked for $1; again in $pause s"
    sleep "$pause"
    pause=$((pause < 16 ? pause * 2 : 30))
  done
}

# s3_create KEY TEXT: makes the object unless it exists. Success if it was made; 1 if it exists, be it by a try of mine whose answer was
# lost.
s3_create() {
  local status pause=1
  while true; do
    status=$(s3_request PUT "$1" application/octet-stream --output /dev/null --write-out '%{http_code}' --request PUT \
      --header 'If-None-Match: *' --data-binary "$2") || true
    case $status in
      200) return 0 ;;
      412) return 1 ;;
    esac
    # 409 is a conditional write at the same time as another.
    problem "S3 answers $status to the writing of $1; again in $pause s"
    sleep "$pause"
    pause=$((pause < 16 ? pause * 2 : 30))
  done
}

# urlencode TEXT: percent-encoding of RFC 3986.
urlencode() {
  local LC_ALL=C text=$1 encoded='' character
  while [ -n "$text" ]; do
    character=${text:0:1}
    case $character in
      [a-zA-Z0-9._~-]) encoded+=$character ;;
      *) printf -v character '%%%02X' "'$character" && encoded+=$character ;;
    esac
    text=${text:1}
  done
  printf '%s' "$encoded"
}

# aws_query SERVICE VERSION ACTION [NAME=VALUE...]: a call of a query API, at the address beside EC2's; XML on standard output, that of
# an error too.
aws_query() {
  local body="Action=$3&Version=$2" parameter
  for parameter in "${@:4}"; do
    body+="&${parameter%%=*}=$(urlencode "${parameter#*=}")"
  done
  aws_request "$1" "$REGION" POST "${EC2_URL/ec2./$1.}" 'application/x-www-form-urlencoded; charset=utf-8' "$body" \
    --fail-with-body --data "$body"
}

# ec2 ACTION [NAME=VALUE...]
ec2() {
  aws_query ec2 2016-11-15 "$@"
}
