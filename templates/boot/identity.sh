# shellcheck shell=bash
# --- Identity

# Set by begin, from what read_identity wrote.
INSTANCE_ID='' ADDRESS='' ZONE=''

# read_identity: asks the metadata service who this machine is.
read_identity() {
  local instance address zone
  instance=$(metadata meta-data/instance-id)
  address=$(metadata meta-data/local-ipv4)
  zone=$(metadata meta-data/placement/availability-zone)
  printf 'INSTANCE_ID=%q\nADDRESS=%q\nZONE=%q\n' "$instance" "$address" "$zone" > "$RUN_DIR/identity.env.$$"
  mv "$RUN_DIR/identity.env.$$" "$RUN_DIR/identity.env"
}

# slot_address SLOT: its fixed address.
slot_address() {
  local slot
  for slot in $SLOTS; do
    if [ "${slot%%=*}" = "$1" ]; then printf '%s' "${slot#*=}"; fi
  done
}

# for_this_instance FILE...: kubeadm documents with the values of this instance.
for_this_instance() {
  sed -e "s|@INSTANCE_ID@|$INSTANCE_ID|g" -e "s|@ADDRESS@|$ADDRESS|g" -e "s|@ZONE@|$ZONE|g" "$@"
}
