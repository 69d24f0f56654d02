package auth

import (
	"container/list"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"

	"github.com/moatnet/moat/sdn/access"
)

const (
	// maxTokensPerUser bounds what one user's logins can take; one more ends
	// the user's oldest token.
	maxTokensPerUser = 4096
	// maxTokens bounds what all logins can take; one more ends the oldest.
	maxTokens = 8 * maxTokensPerUser
)

type digest [sha256.Size]byte

// tokens are the tokens that were given, by their hashes. They live in memory:
// after a restart clients log in again.
type tokens struct {
	ttl time.Duration
	now func() time.Time

	mu     sync.Mutex
	live   map[digest]*token
	oldest *list.List            // of *token; expiries never go back
	ofUser map[string]*list.List // the same, of one user
}

// token is one that was given. Stamp tells whether its user is still as they
// were.
type token struct {
	hash        digest
	user        string
	stamp       digest
	expires     time.Time
	all, ofUser *list.Element
}

func newTokens(ttl time.Duration) *tokens {
	return &tokens{ttl: ttl, now: time.Now, live: map[digest]*token{}, oldest: list.New(), ofUser: map[string]*list.List{}}
}

// give makes a token of 128 random bits.
func (t *tokens) give(user string, stamp digest) access.Token {
	var key [16]byte
	rand.Read(key[:]) // never fails: crypto/rand ends the process instead
	made := access.Token{Key: hex.EncodeToString(key[:])}

	t.mu.Lock()
	defer t.mu.Unlock()
	made.Expires = t.now().Add(t.ttl)
	t.makeRoom(user)
	mine := t.ofUser[user]
	if mine == nil {
		mine = list.New()
		t.ofUser[user] = mine
	}
	one := &token{hash: sha256.Sum256([]byte(made.Key)), user: user, stamp: stamp, expires: made.Expires}
	one.all, one.ofUser = t.oldest.PushBack(one), mine.PushBack(one)
	t.live[one.hash] = one
	return made
}

// makeRoom forgets expired tokens, and the oldest where there are too many.
func (t *tokens) makeRoom(user string) {
	now := t.now()
	for e := t.oldest.Front(); e != nil; e = t.oldest.Front() {
		one, _ := e.Value.(*token)
		if t.oldest.Len() < maxTokens && now.Before(one.expires) {
			break
		}
		t.forget(one)
	}
	if mine := t.ofUser[user]; mine != nil && mine.Len() >= maxTokensPerUser {
		one, _ := mine.Front().Value.(*token)
		t.forget(one)
	}
}

// end forgets all tokens of a user.
func (t *tokens) end(user string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.ofUser[user] != nil {
		one, _ := t.ofUser[user].Front().Value.(*token)
		t.forget(one)
	}
}

func (t *tokens) forget(one *token) {
	delete(t.live, one.hash)
	t.oldest.Remove(one.all)
	mine := t.ofUser[one.user]
	mine.Remove(one.ofUser)
	if mine.Len() == 0 {
		delete(t.ofUser, one.user)
	}
}

// find returns the user of a living token and their stamp. The token is looked
// up by its hash, so that the time it takes tells nothing about living ones.
func (t *tokens) find(key string) (user string, stamp digest, found bool) {
	hash := sha256.Sum256([]byte(key))
	t.mu.Lock()
	defer t.mu.Unlock()
	one, known := t.live[hash]
	if !known || !t.now().Before(one.expires) {
		return "", digest{}, false
	}
	return one.user, one.stamp, true
}
