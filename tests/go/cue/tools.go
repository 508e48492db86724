//go:build tools

// Package tools pins the CUE that checks definitions in the tests: `go build -o cue cuelang.org/go/cmd/cue`.
package tools

import _ "cuelang.org/go/cmd/cue"
