// Command sigstore signs, for the tests, as a Sigstore of one's own would: its certificate authority, its transparency
// log and its timestamp authority are those of sigstore-go's tests. What it writes is for ten minutes.
//
// It reads {"signatures": {NAME: {...}}} and writes {"trustedRoot": {...}, "keys": {NAME: PEM}, "signatures": {NAME: {...}}}.
package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	sigdsse "github.com/sigstore/sigstore/pkg/signature/dsse"
	"github.com/sigstore/sigstore/pkg/signature/payload"
	"google.golang.org/protobuf/encoding/protojson"
)

const inToto = "application/vnd.in-toto+json"

// What to sign, and how.
type wish struct {
	// simple, bundle, or bundle-v2 for a log that keeps no time.
	Form string `json:"form"`
	// The image's digest.
	Digest string `json:"digest"`
	// What the statement in a bundle is; a signature where it is empty.
	Predicate string `json:"predicate"`
	// The name of a key: p256, p384, ed25519, rsa, or one of these with a dash and more.
	Key string `json:"key"`
	// Instead of a key: who signs, and who vouches for that.
	Identity string `json:"identity"`
	Issuer   string `json:"issuer"`
	// Which Sigstore: the empty one is trusted.
	Authority string `json:"authority"`
	// Whose log promises to keep the entry, where it is another one than the authority's.
	Log string `json:"log"`
	// How long after the certificate was made the log says that it was used.
	Seconds int `json:"seconds"`
}

type signed struct {
	Payload     string            `json:"payload,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Bundle      json.RawMessage   `json:"bundle,omitempty"`
}

type world struct {
	sigstores map[string]*ca.VirtualSigstore
	keys      map[string]crypto.Signer
}

func main() {
	var request struct {
		Signatures map[string]wish `json:"signatures"`
	}
	must(json.NewDecoder(os.Stdin).Decode(&request))
	w := world{sigstores: map[string]*ca.VirtualSigstore{}, keys: map[string]crypto.Signer{}}
	signatures := map[string]signed{}
	for name, wish := range request.Signatures {
		signatures[name] = w.sign(wish)
	}
	keys := map[string]string{}
	for name, key := range w.keys {
		keys[name] = string(try(cryptoutils.MarshalPublicKeyToPEM(key.Public())))
	}
	must(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"trustedRoot": w.trustedRoot(false), "trustedRootWithCertificateLog": w.trustedRoot(true),
		"keys": keys, "signatures": signatures,
	}))
}

func (w world) sign(wish wish) signed {
	switch {
	case wish.Form == "simple" && wish.Key != "":
		signer := w.signer(wish.Key)
		message := simple(wish.Digest)
		sig := try(signer.SignMessage(bytes.NewReader(message)))
		return signed{Payload: encode(message), Annotations: map[string]string{
			"dev.cosignproject.cosign/signature": encode(sig),
		}}
	case wish.Form == "simple":
		return w.simpleKeyless(wish)
	case wish.Key != "":
		signer := w.signer(wish.Key)
		adapter := &sigdsse.SignerAdapter{SignatureSigner: signer, Pub: w.keys[wish.Key].Public()}
		envelope := try(try(dsse.NewEnvelopeSigner(adapter)).SignPayload(context.Background(), inToto, statement(wish)))
		material := &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_PublicKey{
			PublicKey: &protocommon.PublicKeyIdentifier{Hint: wish.Key},
		}}
		return bundle(material, envelope)
	default:
		return w.bundleKeyless(wish)
	}
}

func (w world) simpleKeyless(wish wish) signed {
	sigstore := w.sigstore(wish.Authority)
	message := simple(wish.Digest)
	entity := try(sigstore.SignAtTime(wish.Identity, wish.Issuer, message, at(wish)))
	certificate := try(entity.VerificationContent()).Certificate()
	entry := try(entity.TlogEntries())[0].TransparencyLogEntry()
	logged := tlog.RekorPayload{
		Body:           encode(entry.CanonicalizedBody),
		IntegratedTime: entry.IntegratedTime,
		LogIndex:       entry.LogIndex,
		LogID:          hex.EncodeToString(entry.LogId.KeyId),
	}
	log := sigstore
	if wish.Log != "" {
		log = w.sigstore(wish.Log)
		logged.LogID = try(log.RekorLogID())
	}
	promise := try(log.RekorSignPayload(logged))
	rekor := try(json.Marshal(map[string]any{"SignedEntryTimestamp": encode(promise), "Payload": logged}))
	signature := try(entity.SignatureContent()).MessageSignatureContent().Signature()
	return signed{Payload: encode(message), Annotations: map[string]string{
		"dev.cosignproject.cosign/signature": encode(signature),
		"dev.sigstore.cosign/certificate":    string(try(cryptoutils.MarshalCertificateToPEM(certificate))),
		"dev.sigstore.cosign/bundle":         string(rekor),
	}}
}

func (w world) bundleKeyless(wish wish) signed {
	sigstore := w.sigstore(wish.Authority)
	attest := func() (*ca.TestEntity, error) {
		return sigstore.AttestAtTime(wish.Identity, wish.Issuer, statement(wish), at(wish), true)
	}
	if wish.Form == "bundle-v2" {
		attest = func() (*ca.TestEntity, error) {
			return sigstore.AttestAtTimeHashedRekordV2(wish.Identity, wish.Issuer, statement(wish), time.Unix(0, 0))
		}
	}
	entity := try(attest())
	entry := try(entity.TlogEntries())[0].TransparencyLogEntry()
	if wish.Form == "bundle" {
		// sigstore-go keeps these two apart from what it writes.
		entry.KindVersion = &protorekor.KindVersion{Kind: "dsse", Version: "0.0.1"}
		promise := try(sigstore.RekorSignPayload(tlog.RekorPayload{
			Body:           encode(entry.CanonicalizedBody),
			IntegratedTime: entry.IntegratedTime,
			LogIndex:       entry.LogIndex,
			LogID:          hex.EncodeToString(entry.LogId.KeyId),
		}))
		entry.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: promise}
	}
	material := &protobundle.VerificationMaterial{
		Content: &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{
			RawBytes: try(entity.VerificationContent()).Certificate().Raw,
		}},
		TlogEntries: []*protorekor.TransparencyLogEntry{entry},
	}
	if wish.Form == "bundle-v2" {
		stamp := try(entity.Timestamps())[0]
		material.TimestampVerificationData = &protobundle.TimestampVerificationData{
			Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamp}},
		}
	}
	return bundle(material, try(entity.SignatureContent()).EnvelopeContent().RawEnvelope())
}

func bundle(material *protobundle.VerificationMaterial, envelope *dsse.Envelope) signed {
	bundle := &protobundle.Bundle{
		MediaType:            "application/vnd.dev.sigstore.bundle.v0.3+json",
		VerificationMaterial: material,
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload:     try(base64.StdEncoding.DecodeString(envelope.Payload)),
			PayloadType: envelope.PayloadType,
			Signatures: []*protodsse.Signature{{
				Sig: try(base64.StdEncoding.DecodeString(envelope.Signatures[0].Sig)),
			}},
		}},
	}
	return signed{Bundle: try(protojson.Marshal(bundle))}
}

// simple is what cosign signs in its older form.
func simple(digest string) []byte {
	image := try(name.NewDigest("registry.example/owner/name@" + digest))
	return try(payload.Cosign{Image: image}.MarshalJSON())
}

// statement is what cosign signs in its newer form.
func statement(wish wish) []byte {
	predicate := wish.Predicate
	if predicate == "" {
		predicate = "https://sigstore.dev/cosign/sign/v1"
	}
	return try(json.Marshal(map[string]any{
		"_type":         "https://in-toto.io/Statement/v1",
		"subject":       []any{map[string]any{"digest": map[string]string{"sha256": wish.Digest[len("sha256:"):]}}},
		"predicateType": predicate,
		"predicate":     map[string]any{},
	}))
}

func at(wish wish) time.Time {
	return time.Now().Add(time.Duration(wish.Seconds) * time.Second)
}

func (w world) sigstore(name string) *ca.VirtualSigstore {
	if w.sigstores[name] == nil {
		w.sigstores[name] = try(ca.NewVirtualSigstore())
	}
	return w.sigstores[name]
}

// trustedRoot names the authorities of the one Sigstore that is trusted.
func (w world) trustedRoot(certificateLog bool) json.RawMessage {
	sigstore := w.sigstore("")
	// sigstore-go's own numbers of its logs are digits, not the bytes that they stand for.
	decoded := func(logs map[string]*root.TransparencyLog) map[string]*root.TransparencyLog {
		for id, log := range logs {
			log.ID = try(hex.DecodeString(id))
		}
		return logs
	}
	certificateLogs := map[string]*root.TransparencyLog{}
	if certificateLog {
		certificateLogs = decoded(sigstore.CTLogs())
	}
	trusted := try(root.NewTrustedRoot(root.TrustedRootMediaType01, sigstore.FulcioCertificateAuthorities(),
		certificateLogs, sigstore.TimestampingAuthorities(), decoded(sigstore.RekorLogs())))
	return try(trusted.MarshalJSON())
}

func (w world) signer(name string) signature.Signer {
	if w.keys[name] == nil {
		w.keys[name] = generate(name)
	}
	return try(signature.LoadSigner(w.keys[name], crypto.SHA256))
}

func generate(name string) crypto.Signer {
	switch kind := append(bytes.SplitN([]byte(name), []byte("-"), 2), nil)[0]; string(kind) {
	case "p256":
		return try(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	case "p384":
		return try(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	case "ed25519":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		must(err)
		return key
	case "rsa":
		return try(rsa.GenerateKey(rand.Reader, 2048))
	default:
		panic("no such kind of key: " + name)
	}
}

func encode(data []byte) string {
	return base64.StdEncoding.EncodeToString(data)
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func try[T any](value T, err error) T {
	must(err)
	return value
}
