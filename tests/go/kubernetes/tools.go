//go:build tools

// Package tools pins the Kubernetes that the tests run: `go build -o kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver`.
package tools

import _ "k8s.io/kubernetes/cmd/kube-apiserver"
