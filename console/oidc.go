package console

// Provider is an OpenID provider by which administrators sign in.
type Provider struct {
	ID, Name string
	Roles    []GroupRole
}

// GroupRole gives a role to a group of a provider.
type GroupRole struct {
	Group string
	Grant
}
