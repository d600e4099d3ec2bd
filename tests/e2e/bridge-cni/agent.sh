#!/bin/sh
# A plain pod network for the lab: the standard bridge plugin on each node, and routes between the nodes, which share one Ethernet.
set -eu
# The first process of a container hears no signal that it does not ask for.
trap 'exit 0' TERM

own=''
until own=$(kubectl get node "$NODE_NAME" --output 'jsonpath={.spec.podCIDR}') && [ -n "$own" ]; do sleep 1; done
cat > /etc/cni/net.d/.10-bridge.conflist <<END
{"cniVersion": "1.0.0", "name": "bridge", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$own"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
END
chmod 600 /etc/cni/net.d/.10-bridge.conflist
mv /etc/cni/net.d/.10-bridge.conflist /etc/cni/net.d/10-bridge.conflist
echo "pods of $NODE_NAME have addresses of $own"

while true; do
  kubectl get nodes --output \
    'jsonpath={range .items[*]}{.spec.podCIDR}{" "}{.status.addresses[?(@.type=="InternalIP")].address}{"\n"}{end}' |
    while read -r cidr address; do
      if [ "$cidr" != "$own" ] && [ -n "$address" ]; then
        # A neighbour, whatever subnet it is in.
        ip route replace "$address/32" dev eth0 scope link
        ip route replace "$cidr" via "$address" dev eth0
      fi
    done || true
  sleep 2
done
