package config_test

import (
	"os"
	"strings"
	"testing"

	"usherd/config"
)

// postgres is a configuration with a store of PostgreSQL.
func postgres(t *testing.T, store string, o config.LoadOptions) *config.File {
	t.Helper()
	text, err := os.ReadFile("testdata/bad/store-memory.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n")
	f, err := config.Parse("usherd.yaml", []byte("store: "+store+"\nstore_password: { env: BIND }\n"+rest), o)
	if err != nil {
		t.Fatalf("%s: %v", store, err)
	}
	return f
}

func TestPasswordsInTheClearAreWarnedOf(t *testing.T) {
	t.Parallel()
	for store, warned := range map[string]bool{
		"postgres:///usherd":                                           false,
		"postgres://usherd@/usherd?host=/run/postgresql":               false,
		"postgres://usherd@localhost:5432/usherd":                      false,
		"postgres://usherd@127.0.0.1/usherd":                           false,
		"postgresql://usherd@[::1]:5432/usherd":                        false,
		"postgres://usherd@db.example/usherd?sslmode=verify-full":      false,
		"postgres://usherd@a.example,b.example/usherd?sslmode=require": false,
		"postgres://usherd@db.example/usherd":                          true,
		"postgres://usherd@db.example/usherd?sslmode=prefer":           true,
		"postgres://usherd@localhost,db.example/usherd":                true,
		"postgres://usherd@/usherd?host=192.0.2.7":                     true,
	} {
		f := postgres(t, store, options())
		if got := len(f.Warnings) > 0 && strings.Contains(f.Warnings[0].Message, "in the clear"); got != warned || len(f.Warnings) > 1 {
			t.Errorf("%s: %v", store, f.Warnings)
		}
	}
}

// Who only looks into the store needs its password all the same, and no other.
func TestPasswordOfTheStoreIsFetchedForEveryCommand(t *testing.T) {
	t.Parallel()
	o := options()
	o.NoSecrets = true
	f := postgres(t, "postgres:///usherd", o)
	if got := f.Config.StorePassword.Reveal(); got != hunter {
		t.Errorf("the password is %q", got)
	}
	if got := f.Organizations[0].Directories["ad"].Config.Bind.Password.Reveal(); got == hunter {
		t.Error("the password of the directory was fetched")
	}
}
