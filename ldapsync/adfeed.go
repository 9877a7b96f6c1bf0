package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"usherd/connector"
)

// domainController is what the mechanisms of Active Directory know of the server of a session.
type domainController struct {
	invocation [16]byte // identity of its database; zero = not readable
	domains    []byte   // objectGUIDs of the naming contexts
}

var guidForm = anchorForm{"objectGUID", connector.ObjectGUID, true}

// isDC reports whether the session is one with a domain controller, of a source that is an Active Directory.
func isDC(x *session) bool {
	return x.s.config.Type == ActiveDirectory && x.root.kind() == ActiveDirectory
}

// readInvocation reads which database the domain controller has: update numbers mean something in it only.
func (x *session) readInvocation(ctx context.Context) error {
	if x.root.service == "" {
		return &connector.Error{
			Kind: connector.Refused, Op: "ldapsync: root DSE of " + x.c.server, Err: errors.New("it names no dsServiceName"),
			Hint: "let the service account read the root DSE",
		}
	}
	_, err := one(ctx, x.c, searchRequest{Base: x.root.service, Filter: anyObject, Attributes: []string{"invocationId"}}, func(e *entry) error {
		if v := valuesOf(e, 0); len(v) == 1 && len(v[0]) == len(x.dc.invocation) {
			copy(x.dc.invocation[:], v[0])
		}
		return nil
	})
	if err == nil && x.dc.invocation == [16]byte{} {
		err = &connector.Error{
			Kind: connector.Refused, Op: fmt.Sprintf("ldapsync: read %q", x.root.service), Err: errors.New("it shows no invocationId"),
			Hint: "let the service account read the NTDS Settings of the domain controllers",
		}
	}
	return err
}

// readUSN reads the highest update number that the domain controller has given.
func (x *session) readUSN(ctx context.Context) (uint64, error) {
	root, err := readRoot(ctx, x.c)
	if err == nil && root.usn == 0 {
		err = &connector.Error{
			Kind: connector.Refused, Op: "ldapsync: root DSE of " + x.c.server, Err: errors.New("it names no highestCommittedUSN"),
			Hint: "let the service account read the root DSE",
		}
	}
	return root.usn, err
}

// olderUSN says that a database went back in time.
func olderUSN(server string, now, last uint64) string {
	if now >= last {
		return ""
	}
	return fmt.Sprintf("%s went back in time: its highest update number is %d and was %d, as after a restore from an old snapshot", server, now, last)
}

// otherDatabase says that a domain controller has got another database: a restore in good order gives it a new
// invocationId ([MS-ADTS] section 3.1.1.1.9). What is not known is zero.
func otherDatabase(server, before string, now, last [16]byte) string {
	none := [16]byte{}
	if server != before || now == last || now == none || last == none {
		return ""
	}
	return server + " has another database than it had, as after a restore from a backup: its invocationId is a new one"
}

// maxIdleUSN is how many updates of others a cursor may stay behind. What it costs is that the server looks
// through so many more.
const maxIdleUSN = 1000

// groupRule says which groups a source depends on.
type groupRule struct {
	rules bool // those of the scope, the protected ones and those that give packages
	all   bool // memberOf is mapped or in the filter: a group says something of its members that is not told of them
}

func (g groupRule) matter() bool { return g.rules || g.all }

func (s *Source) groupRule() groupRule {
	is := func(n string) bool { return strings.EqualFold(n, "memberOf") }
	names, _ := filterAttributes(s.config.filter())
	return groupRule{
		rules: len(s.ruleGroups()) > 0,
		all:   slices.ContainsFunc(names, is) || slices.ContainsFunc(s.layout.names, is),
	}
}

// filterAttributes returns the attributes that a filter looks at; all is true when it may be any.
func filterAttributes(filter string) (names []string, all bool) {
	for _, part := range strings.Split(filter, "(")[1:] { // within a value a parenthesis is escaped
		name := strings.TrimSpace(part)
		end := strings.IndexAny(name, "=~<>:;")
		if end > 0 {
			names = append(names, name[:end])
		}
		all = all || strings.HasPrefix(name, ":")
	}
	return names, all
}

// wideFilter finds everybody who is, was or could become a person of the source, tombstones included, which
// have lost most attributes, the containers and groups on which people depend, and the groups that are synced.
func (s *Source) wideFilter() string {
	var b strings.Builder
	b.WriteString("(|(&(objectClass=user)(!(objectClass=computer)))")
	if s.config.Filter != "" {
		b.WriteString("(objectClass=contact)" + s.config.filter())
	}
	if s.groupRule().matter() || s.syncsGroups() {
		b.WriteString("(objectClass=group)")
	}
	for _, c := range containerClasses {
		b.WriteString("(objectClass=" + c + ")")
	}
	b.WriteByte(')')
	return b.String()
}

// staysPut reports whether an entry with that DN belongs to the parts of a domain that are the system's
// own, where nobody stands.
func staysPut(dn, root string) bool {
	at, err := foldDN(dn)
	if err != nil {
		return false
	}
	top, err := foldDN("CN=System," + root)
	return err == nil && isBelow(at, top)
}

// dependsOn reports whether a change of a group concerns others than itself.
func (x *session) dependsOn(ctx context.Context, rule groupRule, dn string) (bool, error) {
	if rule.all || !rule.rules {
		return rule.all, nil
	}
	if err := x.readGroups(ctx); err != nil {
		return false, err
	}
	folded, err := foldDN(dn)
	if err != nil {
		return true, nil //nolint:nilerr // it cannot be told, so it does
	}
	for _, set := range x.memberSets() {
		if set != nil && set.groups[folded] {
			return true, nil
		}
	}
	return false, nil
}

// classes reads what the objects with these GUIDs are, tombstones included. Whoever is not found, or does
// not show the class, is left out.
func (x *session) classes(ctx context.Context, root string, guids []connector.Anchor) (map[connector.Anchor]entryClass, error) {
	out := map[connector.Anchor]entryClass{}
	for part := range slices.Chunk(guids, resolveBatch) {
		err := x.few(ctx, root, anyOfThem(guidForm, part), []string{guidForm.attribute, "objectClass"}, x.showDeleted(), func(e *entry) error {
			if a, err := guidForm.decode(valuesOf(e, 0)); err == nil {
				out[a] = classOf(valuesOf(e, 1))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func dnText(e *entry) string { return strings.ToValidUTF8(string(e.DN), "\ufffd") }

func number(values [][]byte) uint64 {
	if len(values) != 1 {
		return 0
	}
	n, _ := strconv.ParseUint(string(values[0]), 10, 64)
	return n
}
