#!/usr/bin/env bash
# One real node: `node.sh up DIR BIN` and `node.sh down DIR`, as root on Linux. etcd, API server, controllers, scheduler, kubelet with a
# containerd of its own, kube-proxy and CoreDNS run as processes of this machine; everything they write is in DIR. Needs the packages
# containerd, runc, containernetworking-plugins, conntrack, ipset, iptables, openssl.
set -eu
command="$1" dir="$2" bin="${3:-}"
bridge=rxk0 gateway=10.244.7.1 pods=10.244.7.0/24 services=10.96.0.0/16 dns=10.96.0.10 api=10.96.0.1
pids="$dir/pids"

start() {
  name="$1"; shift
  setsid "$@" > "$dir/log/$name.log" 2>&1 < /dev/null &
  echo "$! $name" >> "$pids"
}

certificate() { # NAME SUBJECT [ALTERNATIVE NAMES]
  openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "$2" 2>/dev/null
  printf 'keyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=clientAuth,serverAuth\n%s' "${3:-}" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile "$1.ext" -out "$1.crt" 2>/dev/null
}

config() { # NAME
  cat > "$dir/$1.kubeconfig" <<END
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://$gateway:6443", certificate-authority: $dir/pki/ca.crt}}]
users: [{name: u, user: {client-certificate: $dir/pki/$1.crt, client-key: $dir/pki/$1.key}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
END
}

up() {
  mkdir -p "$dir/log" "$dir/pki" "$dir/cni" "$dir/manifests"
  : > "$pids"
  for key in net.ipv4.ip_forward vm.overcommit_memory kernel.panic kernel.panic_on_oops; do
    echo "$key=$(sysctl -n $key)" >> "$dir/sysctl.before"
  done
  sysctl -qw net.ipv4.ip_forward=1
  ip link add $bridge type bridge 2>/dev/null || true
  ip addr replace $gateway/24 dev $bridge
  ip link set $bridge up
  iptables -I FORWARD -s $pods -j ACCEPT
  iptables -I FORWARD -d $pods -j ACCEPT

  cd "$dir/pki"
  openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=rxtract-test -days 2 2>/dev/null
  openssl genrsa -out accounts.key 2048 2>/dev/null
  openssl rsa -in accounts.key -pubout -out accounts.pub 2>/dev/null
  certificate api /CN=kube-apiserver "subjectAltName=IP:$gateway,IP:$api,IP:127.0.0.1,DNS:kubernetes.default.svc"
  certificate admin /O=system:masters/CN=admin
  certificate node "/O=system:nodes/CN=system:node:rxtract"
  config admin; config node

  start etcd "$bin/etcd" --data-dir "$dir/etcd" --listen-client-urls http://127.0.0.1:23790 --advertise-client-urls http://127.0.0.1:23790 \
    --listen-peer-urls http://127.0.0.1:23800 --initial-advertise-peer-urls http://127.0.0.1:23800 --initial-cluster default=http://127.0.0.1:23800 --unsafe-no-fsync
  start apiserver "$bin/kube-apiserver" --etcd-servers http://127.0.0.1:23790 --bind-address 0.0.0.0 --advertise-address $gateway --secure-port 6443 \
    --client-ca-file ca.crt --tls-cert-file api.crt --tls-private-key-file api.key --authorization-mode Node,RBAC \
    --service-account-issuer https://kubernetes.default.svc --service-account-signing-key-file accounts.key --service-account-key-file accounts.pub \
    --service-cluster-ip-range $services --kubelet-preferred-address-types InternalIP --kubelet-client-certificate admin.crt --kubelet-client-key admin.key
  export KUBECONFIG="$dir/admin.kubeconfig"
  for _ in $(seq 120); do "$bin/kubectl" get --raw /readyz >/dev/null 2>&1 && break; sleep 0.5; done
  start controllers "$bin/kube-controller-manager" --kubeconfig "$KUBECONFIG" --service-account-private-key-file accounts.key --root-ca-file ca.crt \
    --use-service-account-credentials --cluster-signing-cert-file ca.crt --cluster-signing-key-file ca.key --leader-elect=false
  start scheduler "$bin/kube-scheduler" --kubeconfig "$KUBECONFIG" --leader-elect=false

  cat > "$dir/cni/10-rxtract.conflist" <<END
{"cniVersion": "0.4.0", "name": "rxtract", "plugins": [
  {"type": "bridge", "bridge": "$bridge", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$dir/ipam", "ranges": [[{"subnet": "$pods", "gateway": "$gateway"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
END
  cat > "$dir/containerd.toml" <<END
version = 2
root = "$dir/containerd"
state = "$dir/containerd-state"
[grpc]
  address = "$dir/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "rxtract/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$dir/cni"
END
  start containerd containerd --config "$dir/containerd.toml"
  for _ in $(seq 60); do ctr --address "$dir/containerd.sock" version >/dev/null 2>&1 && break; sleep 0.5; done

  cat > "$dir/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $dir/pki/ca.crt}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
clusterDNS: [$dns]
clusterDomain: cluster.local
containerRuntimeEndpoint: unix://$dir/containerd.sock
resolvConf: $dir/resolv.conf
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
END
  echo "nameserver $gateway" > "$dir/resolv.conf"
  start kubelet "$bin/kubelet" --config "$dir/kubelet.yaml" --kubeconfig "$dir/node.kubeconfig" --hostname-override rxtract --node-ip $gateway --root-dir "$dir/kubelet"
  start proxy "$bin/kube-proxy" --kubeconfig "$KUBECONFIG" --hostname-override rxtract --proxy-mode iptables --cluster-cidr $pods --masquerade-all \
    --conntrack-max-per-core 0
  cat > "$dir/Corefile" <<END
.:53 {
  bind $gateway
  kubernetes cluster.local { kubeconfig $KUBECONFIG x
  }
}
END
  start coredns "$bin/coredns" -conf "$dir/Corefile"
  "$bin/kubectl" apply -f - >/dev/null <<END
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system}
spec: {clusterIP: $dns, ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: kube-dns, namespace: kube-system, labels: {kubernetes.io/service-name: kube-dns}}
addressType: IPv4
ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]
endpoints: [{addresses: ["$gateway"]}]
END
  for _ in $(seq 120); do "$bin/kubectl" wait --for condition=Ready node/rxtract --timeout 1s >/dev/null 2>&1 && return; sleep 0.5; done
  echo "cluster: the node does not get ready; see $dir/log"; return 1
}

down() {
  [ -s "$pids" ] || return 0
  if [ -S "$dir/containerd.sock" ]; then
    # kubelet first, so that it starts nothing anew
    while read -r pid name; do [ "$name" != kubelet ] || kill "$pid" 2>/dev/null || true; done < "$pids"
    sleep 1
    for task in $(ctr --address "$dir/containerd.sock" -n k8s.io tasks list -q); do
      ctr --address "$dir/containerd.sock" -n k8s.io tasks kill -s SIGKILL "$task" 2>/dev/null || true
    done
    sleep 2
    for task in $(ctr --address "$dir/containerd.sock" -n k8s.io tasks list -q); do
      ctr --address "$dir/containerd.sock" -n k8s.io tasks delete -f "$task" >/dev/null 2>&1 || true
    done
  fi
  tac "$pids" | while read -r pid _; do kill "$pid" 2>/dev/null || true; done
  sleep 3
  tac "$pids" | while read -r pid _; do kill -9 "$pid" 2>/dev/null || true; done
  # the shims of the containers end with their tasks; what is mounted under DIR is let go
  awk -v dir="$dir/" 'index($2, dir) == 1 {print $2}' /proc/mounts | sort -r | while read -r place; do umount -l "$place" 2>/dev/null || true; done
  iptables -D FORWARD -s $pods -j ACCEPT 2>/dev/null || true
  iptables -D FORWARD -d $pods -j ACCEPT 2>/dev/null || true
  for table in nat filter mangle; do
    iptables-save -t $table | grep -v -e KUBE- -e 'CNI-' -e "$pods" | iptables-restore -T $table 2>/dev/null || true
  done
  ip link delete $bridge 2>/dev/null || true
  while IFS== read -r key value; do sysctl -qw "$key=$value" || true; done < "$dir/sysctl.before"
  rm -rf "$dir"
}

"$command"
