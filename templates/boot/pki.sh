# shellcheck shell=bash
# --- Key material of the cluster

PKI_DIR=/etc/kubernetes/pki

# fetch_pki: authorities and keys from the state bucket, where only control planes may read them.
fetch_pki() {
  local file
  for file in ca.crt ca.key front-proxy-ca.crt front-proxy-ca.key sa.key sa.pub etcd/ca.crt etcd/ca.key; do
    s3_get "pki/$file" > "$RUN_DIR/fetched"
    put 600 "$PKI_DIR/$file" < "$RUN_DIR/fetched"
  done
  s3_get pki/encryption.yaml > "$RUN_DIR/fetched"
  put 600 /etc/kubernetes/apiserver/encryption.yaml < "$RUN_DIR/fetched"
  rm "$RUN_DIR/fetched"
}

# drop_keys: what only the assembling needs leaves the disk. The next boot fetches it again.
drop_keys() {
  rm -f "$PKI_DIR/etcd/ca.key" "$PKI_DIR/front-proxy-ca.key" /etc/kubernetes/super-admin.conf
}
