//go:build tools

// Package tools pins the etcd behind the tests' kube-apiserver: `go build -o etcd go.etcd.io/etcd/server/v3`.
package tools

import _ "go.etcd.io/etcd/server/v3"
