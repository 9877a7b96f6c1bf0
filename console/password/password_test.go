package password_test

import (
	"strings"
	"testing"

	"usherd/console/password"
)

func TestHashesAreOfTheirPassword(t *testing.T) {
	t.Parallel()
	const word = "correct horse battery å"
	a, err := password.Hash(word)
	if err != nil {
		t.Fatal(err)
	}
	b, err := password.Hash(word)
	if err != nil || a == b {
		t.Error("there is no salt", err)
	}
	if !password.Right(word, a) || !password.Right(word, b) || password.Right(word+" ", a) || password.Right("", a) || password.Right(word, password.Nobody()) {
		t.Error("another password is right, or the right one is not")
	}
	if !strings.HasPrefix(a, "$argon2id$v=19$m=19456,t=2,p=1$") || password.Check(a) != nil || password.Check(password.Nobody()) != nil {
		t.Error(a)
	}
	for _, short := range []string{"", "eleven chrs", strings.Repeat("x", 257)} {
		if _, err := password.Hash(short); err == nil {
			t.Errorf("%d characters", len(short))
		}
	}
}

// What is no hash, asks for too little, or would end the process, is refused before anything is computed.
func TestHashesThatAreRefused(t *testing.T) {
	t.Parallel()
	const tail = "$c2FsdHNhbHRzYWx0c2FsdA$Zm9yIHRoZSBleGFtcGxlIG9ubHksIG5vIGhhc2ghISE"
	for _, hash := range []string{
		"", "correct horse battery", "$2b$12$abcdefghijklmnopqrstuv", "$argon2i$v=19$m=19456,t=2,p=1" + tail, "$argon2id$v=16$m=19456,t=2,p=1" + tail,
		"$argon2id$v=19$m=19456,t=0,p=1" + tail, "$argon2id$v=19$m=4,t=2,p=1" + tail, "$argon2id$v=19$m=4000000,t=2,p=1" + tail, "$argon2id$v=19$m=19456,t=999,p=1" + tail,
		"$argon2id$v=19$m=19456,t=2,p=0" + tail, "$argon2id$v=19$m=19456,t=2,p=1$c2Fs$Zm9yIHRoZSBleGFtcGxlIG9ubHksIG5vIGhhc2ghISE", "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$Zm9y",
		"$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA", "$argon2id$v=19$m=19456,t=2,p=1$!$!", "$argon2id$v=19$m=99999999999999999999,t=2,p=1" + tail,
	} {
		if password.Check(hash) == nil || password.Right("correct horse battery", hash) {
			t.Errorf("%q is taken", hash)
		}
	}
	if password.Check("$argon2id$v=19$m=19456,t=2,p=1"+tail) != nil {
		t.Error("the example is refused")
	}
}
