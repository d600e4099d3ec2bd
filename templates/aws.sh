# shellcheck shell=bash
# Asks the instance metadata service and S3: what it takes to fetch the boot program. To be sourced after /etc/kclust/node.env.
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

# The role's credentials, a line each: access key, secret key, session token; and when they were asked for. In memory only.
CREDENTIALS='' CREDENTIALS_AT=0

# keep_credentials: asks for them when they are not there or four minutes old: new ones are there five minutes before old ones expire.
keep_credentials() {
  local role answer
  if [ -n "$CREDENTIALS" ] && ((SECONDS - CREDENTIALS_AT < 240)); then return; fi
  role=$(metadata meta-data/iam/security-credentials/) || return
  answer=$(metadata "meta-data/iam/security-credentials/$role") || return
  CREDENTIALS=$(for name in AccessKeyId SecretAccessKey Token; do printf '%s' "$answer" | json_string "$name"; done)
  CREDENTIALS_AT=$SECONDS
}

# signature SERVICE REGION METHOD URL CONTENT-TYPE BODY: options, in the syntax of curl's configuration files, that sign a request
# with the credentials of the instance's role (AWS Signature Version 4). S3 gets the body unsigned: TLS protects it.
signature() {
  local key secret token
  { read -r key && read -r secret && read -r token; } < <(printf '%s\n' "$CREDENTIALS") || return
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
  keep_credentials || return
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
