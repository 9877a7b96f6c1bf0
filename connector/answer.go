package connector

import (
	"crypto/sha256"
	"time"
)

// KeptAnswer is what a request to the API was answered, kept for a day so that the same request is not carried out twice.
type KeptAnswer struct {
	Org     string
	Token   ID                // that sent it
	Key     [sha256.Size]byte // hash of what names the request
	Request [sha256.Size]byte // digest of what it asks for
	Begun   time.Time
	Sealed  []byte // the answer, which only who has the token can read; nil while the work goes on
}
