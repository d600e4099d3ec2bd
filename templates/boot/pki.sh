# shellcheck shell=bash
# --- Key material of the cluster

PKI_DIR=/etc/kubernetes/pki

# fetch_key OBJECT FILE
fetch_key() {
  local content
  content=$(s3_get "pki/$1") || fail "pki/$1 cannot be read from the state bucket"
  printf '%s\n' "$content" | put 600 "$2"
}

# fetch_pki: authorities and keys from the state bucket, where only control planes may read them; all at once.
fetch_pki() {
  local file commands=("fetch_key encryption.yaml /etc/kubernetes/apiserver/encryption.yaml")
  for file in ca.crt ca.key front-proxy-ca.crt front-proxy-ca.key sa.key sa.pub etcd/ca.crt etcd/ca.key; do
    commands+=("fetch_key $file $PKI_DIR/$file")
  done
  together "${commands[@]}"
}

# drop_keys: what only the assembling needs leaves the disk. The next boot fetches it again.
drop_keys() {
  rm -f "$PKI_DIR/etcd/ca.key" "$PKI_DIR/front-proxy-ca.key" /etc/kubernetes/super-admin.conf
}
