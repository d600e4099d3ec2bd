# shellcheck shell=bash
# --- Settings that running slots follow: an object of the state, changed by `kclust update`

# As last read by this program.
SETTINGS=$RUN_DIR/settings.$PROGRAM

# read_settings: the settings object, as a file.
read_settings() {
  s3_get control-plane/settings > "$SETTINGS.new" || fail "control-plane/settings cannot be read"
  if [ "$(head -n 1 "$SETTINGS.new")" != 'format 1' ]; then
    fail "control-plane/settings has a format that this boot program does not know: $(head -c 80 "$SETTINGS.new" | head -n 1)"
  fi
  mv "$SETTINGS.new" "$SETTINGS"
}

# setting NAME: a value of the settings.
setting() {
  awk -v name="$1" '$1 == name { print $2 }' "$SETTINGS"
}
