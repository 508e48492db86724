//go:build tools

// Package tools pins the controller of WorkflowRuns that the tests run: `go build -o vela-workflow github.com/kubevela/workflow/cmd`.
package tools

import _ "github.com/kubevela/workflow/cmd"
