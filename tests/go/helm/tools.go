//go:build tools

// Package tools pins the Helm that renders the chart in the tests: `go build -o helm helm.sh/helm/v3/cmd/helm`.
package tools

import _ "helm.sh/helm/v3/cmd/helm"
