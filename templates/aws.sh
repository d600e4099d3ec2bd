# shellcheck shell=bash
# Asks the instance metadata service, S3 and EC2. To be sourced after /etc/kclust/node.env.
# Credentials go from process to process through pipes: never on a command line, never into a file.

METADATA_URL=http://169.254.169.254/latest

# metadata PATH: a value of the instance metadata service, version 2.
metadata() {
  local token
  token=$(curl --silent --fail --max-time 5 --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' \
    "$METADATA_URL/api/token") || return
  curl --silent --fail --max-time 5 --header @<(printf 'X-aws-ec2-metadata-token: %s' "$token") "$METADATA_URL/$1"
}

# json_string NAME: the string of that name in the JSON on standard input. Enough for what the metadata service answers.
json_string() {
  sed -n 's/.*"'"$1"'" *: *"\([^"]*\)".*/\1/p'
}

# curl_signs: whether curl signs requests with temporary credentials as S3 wants it. 7.x leaves out the session token or the hash.
curl_signs() {
  local version
  version=$(curl --version)
  version=${version#curl }
  [ "${version%%.*}" -ge 8 ]
}

# signature SERVICE REGION METHOD URL CONTENT-TYPE BODY: options, in the syntax of curl's configuration files, that sign a request
# with the credentials of the instance's role (AWS Signature Version 4). S3 gets the body unsigned: TLS protects it.
signature() {
  local role answer key secret token
  role=$(metadata meta-data/iam/security-credentials/) || return
  answer=$(metadata "meta-data/iam/security-credentials/$role") || return
  key=$(printf '%s' "$answer" | json_string AccessKeyId)
  secret=$(printf '%s' "$answer" | json_string SecretAccessKey)
  token=$(printf '%s' "$answer" | json_string Token)
  if ! curl_signs; then
    printf '%s\n' "$key" "$secret" "$token" | python3 /usr/local/lib/kclust/sigv4.py "$@"
    return
  fi
  printf 'aws-sigv4 = "aws:amz:%s:%s"\nuser = "%s:%s"\nheader = "x-amz-security-token: %s"\n' "$2" "$1" "$key" "$secret" "$token"
  if [ "$1" = s3 ]; then printf 'header = "x-amz-content-sha256: UNSIGNED-PAYLOAD"\n'; fi
  if [ -n "$5" ]; then printf 'header = "content-type: %s"\n' "$5"; fi
}

# aws_request SERVICE REGION METHOD URL CONTENT-TYPE BODY [OPTION OF CURL...]: sends a signed request.
aws_request() {
  local options
  options=$(signature "${@:1:6}") || return
  curl --silent --show-error --connect-timeout 5 --max-time 60 --config <(printf '%s\n' "$options") "${@:7}" "$4"
}

# s3_request METHOD KEY CONTENT-TYPE [OPTION OF CURL...]: KEY is below the cluster's prefix.
s3_request() {
  aws_request s3 "$S3_REGION" "$1" "$S3_URL/$S3_PREFIX/$2" "$3" '' "${@:4}"
}

# s3_get KEY: the object on standard output.
s3_get() {
  s3_request GET "$1" '' --fail
}

# s3_put KEY: standard input becomes the object.
s3_put() {
  s3_request PUT "$1" application/octet-stream --fail --output /dev/null --request PUT --data-binary @-
}

# s3_upload FILE KEY: a large file becomes the object, without being read into memory.
s3_upload() {
  s3_request PUT "$2" application/octet-stream --fail --output /dev/null --upload-file "$1" --max-time 1800
}

s3_delete() {
  s3_request DELETE "$1" '' --fail --output /dev/null --request DELETE
}

# s3_list PREFIX: keys that start with it, sorted, a line each; all below the cluster's prefix. At most 1000.
s3_list() {
  local answer query
  # Sorted, as the signature wants it.
  query="list-type=2&prefix=$(urlencode "$S3_PREFIX/$1")"
  answer=$(aws_request s3 "$S3_REGION" GET "$S3_URL/?$query" '' '' --fail) || return
  grep --only-matching '<Key>[^<]*' <<< "$answer" | cut -c "$((${#S3_PREFIX} + 7))-" || true
}

# complain TEXT: tells why a request is made again. The boot program has its own, which the status object shows too.
complain() {
  echo "$*" >&2
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
    complain "S3 answers $status when asked for $1; again in $pause s"
    sleep "$pause"
    pause=$((pause < 16 ? pause * 2 : 30))
  done
}

# s3_create KEY TEXT: makes the object unless it exists. Success if it was made (or an answer was lost after it was), 1 if it exists.
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
    complain "S3 answers $status to the writing of $1; again in $pause s"
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
