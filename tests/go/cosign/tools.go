//go:build tools

// Package tools pins the cosign that signs images in the tests: `go build -o cosign
// github.com/sigstore/cosign/v3/cmd/cosign`.
package tools

import _ "github.com/sigstore/cosign/v3/cmd/cosign"
