package ldaptest

import (
	"crypto/tls"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Account may bind. It needs no entry in the directory.
type Account struct {
	Names    []string // DN, UPN or DOMAIN\user, each of which will do; compared without case
	Password string
	// Refuse makes every bind fail with code 49 and, on Active Directory, this text behind "data": 52e wrong
	// password, 525 no such user, 530, 531, 532, 533 disabled, 701 expired, 773, 775 locked.
	Refuse string
}

// Rights are what an account may not see.
type Rights struct {
	Hide        []string             // attributes; they are missing, and a filter on them is undefined
	HideEntries func(dn string) bool // true = not found by any search; called with the directory locked
}

// SetAccount adds an account, or replaces the one that has the same first name.
func (s *Server) SetAccount(a Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, have := range s.accounts {
		if strings.EqualFold(have.Names[0], a.Names[0]) {
			s.accounts = slices.Clone(s.accounts)
			s.accounts[i] = a
			return
		}
	}
	s.accounts = append(slices.Clone(s.accounts), a)
}

// SetRights replaces the rights of the account with this name, or with "" those of everybody who has none
// of his own. They hold from the next search on.
func (s *Server) SetRights(account string, r Rights) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rights[strings.ToLower(account)] = r
}

// Hide makes these attributes, and no others, invisible to everybody, as when an administrator takes rights
// away. Without names all are visible again.
func (s *Server) Hide(attributes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rights[""]
	r.Hide = slices.Clone(attributes)
	s.rights[""] = r
}

// HideEntries makes entries invisible to everybody, nil shows them again. The search still ends with code 0.
func (s *Server) HideEntries(hide func(dn string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rights[""]
	r.HideEntries = hide
	s.rights[""] = r
}

func (s *Server) rightsOf(a *Account) Rights {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a != nil {
		for _, n := range a.Names {
			if r, ok := s.rights[strings.ToLower(n)]; ok {
				return r
			}
		}
	}
	return s.rights[""]
}

func (a *Account) authzID() string {
	if strings.Contains(a.Names[0], "=") {
		return "dn:" + a.Names[0]
	}
	return "u:" + a.Names[0]
}

// lookup finds the account of a name.
func (s *Server) lookup(name string) *Account {
	s.mu.Lock()
	accounts := s.accounts
	s.mu.Unlock()
	key, err := dnKey(name)
	for i := range accounts {
		for _, n := range accounts[i].Names {
			if strings.EqualFold(n, name) {
				return &accounts[i]
			}
			if other, e := dnKey(n); err == nil && e == nil && other == key && key != "" {
				return &accounts[i]
			}
		}
	}
	return nil
}

func (c *conn) bind(m message) error {
	c.s.count(func(n *Counts) { n.Binds++ })
	c.account = nil
	r := reader{b: m.body}
	version, name := r.int(tagInt), r.str(tagOctets)
	tag, secret := r.any()
	o := c.answer(m, AtBind, false)
	var got result
	switch {
	case r.bad || version != 3:
		got = result{code: ldap.LDAPResultProtocolError, text: "malformed bind"}
	case tag == 0x80:
		got = c.simple(name, string(secret))
	case tag == 0xa3:
		in := reader{b: secret}
		got = c.sasl(in.str(tagOctets))
	default:
		got = result{code: ldap.LDAPResultAuthMethodNotSupported}
	}
	if err := o.done(opBindDone, got); err != nil {
		c.account = nil
		return err
	}
	return nil
}

func (c *conn) simple(name, password string) result {
	if password == "" {
		return result{} // an anonymous bind succeeds, whoever was named (RFC 4513 section 5.1.2)
	}
	if c.s.o.RequireTLS && c.nc == c.raw {
		text := "TLS confidentiality required"
		if c.s.o.Kind == ActiveDirectory {
			text = "00002028: LdapErr: DSID-0C09023F, comment: The server requires binds to turn on integrity checking " +
				"if SSL\\TLS are not already active on the connection, data 0, v4563\x00"
		}
		return result{code: ldap.LDAPResultStrongAuthRequired, text: text}
	}
	a := c.s.lookup(name)
	switch {
	case a == nil, a.Password != password:
		return c.s.refused("52e")
	case a.Refuse != "":
		return c.s.refused(a.Refuse)
	}
	c.account = a
	return result{}
}

// refused is code 49; only Active Directory says why.
func (s *Server) refused(data string) result {
	r := result{code: ldap.LDAPResultInvalidCredentials}
	switch {
	case s.o.Kind == ActiveDirectory:
		r.text = "80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data " + data + ", v4563\x00"
	case s.o.Kind == DS389 && data == "533":
		r = result{code: ldap.LDAPResultUnwillingToPerform, text: "Account inactivated. Contact system administrator."}
	}
	return r
}

// sasl takes EXTERNAL: the common name of the client's certificate is the name of an account.
func (c *conn) sasl(mechanism string) result {
	if mechanism != "EXTERNAL" {
		return result{code: ldap.LDAPResultAuthMethodNotSupported, text: "only EXTERNAL"}
	}
	t, ok := c.nc.(*tls.Conn)
	if !ok || len(t.ConnectionState().VerifiedChains) == 0 {
		return result{code: ldap.LDAPResultInappropriateAuthentication, text: "no client certificate"}
	}
	a := c.s.lookup(t.ConnectionState().PeerCertificates[0].Subject.CommonName)
	switch {
	case a == nil:
		return c.s.refused("525")
	case a.Refuse != "":
		return c.s.refused(a.Refuse)
	}
	c.account = a
	return result{}
}

// notBound is the answer to a search without a bind.
func (s *Server) notBound() result {
	if s.o.Kind == ActiveDirectory {
		return result{code: ldap.LDAPResultOperationsError, text: "000004DC: LdapErr: DSID-0C090A5C, comment: In order to " +
			"perform this operation a successful bind must be completed on the connection., data 0, v4563\x00"}
	}
	return result{code: ldap.LDAPResultInsufficientAccessRights}
}

// noBase is the answer to a base that is not there.
func (s *Server) noBase(base string, nearest *entry) result {
	matched := ""
	if nearest != nil {
		matched = nearest.dn()
	}
	switch {
	case s.o.Kind != ActiveDirectory:
		return result{code: ldap.LDAPResultNoSuchObject, matched: matched}
	case nearest == nil:
		return result{
			code: ldap.LDAPResultReferral, referral: "ldap://elsewhere.example.test/" + base,
			text: "0000202B: RefErr: DSID-0310082F, data 0, 1 access points\n\tref 1: 'elsewhere.example.test'\n\x00",
		}
	}
	return result{
		code: ldap.LDAPResultNoSuchObject, matched: matched,
		text: "0000208D: NameErr: DSID-0310028B, problem 2001 (NO_OBJECT), data 0, best match of:\n\t'" + matched + "'\n\x00",
	}
}
