//go:build tools

// Package tools pins the KubeVela that the tests run: `go build -o vela-core github.com/oam-dev/kubevela/cmd/core`, and
// `go build -o vela github.com/oam-dev/kubevela/references/cmd/cli`.
package tools

import (
	_ "github.com/oam-dev/kubevela/cmd/core"
	_ "github.com/oam-dev/kubevela/references/cmd/cli"
)
