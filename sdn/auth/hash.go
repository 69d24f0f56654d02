package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/moatnet/moat/sdn"
)

// work is what argon2id (RFC 9106) is asked to spend.
type work struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

// usual is the one of OWASP's equally strong choices for servers that takes
// little memory: 9 MiB and four passes.
var usual = work{memory: 9 << 10, passes: 4, threads: 1}

const (
	saltBytes, sumBytes = 16, 32
	// Hashes that would cost more are refused when the file is read: whoever
	// logs in would wait for them, and all others behind.
	maxMemory, maxPasses, maxThreads = 64 << 10, 8, 4
	maxBcryptCost, bcryptBytes       = 14, 60
	// maxPassword bounds a password, in bytes.
	maxPassword = 1024
)

// Hash is the argon2id hash of a password with a random salt, as the users file
// holds it.
func Hash(password string) (string, error) {
	if password == "" || len(password) > maxPassword {
		return "", fmt.Errorf("a password has 1 to %d bytes: %w", maxPassword, sdn.ErrInvalid)
	}
	salt := make([]byte, saltBytes)
	rand.Read(salt) // never fails: crypto/rand ends the process instead
	sum := usual.sum(password, salt, sumBytes)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, usual.memory, usual.passes, usual.threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(sum)), nil
}

func (w work) sum(password string, salt []byte, size int) []byte {
	return argon2.IDKey([]byte(password), salt, w.passes, w.memory, w.threads, uint32(size))
}

// spend takes as long as a comparison, so that an unknown user is refused no
// sooner than a wrong password.
func spend(password string) { usual.sum(password, make([]byte, saltBytes), sumBytes) }

// verifier compares a password with a hash.
type verifier func(password string) bool

// parseHash reads a hash of argon2id, in the form of the PHC, or of bcrypt.
func parseHash(text string) (verifier, error) {
	if strings.HasPrefix(text, "$argon2id$") {
		return parseArgon2id(text)
	}
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil || !strings.HasPrefix(text, "$2") || len(text) != bcryptBytes {
		return nil, fmt.Errorf("neither argon2id nor bcrypt: %w", sdn.ErrInvalid)
	}
	if cost > maxBcryptCost {
		return nil, fmt.Errorf("bcrypt's cost %d is above %d: %w", cost, maxBcryptCost, sdn.ErrInvalid)
	}
	return func(password string) bool {
		return bcrypt.CompareHashAndPassword([]byte(text), []byte(password)) == nil
	}, nil
}

func parseArgon2id(text string) (verifier, error) {
	invalid := func(what string) error { return fmt.Errorf("argon2id: %s: %w", what, sdn.ErrInvalid) }
	parts := strings.Split(text, "$") // "", argon2id, version, work, salt, sum
	if len(parts) != 6 || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, invalid("not of the form $argon2id$v=19$m=,t=,p=$salt$hash")
	}
	var w work
	const form = "m=%d,t=%d,p=%d"
	_, err := fmt.Sscanf(parts[3], form, &w.memory, &w.passes, &w.threads)
	if err != nil || parts[3] != fmt.Sprintf(form, w.memory, w.passes, w.threads) {
		return nil, invalid("parameters are not m=,t=,p=")
	}
	if w.passes < 1 || w.passes > maxPasses || w.threads < 1 || w.threads > maxThreads ||
		w.memory < 8*uint32(w.threads) || w.memory > maxMemory {
		return nil, invalid(fmt.Sprintf("parameters are out of bounds: m at most %d, t %d, p %d", maxMemory, maxPasses, maxThreads))
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil || len(salt) < 8 || len(salt) > 64 {
		return nil, invalid("bad salt")
	}
	sum, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(sum) < 16 || len(sum) > 64 {
		return nil, invalid("bad hash")
	}
	return func(password string) bool {
		return subtle.ConstantTimeCompare(w.sum(password, salt, len(sum)), sum) == 1
	}, nil
}
