package connector

import "time"

// Session is a browser in which an administrator has signed in to the console. The value of its cookie is not kept, only the
// hash.
type Session struct {
	Hash     TokenHash
	Provider string   // LocalProvider, or the id of an OpenID provider
	Subject  string   // by which the provider knows the person; the name of a local administrator
	Name     string   // for people
	Groups   []string // that the provider has told
	Address  string   // from which the person has signed in

	CreatedAt time.Time
	UsedAt    time.Time // to about a minute
	FreshAt   time.Time // when the person last proved who it is
	Until     time.Time // it ends then at the latest
}

// LocalProvider is the Provider of administrators whom the configuration names.
const LocalProvider = "local"

// Actor names the person for the history: console:NAME, or console:PROVIDER:NAME.
func (s *Session) Actor() string {
	if s.Provider == LocalProvider {
		return "console:" + s.Name
	}
	return "console:" + s.Provider + ":" + s.Name
}

// TryLimit is how often something may be tried.
type TryLimit struct {
	Key   string // what is counted: a name, an address
	Tries int
}
